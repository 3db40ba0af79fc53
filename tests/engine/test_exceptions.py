"""What a user's function raises is its own, whatever the class: it stops neither the engine nor anybody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import amends
from amends import (
    Backoff,
    Command,
    Completed,
    Done,
    EngineStopped,
    ParticipantError,
    Refused,
    RequestRefused,
    Saga,
    StoreFull,
    external,
    local,
)
from amends.adapters.memory import MemoryStore
from amends.errors import StoreFailed
from tests.engine.test_engine import PATIENCE_S, engine, run


class Own(BaseException):
    """A class that no handler knows."""


class Wordless(Exception):
    """One whose text cannot be had."""

    def __str__(self) -> str:
        raise KeyboardInterrupt("no text")


class Unsayable:
    """A reason whose text cannot be had."""

    def __str__(self) -> str:
        raise SystemExit("no text")


HOSTILE = [
    asyncio.CancelledError,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
    Own,
    Wordless,
    StopIteration,
    StopAsyncIteration,
    EngineStopped,
    StoreFailed,
    StoreFull,
]

TOLD_AS: dict[type[BaseException], type[Exception]] = {
    Wordless: Wordless,
    EngineStopped: EngineStopped,
    StopAsyncIteration: StopAsyncIteration,
    StopIteration: RuntimeError,  # which no coroutine can raise
}


class Bomb:
    """What every function of a saga does while it is armed: it raises."""

    def __init__(self, kind: type[BaseException]) -> None:
        self.kind = kind
        self.armed: set[str] = set()
        self.gone_off: set[str] = set()

    def at(self, place: str) -> None:
        """Go off, if it is armed."""
        if place in self.armed:
            self.gone_off.add(place)
            raise self.kind("boom")

    def step(self, event: str, undone: str, **options: Any) -> Any:
        """Return a local step whose functions go off under their events."""

        def act(_: Any, asked: int) -> int:
            self.at(event)
            return asked

        def undo(before: int, asked: int) -> int:
            self.at(undone)
            return before

        def named(asked: int) -> str:
            self.at(f"{event} entity")
            return str(asked)

        return local(event, act, undo=undo, undone=undone, entity=named, backoff=Backoff(0.001, 0.002), **options)

    def saga(self, *more: Any) -> Saga:
        """Return a saga of a local step, and more; its `prepare` goes off too."""

        def prepare(entities: Any, saga_id: str, asked: int) -> int:
            self.at(f"prepare {asked}")
            return asked

        return Saga("bomb", int, [self.step("A_DONE", "A_UNDONE"), *more], prepare=prepare)


@pytest.mark.parametrize("place", ["A_DONE", "A_DONE entity", "A_UNDONE"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_local_function_may_raise_whatever_it_likes(kind: type[BaseException], place: str) -> None:
    """Its saga is asked again, also by the next engine; the other sagas of the batch end."""
    bomb = Bomb(kind)
    refuse = local("B_DONE", lambda _, asked: Refused("no") if asked == 1 else asked, entity=str, pivot=True)
    saga = bomb.saga(refuse) if place == "A_UNDONE" else bomb.saga()

    async def test() -> None:
        store = MemoryStore()
        bomb.armed = {place}
        async with engine(store, saga) as running:
            stuck = await running.submit(saga, 1)
            for _ in range(2000):
                if place in bomb.gone_off:
                    break
                await asyncio.sleep(0.005)
            assert place in bomb.gone_off
            bomb.armed = set()
            other = await running.submit(saga, 2)
            assert isinstance((await other.result(PATIENCE_S)).state, Completed)
            bomb.armed = {place}
        async with engine(store, saga, prefix="b") as second:
            bomb.armed = set()
            assert (await second.result(stuck.saga_id, PATIENCE_S)).saga_id == stuck.saga_id

    run(test())


@pytest.mark.parametrize("kind", HOSTILE)
def test_whoever_asks_is_told_what_a_function_raised(kind: type[BaseException]) -> None:
    """Of prepare, a command or a transaction; the exception ends the call, and neither its task nor the loop."""
    bomb = Bomb(kind)
    bomb.armed = {"prepare 2", "order"}
    saga = bomb.saga()

    def order(_: Any, body: int) -> int:
        bomb.at("order")
        return body

    async def test() -> None:
        async with engine(MemoryStore(), saga) as running:
            asked: list[Callable[[], Any]] = [
                lambda: running.submit(saga, 2),
                lambda: running.submit(saga, 2, key="k"),
                lambda: running.carry_out(Command("ORDERED", "A", order), "9", 1),
                lambda: running.carry_out(Command("ORDERED", "A", order), "9", 1, key="l"),
                lambda: running.transact(lambda _: bomb.at("order")),
            ]
            for ask in asked:
                with pytest.raises(Exception) as caught:  # noqa: PT011 - any, but an Exception
                    await ask()
                assert isinstance(caught.value, TOLD_AS.get(kind, ParticipantError))
            assert await running.entity("A", "9") is None
            assert isinstance((await (await running.submit(saga, 3)).result(PATIENCE_S)).state, Completed)

    run(test())


@pytest.mark.parametrize("kind", HOSTILE)
def test_of_many_each_is_told_what_prepare_raised(kind: type[BaseException]) -> None:
    """The others start."""
    bomb = Bomb(kind)
    bomb.armed = {"prepare 2"}
    saga = bomb.saga()

    async def test() -> None:
        async with engine(MemoryStore(), saga) as running:
            begun = await running.submit_many(saga, [1, 2, 3])
            assert [isinstance(one, RequestRefused) for one in begun] == [False, True, False]

    run(test())


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("is_async", [False, True])
def test_an_external_function_may_raise_whatever_it_likes(kind: type[BaseException], is_async: bool) -> None:
    """The outcome is unknown at once, and not when its time is over: it is asked again."""
    bomb = Bomb(kind)
    bomb.armed = {"first"}

    def charge(client: Any, asked: int, call: Any) -> Done:
        if call.attempt == 1:
            bomb.at("first")
        return Done(call.attempt)

    async def charge_async(client: Any, asked: int, call: Any) -> Done:
        return charge(client, asked, call)

    asks = external(
        "CARD_CHARGED", charge_async if is_async else charge, pivot=True, timeout_s=3600, limit_s=3600,
        backoff=Backoff(0.001, 0.002),
    )  # fmt: skip

    async def test() -> None:
        saga = bomb.saga(asks)
        async with engine(MemoryStore(), saga) as running:
            result = await (await running.submit(saga, 1)).result(PATIENCE_S)
            assert result.answers == {"CARD_CHARGED": 2}

    run(test())


def test_a_reason_without_a_text_is_no_reason_to_stop() -> None:
    """It counts as if the function had raised; of prepare and a command, whoever asks is told."""

    def refuse(_: Any, asked: int, call: Any = None) -> Any:
        return Refused(Unsayable()) if call is None or call.attempt == 1 else asked  # type: ignore[arg-type]

    def prepare(entities: Any, saga_id: str, asked: int) -> Any:
        return Refused(Unsayable()) if asked == 2 else asked  # type: ignore[arg-type]

    async def test() -> None:
        step = local("A_DONE", refuse, entity=str, pivot=True, backoff=Backoff(0.001, 0.002))
        saga = Saga("unsayable", int, [step], prepare=prepare)
        async with engine(MemoryStore(), saga) as running:
            assert isinstance((await (await running.submit(saga, 1)).result(PATIENCE_S)).state, Completed)
            for ask in (running.submit(saga, 2, key="k"), running.carry_out(Command("B", "A", refuse), "9", 1)):
                with pytest.raises(ParticipantError, match="SystemExit"):
                    await ask
            assert len(await running.submit_many(saga, [2, 3], keys=["a", "b"])) == 2

    run(test())


def test_a_key_of_a_class_of_its_own_stops_nobody() -> None:
    """It is taken for the text that it is, whatever its class does."""

    class Name(str):
        __slots__ = ()

        def __hash__(self) -> int:
            raise KeyboardInterrupt("no hash")

    async def test() -> None:
        saga = Bomb(Own).saga()
        async with engine(MemoryStore(), saga) as running:
            first = await running.submit(saga, 1, key=Name("k"))
            assert (await running.submit(saga, 1, key="k")).saga_id == first.saga_id
            assert (await running.result(Name(first.saga_id), PATIENCE_S)).saga_id == first.saga_id

    run(test())


def test_a_transaction_that_writes_what_cannot_be_stored_raises_a_public_error() -> None:
    """Nobody can catch by name what only the engine knows."""
    with amends.open("memory:", sagas=[]) as engine, pytest.raises(ParticipantError, match="SEATS") as told:
        engine.transact(lambda work: work.entities["SEATS"].update({"Hamlet": object()}))
    assert type(told.value) is ParticipantError
