"""Each alarm is told once when it begins and once when it ends, to each place, over restarts and faults of places."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from amends.alarms.memory import AlarmMemory
from amends.alarms.notices import AlarmNotice, LogPlace, NoticePlace, NotTold
from amends.alarms.rules import WatchedStore
from amends.alarms.settings import AlarmSettings
from amends.alarms.watching import AlarmWatch
from amends.errors import UnusableInput
from tests.alarms.seen import NOW_MS, watched

WELL = watched()
WARNS = watched(warning="BANK hangs")
REDUCED = watched(durability="reduced: no fsync")
AWAY = WatchedStore(NOW_MS, None, "no such host")


class Hearing:
    """A place that remembers what it was told, and fails while it is asked to."""

    def __init__(self, name: str = "command") -> None:
        self.name = name
        self.heard: list[AlarmNotice] = []
        self.fails = False
        self.asked = 0

    async def tell(self, notice: AlarmNotice) -> None:
        """Hear a notice."""
        self.asked += 1
        if self.fails:
            raise NotTold("it is away")
        self.heard.append(notice)

    @property
    def words(self) -> list[tuple[str, str]]:
        """What was heard."""
        return [(notice.alarm, notice.state) for notice in self.heard]


def looking(*seen: WatchedStore, places: list[NoticePlace], path: Path | None = None) -> None:
    """See a store like this, look after look, in a process of its own."""
    left = [*seen]

    async def look() -> WatchedStore:
        return left.pop(0)

    async def run() -> None:
        watch = AlarmWatch(look, AlarmSettings(), AlarmMemory(path), places, "shop.db")
        for _ in seen:
            await watch.look()

    asyncio.run(run())


def test_an_alarm_is_told_once_and_its_end_once() -> None:
    """However often it is seen; under one id each, with what to read."""
    place = Hearing()
    looking(WARNS, WARNS, WARNS, WELL, WELL, WELL, places=[place])
    assert place.words == [("store-warns", "began"), ("store-warns", "ended")]
    first = json.loads(place.heard[0].as_json())
    assert (first["text"], first["store"]) == ("An engine warns: BANK hangs", "shop.db")
    assert first["runbook"] == "docs/runbook.md#store-warns"
    assert len({notice.id for notice in place.heard}) == 2


def test_what_comes_and_goes_calls_once() -> None:
    """An alarm ends when it is not seen twice in a row."""
    place = Hearing()
    looking(WARNS, WELL, WARNS, WELL, WARNS, places=[place])
    assert place.words == [("store-warns", "began")]


def test_an_alarm_that_begins_anew_is_told_anew() -> None:
    """After its end."""
    place = Hearing()
    looking(WARNS, WELL, WELL, WARNS, places=[place])
    assert [state for _, state in place.words] == ["began", "ended", "began"]


def test_a_process_that_is_started_anew_tells_nothing_twice(tmp_path: Path) -> None:
    """And tells the end of what another one had told."""
    first, second, third = Hearing(), Hearing(), Hearing()
    path = tmp_path / "shop.db.alarms"
    looking(WARNS, places=[first], path=path)
    looking(WARNS, WARNS, places=[second], path=path)
    looking(WELL, WELL, places=[third], path=path)
    assert (first.words, second.words, third.words) == (
        [("store-warns", "began")],
        [],
        [("store-warns", "ended")],
    )
    assert json.loads(path.read_bytes()) == []


def test_what_does_not_arrive_is_told_again_and_keeps_no_other_place_waiting() -> None:
    """One attempt at each look; once it arrives, it is told no more."""
    dead, well = Hearing("webhook"), Hearing("command")
    dead.fails = True
    path = None
    left = [WARNS, REDUCED, REDUCED]

    async def look() -> WatchedStore:
        return left.pop(0)

    async def run() -> None:
        watch = AlarmWatch(look, AlarmSettings(), AlarmMemory(path), [dead, well], "shop.db")
        await watch.look()
        await watch.look()
        assert dead.asked == 2
        dead.fails = False
        await watch.look()

    asyncio.run(run())
    assert well.words == [("store-warns", "began"), ("durability", "began"), ("store-warns", "ended")]
    assert dead.words == [("durability", "began")]  # the other one ended before it could be told


def test_of_a_store_that_is_away_nothing_ends() -> None:
    """It is an alarm itself; what held before is told when it is seen again."""
    place = Hearing()
    looking(WARNS, AWAY, AWAY, AWAY, WARNS, WARNS, places=[place])
    assert place.words == [("store-warns", "began"), ("store-away", "began"), ("store-away", "ended")]


def test_a_place_that_is_new_is_told_what_holds(tmp_path: Path) -> None:
    """But not the end of what it never heard of."""
    path, first, second = tmp_path / "alarms", Hearing("command"), Hearing("webhook")
    looking(WARNS, places=[first], path=path)
    looking(WARNS, places=[first, second], path=path)
    assert second.words == [("store-warns", "began")]


def test_the_log_says_what_and_where_to_read(caplog: pytest.LogCaptureFixture) -> None:
    """In a line."""
    looking(WARNS, WELL, WELL, places=[LogPlace()])
    assert [record.getMessage() for record in caplog.records] == [
        "alarm store-warns began: An engine warns: BANK hangs See docs/runbook.md#store-warns",
        "alarm store-warns ended: An engine warns: BANK hangs See docs/runbook.md#store-warns",
    ]


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    """It is not written over."""
    path = tmp_path / "alarms"
    path.write_text("my notes")
    with pytest.raises(UnusableInput, match="cannot be read"):
        AlarmMemory(path)
    assert path.read_text() == "my notes"


def test_a_file_that_cannot_be_written_is_said_and_alarms_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, while it stays so."""
    place = Hearing()
    looking(WARNS, REDUCED, places=[place], path=tmp_path / "no such folder" / "alarms")
    assert place.words == [("store-warns", "began"), ("durability", "began")]
    assert caplog.text.count("is not kept") == 1
