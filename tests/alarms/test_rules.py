"""What is an alarm, and what is none."""

from __future__ import annotations

from typing import Any

import pytest

from amends.alarms.places import places_of
from amends.alarms.rules import RULES, STORE_AWAY, WatchedStore, raised_alarms
from amends.alarms.settings import AlarmSettings
from amends.errors import UnusableInput
from amends.storage.rows import Unreadable
from amends.storage.working import EngineSeen
from amends.views.groups import CauseGroup
from amends.views.owed import BookDifference, OwedEntry
from amends.views.trouble import Failing
from tests.alarms.seen import AT_WORK, NOW_MS, letters, watched

HOUR_MS = 3_600_000
STUCK = {("trip/1/abc", "needs operator"): 2, ("trip/2/def", "needs operator"): 1, ("sale/1/ghi", "completed"): 5}
GROUP = CauseGroup("trip", "PAID", "do", "BANK", "no …", "needs operator", 3, 0, ["s1", "s2"])
OWING = OwedEntry("late", "s7", "trip", "BANK", "PAID", "", "", None, False, NOW_MS - HOUR_MS - 1, "")
LEAK = BookDifference("STOCK", "P001", "reserved", 3, 0)
GONE = EngineSeen("b-2", 0, -1, [])
CASES: dict[str, tuple[WatchedStore, str, str]] = {
    "needs-operator": (watched(counts=STUCK, groups=[GROUP]), "trip", "3 sagas of trip are waiting for an operator."),
    "owed": (watched(entries=[OWING]), "trip/PAID", "The effect of PAID stands in 1 saga of trip for more than 1 h."),
    "books-differ": (
        watched(differences=[LEAK, LEAK._replace(entity="P002")]),
        "STOCK.reserved",
        "STOCK.reserved of 2 entities is not what sagas hold of it.",
    ),
    "failing": (
        watched(failing=[Failing("s1", "PAID", "do", 9, 0, "no"), Failing("s2", "PAID", "do", 9, 0, "nay")]),
        "PAID/do",
        "PAID/do goes on failing in 2 sagas.",
    ),
    "oldest-waiting": (
        watched(oldest_waiting_ms=NOW_MS - 8 * 24 * HOUR_MS),
        "",
        "The oldest saga that has not ended was started 8 d ago.",
    ),
    "letter-waits": (watched(work=letters(61)), "", "2 letters wait for an engine, the oldest for 1 min."),
    "engine-gone": (
        watched(work=AT_WORK._replace(engines=[*AT_WORK.engines, GONE])),
        "",
        "Engines whose lease ran out: b-2 (1).",
    ),
    "durability": (
        watched(durability="reduced: no fsync"),
        "",
        "What was committed may be lost: durability is reduced: no fsync.",
    ),
    "store-warns": (watched(warning="BANK hangs"), "", "An engine warns: BANK hangs"),
    "disk": (watched(free_bytes=5), "", "5 bytes are free on the disk of the store, fewer than 1073741824."),
    STORE_AWAY: (WatchedStore(NOW_MS, None, "no such host"), "", "The store cannot be read: no such host"),
}


def test_each_rule_has_its_case() -> None:
    """Here, so that none is left out."""
    assert CASES.keys() == {*RULES, STORE_AWAY}


@pytest.mark.parametrize("rule", CASES)
def test_an_alarm_says_what_is_so(rule: str) -> None:
    """And of which definition, step or service; nothing else is an alarm then."""
    seen, subject, text = CASES[rule]
    (alarm,) = raised_alarms(seen, AlarmSettings())
    assert (alarm.rule, alarm.subject, alarm.text) == (rule, subject, text)


@pytest.mark.parametrize("rule", CASES)
def test_an_alarm_can_be_off(rule: str) -> None:
    """By its name."""
    assert not [*raised_alarms(CASES[rule][0], AlarmSettings(off=(rule,)))]


@pytest.mark.parametrize(
    "seen",
    [
        watched(),
        watched(work=letters(59)),
        watched(entries=[OWING._replace(since_ms=NOW_MS - HOUR_MS + 1000), OWING._replace(kind="unanswered")]),
        watched(oldest_waiting_ms=NOW_MS - 6 * 24 * HOUR_MS),
        watched(durability="none: in memory"),
        watched(free_bytes=2**31),
        watched(work=None),
        watched(work=AT_WORK._replace(engines=[])),
    ],
)
def test_what_is_well_is_no_alarm(seen: WatchedStore) -> None:
    """Below each limit, where it is meant so, and where it cannot be seen; no engine is needed where all has ended."""
    assert not [*raised_alarms(seen, AlarmSettings())]


def test_a_fault_of_ten_thousand_sagas_is_one_alarm() -> None:
    """It names a few of them."""
    failing = [Failing(f"s{number}", "PAID", "do", 9, 0, f"no {number}") for number in range(10_000)]
    (alarm,) = raised_alarms(watched(failing=failing), AlarmSettings())
    assert alarm.saga_ids == ("s0", "s1", "s2", "s3", "s4")


def test_sagas_without_any_engine_are_an_alarm() -> None:
    """Of a store in a file, whose engine is another process."""
    (alarm,) = raised_alarms(
        watched(work=AT_WORK._replace(engines=[]), counts={("trip/1/a", "forward"): 1}), AlarmSettings()
    )
    assert alarm.text == "No engine is seen, and 1 saga is under way."


def test_rows_that_are_unreadable_are_an_alarm_of_their_own() -> None:
    """Beside what an engine warns of."""
    seen = watched(warning="BANK hangs", set_aside=[Unreadable("saga", "s1", "checksum")])
    assert [alarm.subject for alarm in raised_alarms(seen, AlarmSettings())] == ["", "rows"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"off": ("fialing",)}, "fialing"),
        ({"webhook": "ftp://hooks.example"}, "is no address"),
        ({"webhook": "https://hooks.example/x"}, "webhook_hosts does not name"),
        ({"webhook": "https://a.b/", "webhook_hosts": ("a.b",), "webhook_networks": ("10.0.0.1/8",)}, "10.0.0.1/8"),
    ],
)
def test_a_wrong_setting_is_told_at_once(given: dict[str, Any], said: str) -> None:
    """And not when the first alarm is to be told."""
    with pytest.raises(UnusableInput, match=said):
        places_of(AlarmSettings(**given))
