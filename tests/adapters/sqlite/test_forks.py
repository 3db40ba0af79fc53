"""A child that is forked from a process with an open mailbox: what it posts is not lost, whatever its parent does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from amends.adapters.sqlite.mailbox import SqliteMailbox
from amends.storage.forks import Use
from amends.storage.rows import Letter
from amends.storage.shards import ALL_SHARDS

BUSY_MS = 200  # for a lock that is never given back: nothing else has the mailbox then


def letter(name: str) -> Letter:
    """Return a letter."""
    return Letter(name, 3, "[]", 7)


def forked(does: Callable[[], object]) -> int:
    """Have a child do something, and end."""
    child = os.fork()
    if not child:
        try:
            does()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def expect_end(child: int) -> None:
    """Wait for a child that is to end by itself."""
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("is_early", [True, False], ids=["open before its parent ends", "not open yet"])
def test_a_letter_of_a_child_outlives_the_end_of_its_parent(tmp_path: Path, *, is_early: bool) -> None:
    """As of a daemon, whose first process ends: the last one to close the mailbox takes in its log and deletes it."""
    path, ready, told = tmp_path / "store.db", os.pipe(), os.pipe()

    def be_child() -> None:
        with closing(SqliteMailbox(path)) as mailbox:
            if is_early:
                mailbox.post([letter("early")])
            os.write(ready[1], b".")
            os.read(told[0], 1)
            mailbox.post([letter("late")])
        os.write(ready[1], b".")

    def be_parent() -> None:
        with closing(SqliteMailbox(path)) as mailbox:
            mailbox.post([letter("parent's")])
            forked(be_child)
            os.read(ready[0], 1)

    expect_end(forked(be_parent))
    with closing(SqliteMailbox(path)) as mailbox:
        assert mailbox.letters(ALL_SHARDS, 9)
    os.write(told[1], b".")
    assert os.read(ready[0], 1) == b"."
    with closing(SqliteMailbox(path)) as mailbox:
        found = {each.letter_id for each in mailbox.letters(ALL_SHARDS, 9)}
    assert found == {"parent's", "late", *(["early"] if is_early else [])}


@contextmanager
def posting(mailbox: SqliteMailbox, go_on: threading.Event) -> Iterator[None]:
    """Have a thread be in the middle of a commit, until it is to go on."""
    is_within = threading.Event()

    def post() -> None:
        assert mailbox._database is not None
        with mailbox._database.transaction():
            is_within.set()
            assert go_on.wait(60)

    thread = threading.Thread(target=post)
    thread.start()
    assert is_within.wait(60)
    yield
    thread.join()


def test_a_fork_waits_for_a_commit_that_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of it would have the mailbox for ever: nothing in the child would end it."""
    path, go_on, rest = tmp_path / "store.db", threading.Event(), Use.rest

    def rested(use: Use, seconds: float) -> None:
        go_on.set()
        rest(use, seconds)

    def post() -> None:
        with closing(SqliteMailbox(path, busy_ms=BUSY_MS)) as mailbox:
            mailbox.post([letter("child's")])

    monkeypatch.setattr(Use, "rest", rested)
    with closing(SqliteMailbox(path)) as mailbox:
        mailbox.post([letter("first")])
        with posting(mailbox, go_on):
            expect_end(forked(post))
        mailbox.post([letter("parent's")])
        found = [each.letter_id for each in mailbox.letters(ALL_SHARDS, 9)]
    assert found == ["first", "child's", "parent's"]


def test_a_fork_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit that does not end keeps no process from being forked."""
    monkeypatch.setattr("amends.storage.forks.REST_WITHIN_S", 0.01)
    go_on = threading.Event()
    with closing(SqliteMailbox(tmp_path / "store.db")) as mailbox:
        mailbox.post([letter("first")])
        with posting(mailbox, go_on):
            expect_end(forked(lambda: None))
            go_on.set()
        mailbox.post([letter("second")])
        assert len(mailbox.letters(ALL_SHARDS, 9)) == 2
