"""Letters to the engine of a file, posted by another process: each leads to what it asks for."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path

import pytest

import amends
from amends import Call, Cancel, Child, Compensated, Completed, Done, Engine, Kind, Saga, external, local
from amends.adapters.sqlite.mailbox import SqliteMailbox, mailbox_of
from amends.core.messages import Answered
from amends.engine.batch import BatchResult
from amends.engine.queue import BATCH_MAX
from amends.engine.task import Task
from amends.engine.upkeep import LETTERS_SHARE
from amends.errors import StoreBusy
from amends.storage.letters import answer_letter, start_letter, verb_letter
from amends.storage.shards import ALL_SHARDS
from tests.client.sagas import COUNTED, count
from tests.engine.running import until
from tests.engine.test_engine import PATIENCE_S, run
from tests.engine.world import Buy

POST = """
import sys, time
from amends import Cancel, Done, Kind
from amends.adapters.sqlite.mailbox import SqliteMailbox
from amends.core.messages import Answered
from amends.storage.letters import answer_letter, start_letter, verb_letter
path, definition = sys.argv[1:]
mailbox = SqliteMailbox(path)
mailbox.post([%s])
"""
STARTS = """*[start_letter(f"key {n}", f"client-{n}", definition, '["Hamlet", 1]', 1) for n in (1, 2)]"""
CANCEL = """verb_letter("v", "client-2", Cancel("sold out", "ann"), 1)"""
ANSWERS = """*[answer_letter(f"a {n}", f"client-{n}", Answered("ASKED", Kind.DO, Done()), 1) for n in (1, 2)]"""
TOLD = """answer_letter("t", "client-1", Answered("TOLD", Kind.DO, Done({"by": "bob"})), 1)"""


async def later(_: object, __: Buy, ___: Call) -> amends.Later:
    """ASKED, and TOLD."""
    return amends.Later(3600)


async def back(_: object, __: Buy, ___: Call) -> Done:
    """TAKEN_BACK."""
    return Done()


ASKED = Saga(
    "asked",
    Buy,
    [
        external("ASKED", later, undo=back, undone="TAKEN_BACK", limit_s=3600),
        external("TOLD", later, pivot=True),
    ],
)


async def post(path: Path, running: Engine, *letters: str) -> None:
    """Have a process of its own post letters, and wake the engine, as no test waits for its next look."""
    definition = running._loop.coordinator.definitions.codec_of(ASKED).definition
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", POST % ", ".join(letters), str(path), definition
    )
    assert await process.wait() == 0
    running._loop.wake()


def left(path: Path) -> Sequence[str]:
    """Return the ids of the letters that are still there."""
    return [letter.letter_id for letter in SqliteMailbox(path).letters(ALL_SHARDS, 99)]


def has_looked(looks: Sequence[int], number: int) -> bool:
    """Return whether letters were removed so often, or were to be."""
    return len(looks) >= number


def test_letters_of_another_process_lead_to_what_they_ask_for(tmp_path: Path) -> None:
    """Sagas are started, one is answered, one is cancelled; then the mailbox is empty."""
    path = tmp_path / "store.db"

    async def test() -> None:
        async with amends.open(f"sqlite:///{path}", sagas=[ASKED]) as running:
            await post(path, running, STARTS)
            await until(lambda: len(running._loop.coordinator.departed) == 2)
            await until(lambda: not left(path))
            await post(path, running, STARTS, CANCEL, ANSWERS)
            cancelled = await running.result("client-2", PATIENCE_S)
            assert isinstance(cancelled.state, Compensated)
            assert "by ann: sold out" in cancelled.reason
            await until(lambda: ("client-1", "TOLD", "do", 1) in running._loop.coordinator.departed)
            await post(path, running, TOLD)
            told = await running.result("client-1", PATIENCE_S)
            assert isinstance(told.state, Completed)
            assert told.answers == {"TOLD": {"by": "bob"}}
            await until(lambda: not left(path))

    run(test())


def test_a_letter_that_was_posted_before_the_engine_opened_is_taken(tmp_path: Path) -> None:
    """Its first turn looks."""
    path = tmp_path / "store.db"

    async def test() -> None:
        async with amends.open(f"sqlite:///{path}", sagas=[ASKED]) as running:
            definition = running._loop.coordinator.definitions.codec_of(ASKED).definition
        SqliteMailbox(path).post([start_letter("key", "client-1", definition, '["Hamlet",1]', 1)])
        async with amends.open(f"sqlite:///{path}", sagas=[ASKED]) as running:
            await until(lambda: not left(path))
            await running.tell("client-1", amends.Cancel("seen"))

    run(test())


def test_a_letter_that_could_not_be_removed_does_no_harm(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It was acted on; the next look finds it again, and knows it by its id. The log says what is wrong, once."""
    path = tmp_path / "store.db"

    async def test() -> None:
        async with amends.open(f"sqlite:///{path}", sagas=[ASKED]) as running:
            mailbox = running._loop._turns._store.mailbox
            remove, looks = mailbox.remove, list[int]()

            def fails(letter_ids: Collection[str]) -> None:
                looks.append(len(letter_ids))
                if len(looks) < 3:
                    raise StoreBusy("another program has it")
                remove(letter_ids)

            mailbox.remove = fails  # type: ignore[method-assign]  # what a disk may do
            definition = running._loop.coordinator.definitions.codec_of(ASKED).definition
            SqliteMailbox(path).post([start_letter("key", "client-1", definition, '["Hamlet",1]', 1)])
            for number in range(1, 4):
                running._loop.wake()
                await until(partial(has_looked, looks, number))
            await until(lambda: not left(path))
            assert looks == [1, 1, 1]
            assert running._loop._turns._store.counts() == {(definition, "forward"): 1}

    with caplog.at_level(logging.ERROR, "amends"):
        run(test())
    assert [record.getMessage() for record in caplog.records if "letters are not" in record.getMessage()] == [
        "letters are not acted on for now: StoreBusy: another program has it"
    ]


