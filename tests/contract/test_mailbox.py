"""What `amends.storage.ports.Mailbox` promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from msgspec import Raw

from amends.adapters.sqlite.mailbox import SqliteMailbox
from amends.errors import LeaseLost, Overloaded, StoreConflict
from amends.storage.letters import ChildAsked, child_letter, start_letter
from amends.storage.ports import Mailbox, Store
from amends.storage.rows import Letter
from amends.storage.shards import ALL_SHARDS
from tests.contract.engines import SHARED, Shared
from tests.contract.rows import START_MS, Writer, saga
from tests.contract.subjects import OWNED, owned


@pytest.fixture(params=OWNED)
def mailbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mailbox]:
    """Return an empty mailbox, of each kind."""
    with owned(request.param, tmp_path) as subject:
        yield subject.mailbox


def letter(name: str, shard: int = 3) -> Letter:
    """Return a letter."""
    return Letter(name, shard, f'["cancel","{name}"]', START_MS)


def start(name: str, saga_id: str = "a") -> Letter:
    """Return a letter that starts a saga."""
    return start_letter(name, saga_id, "tickets/1/a", "[]", START_MS)


def settle(mailbox: Mailbox) -> None:
    """Wait until what was removed is gone, where it is so soon."""
    if isinstance(mailbox, SqliteMailbox):
        assert mailbox._removal._is_idle.wait(60)


def test_letters_are_read_in_the_order_in_which_they_were_posted(mailbox: Mailbox) -> None:
    """Those to some shards, at most so many; reading removes nothing."""
    letters = [letter("b", 3), letter("a", 4), letter("c", 3), letter("ä\0'", 63)]
    mailbox.post(letters[:1])
    mailbox.post(letters[1:])
    for _ in range(2):
        assert list(mailbox.letters(ALL_SHARDS, 9)) == letters
    assert list(mailbox.letters([3, 63], 2)) == [letters[0], letters[2]]
    assert list(mailbox.letters([3], 9)) == [letters[0], letters[2]]
    assert list(mailbox.letters([], 9)) == list(mailbox.letters([5], 9)) == []


def test_answers_and_verbs_are_read_before_starts(mailbox: Mailbox) -> None:
    """Each kind in the order in which it was posted, and at most so many of it; a child's letter is a start."""
    child = child_letter("s3", ChildAsked("a.b", "tickets/1/a", Raw(b"[]"), "a"), START_MS)
    starts = [start("s1"), start("s2"), child, start("s4")]
    inputs = [letter("b"), letter("a"), letter("c")]
    for one in [*starts[:2], inputs[0], starts[2], *inputs[1:], starts[3]]:
        mailbox.post([one])
    assert list(mailbox.letters(ALL_SHARDS, 9)) == [*inputs, *starts]
    assert list(mailbox.letters(ALL_SHARDS, 2)) == [*inputs[:2], *starts[:2]]
    assert list(mailbox.letters(ALL_SHARDS, 9, 1)) == [*inputs, starts[0]]
    assert list(mailbox.letters(ALL_SHARDS, 1, 3)) == [inputs[0], *starts[:3]]
    mailbox.remove(["b", "s1"])
    assert list(mailbox.letters(ALL_SHARDS, 1)) == [inputs[1], starts[1]]
    settle(mailbox)
    mailbox.post([start("s5"), letter("d")])
    assert list(mailbox.letters(ALL_SHARDS, 9)) == [*inputs[1:], letter("d"), *starts[1:], start("s5")]
    mailbox.remove(["a", "c", "d"])
    settle(mailbox)
    mailbox.post([start("s6")])
    mailbox.post([letter("e")])
    assert list(mailbox.letters(ALL_SHARDS, 9)) == [letter("e"), *starts[1:], start("s5"), start("s6")]


def test_a_letter_is_posted_once(mailbox: Mailbox) -> None:
    """One whose id is there stays as it is, also within one post."""
    mailbox.post([letter("a")])
    mailbox.post([letter("b"), letter("a", 4), letter("b", 5)])
    assert list(mailbox.letters(ALL_SHARDS, 9)) == [letter("a"), letter("b")]
    mailbox.post([])


def test_what_was_acted_on_is_removed(mailbox: Mailbox) -> None:
    """Those that are there; the next ones come up."""
    mailbox.post([letter(name) for name in "abc"])
    mailbox.remove(["b", "a", "z"])
    mailbox.remove(["b"])
    mailbox.remove([])
    assert list(mailbox.letters(ALL_SHARDS, 1)) == [letter("c")]
    settle(mailbox)
    mailbox.post([letter("a")])
    assert list(mailbox.letters(ALL_SHARDS, 9)) == [letter("c"), letter("a")]


FULL: dict[str, Callable[[Path, ExitStack], Mailbox]] = {
    "sqlite": lambda folder, ends: SqliteMailbox(folder / "store.db", 3),
    **{
        name: lambda _, ends, make=make: ends.enter_context(make(letters_max=3)).mailbox  # type: ignore[misc]
        for name, make in SHARED.items()
    },
}


@pytest.mark.parametrize("kind", FULL)
def test_a_full_mailbox_takes_nothing_more(kind: str, tmp_path: Path) -> None:
    """All letters of a post, or none; answers and verbs have a reserve; there is room again once some are removed."""
    with ExitStack() as ends:
        mailbox = FULL[kind](tmp_path, ends)
        ends.callback(mailbox.close)
        _fill(mailbox)


