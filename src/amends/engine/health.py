"""How an engine does: whether it has its lease, and whether its store and its wire answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Literal, NamedTuple

from amends.engine.spread import Spread
from amends.engine.turn_thread import TurnThread
from amends.exceptions import raised
from amends.storage.location import without_password
from amends.storage.ports import REDUCED, Records
from amends.views.sagas import AsOf

ANSWER_S: Final = 3.0  # within which a store or a wire answers, or counts as away: two thirds of a lease
ANSWERS: Final = "answers"
NO_WIRE: Final = "none"
NOT_KNOWN: Final = "not known"
LEASE_OVER: Final = "the lease is over, and not renewed yet"

State = Literal["starting", "ready", "not ready", "ending", "stopped"]


class Health(NamedTuple):
    """How a process does.

    Attributes:
        state: ``ready`` where the engine has its lease, and its store and its wire answer; ``not ready`` where one of
            these is not so, for now; ``starting`` before that; ``ending`` once it takes nothing new; ``stopped`` where
            it stopped by itself, and only opening it anew helps.
        store: ``answers``, or why it does not.
        wire: ``answers``, or why it does not; ``none`` where there is none.
        durability: what a commit survives, and a message on the wire: ``full``, or ``reduced: `` or ``none: `` and why.
        reasons: why it is not ready; empty where it is.
    """

    state: State
    store: str = NOT_KNOWN
    wire: str = NOT_KNOWN
    durability: str = NOT_KNOWN
    reasons: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether it can be given work."""
        return self.state == "ready"

    @property
    def is_live(self) -> bool:
        """Whether it works, or will by itself; else only a new start helps."""
        return self.state != "stopped"


def waiting_for(reason: str) -> Health:
    """Of an engine that is to be opened: why its store cannot be had yet."""
    return Health("starting", store=reason, reasons=(reason,))


STARTING: Final = Health("starting", reasons=("it is not open yet",))


class Probe:
    """Asks something that may be away, once at a time."""

    def __init__(self, ask: Callable[[], Awaitable[None]]) -> None:
        """Ask nothing yet.

        Args:
            ask: raises what says why it is away.
        """
        self._ask = ask
        self._asking: asyncio.Task[str] | None = None

    async def answer(self) -> str:
        """``answers``, or why it does not."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._answer(), name="amends-health")
        done, _ = await asyncio.wait([self._asking], timeout=ANSWER_S)
        return self._asking.result() if done else f"no answer within {ANSWER_S:g} s"

    async def _answer(self) -> str:
        try:
            await self._ask()
        except Exception as error:  # noqa: BLE001 - an adapter's own: it is what is told
            return without_password(raised(error))
        return ANSWERS


class EngineHealth:
    """Looks how an engine does that takes turns."""

    def __init__(self, turns: TurnThread, spread: Spread) -> None:
        """Look at nothing yet.

        Args:
            turns: with its lease and its store.
            spread: with its wire.
        """
        self._turns, self._spread = turns, spread
        self._store, self._wire = Probe(self._ask_store), Probe(spread.ping)
        self._durability = NOT_KNOWN

    async def look(self) -> Health:
        """How it does now; within some seconds, also where nothing answers."""
        store, wire = await asyncio.gather(self._store.answer(), self._wire.answer())
        store, wire = self._turns.trouble or store, wire if self._spread.has_wire else NO_WIRE
        reasons = [LEASE_OVER] * (self._turns.upkeep.lease_left_s() <= 0)
        reasons += [f"the store: {store}"] * (store != ANSWERS)
        reasons += [f"the wire: {wire}"] * (wire not in (ANSWERS, NO_WIRE))
        return Health("not ready" if reasons else "ready", store, wire, self._lasting(), (*reasons,))

    def _lasting(self) -> str:
        """What a commit survives, and a message where that is reduced."""
        of_wire = self._spread.durability
        is_reduced = of_wire.startswith(REDUCED)
        return f"{of_wire} (the wire); {self._durability} (the store)" if is_reduced else self._durability

    async def _ask_store(self) -> None:
        self._durability = await self._turns.reading.look(_read)


def _read(records: Records, _: AsOf) -> str:
    records.head()
    return records.durability()
