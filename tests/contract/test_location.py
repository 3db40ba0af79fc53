"""What every place of a store gives: it is made, opened, looked at and checked the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

from amends.bootstrap import located
from amends.errors import StoreUnusable
from amends.storage.letters import ChildAsked, child_letter, start_letter
from amends.storage.location import DatabaseRoles, LastingLocation
from amends.storage.rows import COMPLETED, FORWARD, Letter
from amends.storage.shards import ALL_SHARDS
from amends.storage.working import EngineSeen, LettersSeen
from amends.views.at_work import at_work, why_it_waits
from tests.contract.rows import START_MS, Writer, saga
from tests.contract.subjects import as_one_owner
from tests.postgres import schema

ENGINE = "one"
NOBODY = DatabaseRoles()
PLACES: dict[str, Callable[[Path, ExitStack], LastingLocation]] = {
    "sqlite": lambda folder, _: located(str(folder / "shop.db")),
    "postgres": lambda _, ends: located(ends.enter_context(schema())),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LastingLocation]:
    """Return where a store can be, of each kind."""
    with ExitStack() as ends:
        yield PLACES[request.param](tmp_path, ends)


def entered(place: LastingLocation, ends: ExitStack) -> Any:
    """Return the store of an engine that has entered, with every shard, as it alone would see it."""
    store = ends.enter_context(closing(place.for_engine()()))
    store.ownership.enter(ENGINE, 600_000)
    store.ownership.claim(ENGINE, ALL_SHARDS)
    return as_one_owner(store) if store.is_shared else store


def test_a_store_is_made_once(place: LastingLocation) -> None:
    """Before that nothing reads it, and nothing makes it; then it has the newest version, and nothing is wrong."""
    assert place.version() == 0
    with pytest.raises(StoreUnusable):
        place.records()
    assert place.version() == 0
    for _ in range(2):
        place.migrate(NOBODY)
        assert place.version() == place.newest > 0
    assert [fact.fault for fact in place.check(NOBODY) if fact.fault] == []
    with closing(place.records()) as store:
        assert not store.counts()
        assert [*store.problems()] == []


def test_an_engine_is_seen_as_long_as_it_runs(place: LastingLocation) -> None:
    """With its shards; who looks has none."""
    place.migrate(NOBODY)
    assert not place.has_engine()
    with ExitStack() as ends:
        store = entered(place, ends)
        assert place.has_engine()
        with closing(place.records()) as reader:
            (engine,) = reader.engines()
            assert sorted(ALL_SHARDS) == engine.shards
            assert not engine.is_gone
            assert at_work(reader)[1:] == (0, LettersSeen(0, 0, None), "", {})
        store.ownership.leave(ENGINE)
    assert not place.has_engine()


def test_letters_of_clients_and_of_commits_wait(place: LastingLocation) -> None:
    """How many start sagas, how many there are, and the one that was posted first."""
    client = Letter("answer", 3, '["answer"]', START_MS + 1)
    child = child_letter("child", ChildAsked("a.b", "tickets/1/a", Raw(b"[]"), "a"), START_MS + 5)
    with ExitStack() as ends:
        store = entered(place, ends)
        mailbox = ends.enter_context(closing(place.for_clients()())).mailbox
        ends.callback(mailbox.close)
        reader = ends.enter_context(closing(place.records()))
        mailbox.post([client])
        assert reader.letters_waiting() == (0, 1, client)
        store.commit(Writer(store).changes(saga("S1"))._replace(posted=[child]))
        assert reader.letters_waiting() == (1, 2, client)
        mailbox.remove(["answer"])


def test_a_mailbox_that_cannot_be_read_keeps_nobody_from_looking(tmp_path: Path) -> None:
    """What else there is, is told."""
    place = located(str(tmp_path / "shop.db"))
    place.migrate(NOBODY)
    (tmp_path / "shop.db.mailbox").write_bytes(b"no database at all " * 999)
    with closing(place.records()) as reader:
        with pytest.raises(StoreUnusable):
            reader.letters_waiting()
        assert at_work(reader).letters is None


def test_what_no_engine_knows_is_named(place: LastingLocation) -> None:
    """Sagas, and the oldest letter, where engines tell what they know; that one has it, another letter says."""
    start = start_letter("start", "S9", "trips/2/b", "[]", START_MS)
    with ExitStack() as ends:
        store = ends.enter_context(closing(place.for_engine()()))
        store.ownership.enter(ENGINE, 600_000, ["tickets/1/a"])
        store.ownership.claim(ENGINE, ALL_SHARDS)
        one = as_one_owner(store) if store.is_shared else store
        counts = {("tickets/1/a", FORWARD): 1, ("trips/2/b", FORWARD): 1, ("trips/2/b", COMPLETED): 1}
        one.commit(Writer(one).changes(saga("S1"))._replace(counts=counts))
        mailbox = ends.enter_context(closing(place.for_clients()())).mailbox
        ends.callback(mailbox.close)
        mailbox.post([start])
        reader = ends.enter_context(closing(place.records()))
        assert reader.letters_to_act_on() == [start]
        seen = at_work(reader)
        if store.is_shared:
            assert (seen.left, seen.why) == ({"trips/2/b": 1}, "it starts trips/2/b, which no engine that runs knows")
            store.ownership.enter("two", 600_000, ["trips/2/b"])
            seen = at_work(reader)
            assert "goes to two, which does" in seen.why
        assert not seen.left


def test_why_a_letter_waits() -> None:
    """By who has its shard."""
    letter = Letter("L", 3, "{}", START_MS)
    gone, other, owner = EngineSeen("a", 1, -5, [3]), EngineSeen("b", 1, 5, [4]), EngineSeen("c", 1, None, [3])
    for engines, why in (
        ([], "no engine is seen"),
        ([gone], "no engine runs"),
        ([gone, other], "a is gone, which has shard 3: another engine takes over"),
        ([other], "no engine has shard 3 yet: one that runs takes it in some seconds"),
        ([owner, other], "c is to act on it, which has shard 3"),
    ):
        assert why_it_waits(letter, engines) == why


def test_memory_is_nobody_elses() -> None:
    """It has no place that others could look at."""
    with pytest.raises(StoreUnusable, match="names no store"):
        located("memory:shop")