def _fill(mailbox: Mailbox) -> None:
    mailbox.post([start("a"), start("b")])
    with pytest.raises(Overloaded, match="takes 3 letters that start sagas, and there would be 4"):
        mailbox.post([letter("x"), start("c"), start("d")])
    assert list(mailbox.letters(ALL_SHARDS, 9)) == [start("a"), start("b")]
    mailbox.post([start("c"), start("a")])
    mailbox.post([letter("x")])
    with pytest.raises(Overloaded, match="takes 4 letters, and there would be 5"):
        mailbox.post([letter("y")])
    mailbox.post([letter("x"), start("c")])
    mailbox.remove(["x", "a"])
    settle(mailbox)
    mailbox.post([letter("y"), letter("z")])
    with pytest.raises(Overloaded, match="takes 4 letters, and there would be 5"):
        mailbox.post([start("d")])


@pytest.mark.parametrize("kind", FULL)
def test_letters_of_one_definition_keep_out_no_others(kind: str, tmp_path: Path) -> None:
    """A mailbox that is full of them takes some of each other one: no engine may know theirs."""
    with ExitStack() as ends:
        mailbox = FULL[kind](tmp_path, ends)
        ends.callback(mailbox.close)
        _fill_with_one(mailbox)


def _fill_with_one(mailbox: Mailbox) -> None:
    others = [start_letter(name, name, 'tr"ips/1/b', "[]", START_MS) for name in "xyz"]
    mailbox.post([start("a"), start("b"), start("c")])
    mailbox.post([others[0]])
    with pytest.raises(Overloaded, match="takes 3 letters that start sagas, and there would be 5"):
        mailbox.post([others[1]])
    with pytest.raises(Overloaded, match="takes 3 letters that start sagas, and there would be 5"):
        mailbox.post([start("d")])
    mailbox.post([letter("k")])
    with pytest.raises(Overloaded, match="takes 4 letters, and there would be 6"):
        mailbox.post([letter("l")])
    assert [each.letter_id for each in mailbox.letters(ALL_SHARDS, 9)] == ["k", "a", "b", "c", "x"]


def test_the_commit_that_acts_on_a_letter_removes_it(shared: Shared) -> None:
    """Where the mailbox is part of the store: with all that the commit writes, or not at all."""
    one = shared.engine("one")
    shared.mailbox.post([letter("a"), letter("b"), letter("c")])
    one.commit(saga("S1"), letters=["b", "a"])
    with pytest.raises(StoreConflict):
        one.commit(saga("S1"), letters=["c"])
    assert list(shared.mailbox.letters(ALL_SHARDS, 9)) == [letter("c")]


def test_letters_of_a_commit_are_there_if_and_only_if_it_is(store: Store) -> None:
    """In the order of their commits; one whose id is there stays as it is; `Records.letters` has them, too."""
    writer = Writer(store)
    changes = writer.changes(saga("S1"))._replace(posted=[letter("a"), letter("b", 4)])
    store.commit(changes)
    with pytest.raises(StoreConflict):
        store.commit(writer.changes(saga("S1"))._replace(posted=[letter("c")]))
    store.commit(writer.changes(saga("S2"))._replace(posted=[letter("d"), letter("a", 9)]))
    for read in (store.letters, store.mailbox.letters):
        assert list(read(ALL_SHARDS, 9)) == [letter("a"), letter("b", 4), letter("d")]
        assert list(read([3], 1)) == [letter("a")]
    store.commit(writer.changes(saga("S3"))._replace(letters=["a"]))
    store.mailbox.remove(["a"])
    assert list(store.mailbox.letters(ALL_SHARDS, 9)) == [letter("b", 4), letter("d")]


def test_letters_of_commits_and_of_clients_are_in_one_mailbox(store: Store) -> None:
    """Each is there until it was acted on; those of commits also where the mailbox is full."""
    writer = Writer(store)
    store.mailbox.post([letter("client")])
    store.commit(writer.changes(saga("S1"))._replace(posted=[letter("own")]))
    assert {each.letter_id for each in store.mailbox.letters(ALL_SHARDS, 9)} == {"client", "own"}
    store.commit(writer.changes(saga("S2"))._replace(letters=["client"]))
    store.mailbox.remove(["client"])
    assert list(store.mailbox.letters(ALL_SHARDS, 9)) == [letter("own")]


def test_letters_of_a_commit_are_for_every_engine_of_a_shared_store(shared: Shared) -> None:
    """Each finds those to its own shards; what has no lease any more posts none."""
    one = shared.engine("one", [3])
    two = shared.engine("two", [4])
    one.store.commit(one.changes(saga("S1"))._replace(posted=[letter("a", 3), letter("b", 4)]))
    assert list(two.store.mailbox.letters([4], 9)) == [letter("b", 4)]
    late = one.changes(saga("S2"))._replace(posted=[letter("c", 4)])
    shared.ownership.leave("one")
    with pytest.raises(LeaseLost):
        one.store.commit(late)
    assert list(two.store.mailbox.letters(ALL_SHARDS, 9)) == [letter("a", 3), letter("b", 4)]


@pytest.mark.parametrize("kind", SHARED)
def test_a_full_mailbox_refuses_no_commit(kind: str) -> None:
    """Its letters are written, whatever is there already."""
    with SHARED[kind](letters_max=1) as shared:
        one = shared.engine("one")
        shared.mailbox.post([letter("a")])
        one.store.commit(one.changes(saga("S1"))._replace(posted=[letter("b"), letter("c")]))
        assert len(shared.mailbox.letters(ALL_SHARDS, 9)) == 3
