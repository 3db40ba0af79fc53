"""Two deliveries at once, each in a thread with a connection of its own: one effect, whoever comes first.

The engine's part, to ask again after an error, is played by `asked_until_answered`. `RACES=2000 pytest ...` runs more
rounds than a test has time for.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from amends import Call, Done, Refused, inbox
from amends.core.inbox import TOMBSTONE
from tests.inbox.databases import Database

ROUNDS = int(os.environ.get("RACES", "40"))
ATTEMPTS_MAX = 100
PATIENCE_S = 60  # of a barrier: a thread that died must not hang the tests

Said = Done | Refused
Ask = Callable[[Database, Any, str], Said]


def do(account: Database, db: Any, saga_id: str) -> Said:
    """Serve the action: its effect uses one more of the account."""

    def effect() -> Done:
        account.add(db, 1)
        return Done("one more")

    with account.transaction(db):
        return inbox.once(db, Call(f"{saga_id}/CHARGED/do"), effect)


def undo(account: Database, db: Any, saga_id: str) -> Said:
    """Serve the undo: its effect uses one less."""

    def effect(answer: object) -> None:
        assert answer == "one more"
        account.add(db, -1)

    with account.transaction(db):
        return inbox.undo_once(db, Call(f"{saga_id}/CHARGED/undo"), effect)


def asked_until_answered(account: Database, db: Any, ask: Ask, saga_id: str) -> tuple[Said, int]:
    """Ask until there is an answer; give it, and how many attempts met somebody in their way."""
    for attempt in range(ATTEMPTS_MAX):
        try:
            return ask(account, db, saga_id), attempt
        except Exception as error:
            if not account.is_busy(error):
                raise
    raise AssertionError(f"no answer after {ATTEMPTS_MAX} attempts")


def race(account: Database, asks: list[Ask], look: Callable[[list[Said], int], str]) -> Counter[str]:
    """Run many rounds; in each all ask at once, about one saga.

    Args:
        account: where.
        asks: what each thread asks.
        look: at the answers of a round and at what it left used; says which way it went.

    Returns:
        How often it went which way, and the attempts that met somebody in their way.
    """
    ways = Counter[str]()
    gate = Barrier(len(asks) + 1, timeout=PATIENCE_S)

    def runner(ask: Ask) -> list[tuple[Said, int]]:
        said = []
        with account.connect() as db:
            for number in range(ROUNDS):
                gate.wait()
                said.append(asked_until_answered(account, db, ask, f"s{number}"))
                gate.wait()
        return said

    with ThreadPoolExecutor(len(asks)) as threads:
        running = [threads.submit(broken_by_errors(gate, runner), ask) for ask in asks]
        used = [account.used()]
        for _ in range(ROUNDS):
            gate.wait()
            gate.wait()
            used.append(account.used())
        told = [thread.result() for thread in running]
    for number in range(ROUNDS):
        ways[look([said[number][0] for said in told], used[number + 1] - used[number])] += 1
    ways["attempts that met somebody"] = sum(met for said in told for _, met in said)
    return ways


def broken_by_errors(gate: Barrier, runner: Callable[[Ask], Any]) -> Callable[[Ask], Any]:
    """Let a thread that fails end the race, instead of leaving everybody at the gate."""

    def run(ask: Ask) -> Any:
        try:
            return runner(ask)
        except BaseException:
            gate.abort()
            raise

    return run


@pytest.fixture
def account(database: Database) -> Database:
    """Every database, with an account of which nothing is used."""
    database.open_account()
    return database


def shown(ways: Counter[str], request: pytest.FixtureRequest) -> None:
    """Print how it went, for `pytest -s`."""
    print(f"\n{request.node.name}: {ROUNDS} rounds; {dict(ways)}")  # noqa: T201 - figures for the curious


def test_two_deliveries_of_one_action(account: Database, request: pytest.FixtureRequest) -> None:
    """One effect; both get the same answer."""

    def look(said: list[Said], more: int) -> str:
        assert (said, more) == ([Done("one more")] * 2, 1)
        return "one effect"

    shown(race(account, [do, do], look), request)


def test_an_undo_and_its_action(account: Database, request: pytest.FixtureRequest) -> None:
    """Either the action came first and was undone, or it met the tombstone; nothing is left standing."""

    def look(said: list[Said], more: int) -> str:
        acted, undone = said
        assert (undone, more) == (Done(), 0)
        assert acted in (Done("one more"), TOMBSTONE)
        return "action first" if isinstance(acted, Done) else "undo first"

    shown(race(account, [do, undo], look), request)


def test_doubled_actions_and_doubled_undos(account: Database, request: pytest.FixtureRequest) -> None:
    """Four at once: the duplicates of each say the same, and nothing is left standing."""

    def look(said: list[Said], more: int) -> str:
        first, second, *undone = said
        assert (undone, more) == ([Done(), Done()], 0)
        assert first == second
        return "action first" if isinstance(first, Done) else "undo first"

    shown(race(account, [do, do, undo, undo], look), request)