@pytest.mark.parametrize(("asked", "share"), [(6_000, BATCH_MAX // LETTERS_SHARE), (100, 16)])
def test_letters_get_a_share_of_a_turn_that_this_process_asked_for(tmp_path: Path, asked: int, share: int) -> None:
    """Each such turn acts on some, and on no more; those without such requests act on many."""
    path = tmp_path / "store.db"

    async def test() -> None:
        async with amends.open(f"sqlite:///{path}", sagas=[COUNTED]) as running:
            definition = running._loop.coordinator.definitions.codec_of(COUNTED).definition
            turns, take = list[tuple[int, int]](), running._loop._turns.take

            async def counted(tasks: Sequence[Task], asked: int) -> BatchResult:
                result = await take(tasks, asked)
                turns.append((asked, result.letters))
                return result

            running._loop._turns.take = counted  # type: ignore[method-assign]  # it counts
            letters = [start_letter(f"key {n}", f"client-{n}", definition, '["Hamlet",1]', 1) for n in range(1_500)]
            SqliteMailbox(path).post(letters)
            running._loop.wake()
            handles = await running.submit_many(COUNTED, [Buy("Hamlet", 1)] * asked)
            assert len(handles) == asked
            await until(lambda: sum(number for _, number in turns) == 1_500)
            beside = [number for own, number in turns if own]
            assert beside
            assert set(beside) == {share}
            assert max(number for own, number in turns if not own) > share

    run(test())


@pytest.mark.parametrize(("own", "share"), [(0, 1_000), (6_000, BATCH_MAX // LETTERS_SHARE)])
def test_a_cancel_and_an_answer_wait_behind_no_start(tmp_path: Path, own: int, share: int) -> None:
    """The turn after they were posted acts on them, and on as many starts as ever, beside requests of this process."""
    path = tmp_path / "store.db"

    async def test() -> None:
        async with amends.open(f"sqlite:///{path}", sagas=[ASKED, COUNTED]) as running:
            coordinator, mailbox = running._loop.coordinator, SqliteMailbox(path)
            told, cancelled = (
                await running.submit(ASKED, Buy("Hamlet", 1)),
                await running.submit(ASKED, Buy("Hamlet", 1)),
            )
            mailbox.post([answer_letter("answer", told.saga_id, Answered("ASKED", Kind.DO, Done()), 1)])
            running._loop.wake()
            await until(lambda: (told.saga_id, "TOLD", "do", 1) in coordinator.departed)
            await until(lambda: (cancelled.saga_id, "ASKED", "do", 1) in coordinator.departed)
            cancel = verb_letter("v", cancelled.saga_id, Cancel("sold out", "ann"), 1)
            answers = [
                answer_letter(f"answer {step}", saga_id, Answered(step, Kind.DO, Done()), 1)
                for saga_id, step in ((cancelled.saga_id, "ASKED"), (told.saga_id, "TOLD"))
            ]
            turns, take = list[BatchResult](), running._loop._turns.take

            async def saturated(tasks: Sequence[Task], asked: int) -> BatchResult:
                if len(turns) == 1:
                    mailbox.post([cancel, *answers])
                    running._loop._turns.upkeep.look_soon()
                result = await take(tasks, asked)
                if bool(asked) == bool(own):
                    turns.append(result)
                return result

            running._loop._turns.take = saturated  # type: ignore[method-assign]  # it posts, and counts
            definition = coordinator.definitions.codec_of(COUNTED).definition
            mailbox.post([start_letter(f"key {n}", f"client-{n}", definition, '["Hamlet",1]', 1) for n in range(3_000)])
            running._loop.wake()
            await running.submit_many(COUNTED, [Buy("Hamlet", 1)] * own)
            await until(lambda: len(turns) > 1)
            assert [turn.letters for turn in turns[:2]] == [share, share + 3]
            assert told.saga_id in turns[1].ended
            assert [(send.request.saga_id, send.request.kind) for _, send in turns[1].sends] == [
                (cancelled.saga_id, Kind.UNDO)
            ]
            assert isinstance((await running.result(cancelled.saga_id, PATIENCE_S)).state, Compensated)

    run(test())


def test_letters_of_commits_come_beside_those_of_clients(tmp_path: Path) -> None:
    """The sagas that follow from those of a turn start in the next one, however many this process asks for more."""
    sold = local("TICKETS_SOLD", count, service="SOLD", entity=lambda buy: buy.show, pivot=True)
    parent = Saga("parents", Buy, [sold], starts=[Child(COUNTED, lambda buy: buy)])

    async def test() -> None:
        async with amends.open(f"sqlite:///{tmp_path / 'store.db'}", sagas=[parent, COUNTED]) as running:
            turns, take = list[tuple[int, int]](), running._loop._turns.take

            async def counted(tasks: Sequence[Task], asked: int) -> BatchResult:
                result = await take(tasks, asked)
                turns.append((asked, result.letters))
                return result

            running._loop._turns.take = counted  # type: ignore[method-assign]  # it counts
            await running.submit_many(parent, [Buy("Hamlet", 1)] * 6_000)
            await until(lambda: sum(letters for _, letters in turns) == 6_000)
            assert (3_000, 3_000) in turns

    run(test())


def test_a_mailbox_that_is_none_stops_no_saga(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log names the file."""
    path = tmp_path / "store.db"
    mailbox_of(path).write_bytes(b"no database at all" * 1000)

    async def test() -> None:
        async with amends.open(f"sqlite:///{path}", sagas=[ASKED]) as running:
            handle = await running.submit(ASKED, Buy("Hamlet", 1))
            await until(lambda: len(running._loop.coordinator.departed) == 1)
            await running.tell(handle.saga_id, amends.Cancel("seen"))

    with caplog.at_level(logging.ERROR, "amends"):
        run(test())
    assert any("store.db.mailbox" in record.getMessage() for record in caplog.records)
