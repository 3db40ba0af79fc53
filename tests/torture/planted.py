"""Bugs that the torture has to find: what an engine or its storage could do wrong, done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from amends.core.messages import Answered, Input, Kind, Refused, TimedOut
from amends.core.step import SagaInstance
from amends.engine import committed
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import InFlight, Outgoing, RunOut
from amends.storage.ports import Store
from amends.storage.rows import Changes
from tests.torture import boundaries, kill, power
from tests.torture.boundaries import InMemory
from tests.torture.broken import BrokenPromise, demand
from tests.torture.child import Child, Life
from tests.torture.journal import Journal
from tests.torture.points import PROBES, PointedStore
from tests.torture.power import Watched

CUTS_MAX: Final = 400
KILLS_MAX: Final = 100
KILLS_MAX_AT_PROBES: Final = 400  # three in ten of them at a probe, and not every probe would have found something

Say = Callable[[str], None]

# Found by power cuts --------------------------------------------------------------------------------------------------


class NeverSynced(Watched):
    """SQLite that leaves it to the system when something reaches the disk."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._database._connection.execute("PRAGMA synchronous = OFF")


class SyncedAtCheckpoints(Watched):
    """SQLite as many set it: a commit is on the disk at the next checkpoint."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._database._connection.execute("PRAGMA synchronous = NORMAL")


class WithoutKeys(Watched):
    """What a client key stands for is not in the transaction."""

    def commit(self, changes: Changes) -> None:
        """Commit the rest."""
        super().commit(changes._replace(keys=()))


class WithoutEntities(Watched):
    """Entities are written behind their sagas, in a transaction of their own, which a crash may prevent."""

    def commit(self, changes: Changes) -> None:
        """Commit twice."""
        super().commit(changes._replace(entities=()))
        with self._database.transaction():
            self._write_entities(changes.entities)


class Forgetful(Watched):
    """Nobody asks which sagas wait."""

    def due(self, *_: Any) -> list[tuple[int, str]]:
        """Find none."""
        return []


STORES: Final = (NeverSynced, SyncedAtCheckpoints, WithoutKeys, WithoutEntities, Forgetful)

# Found by crashes at boundaries ---------------------------------------------------------------------------------------


class SendsFirst(Coordinator):
    """Asks participants what it has not committed yet.

    Attributes:
        serve: how they are asked.
    """

    serve: Callable[[Outgoing], object]

    def __init__(self, store: Store, *given: Any, **named: Any) -> None:
        super().__init__(store, *given, **named)
        commit = store.commit

        def sends_first(changes: Changes) -> None:
            for row in changes.sagas:
                run = self.definitions.by_name[row.definition].run_of(row)
                for send in run.requests():
                    step = run.saga.step(send.request.step)
                    if not step.is_local:
                        type(self).serve((step, send))
            commit(changes)

        store.commit = sends_first  # type: ignore[method-assign]  # the bug


class Hasty(InMemory):
    """A world whose engine sends first."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, 1, SendsFirst)
        SendsFirst.serve = self.outer.serve


# Found by kills -------------------------------------------------------------------------------------------------------


class WrittenBehind(PointedStore):
    """A commit comes back before it is written: it is, when somebody looks, or before the next one."""

    def __init__(self, *given: Any) -> None:
        self._behind: Changes | None = None
        super().__init__(*given)
        for name in ("saga", "sagas", "entity", "entity_rows", "keys", "head"):
            setattr(self, name, self._after(getattr(self, name)))

    def commit(self, changes: Changes) -> None:
        """Commit the one before."""
        self._write_behind()
        self._behind = changes

    def close(self) -> None:
        """Commit the last one, and close."""
        self._write_behind()
        super().close()

    def _after(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def reading(*given: Any) -> Any:
            self._write_behind()
            return read(*given)

        return reading

    def _write_behind(self) -> None:
        changes, self._behind = self._behind, None
        if changes is not None:
            super().commit(changes)


class ChildOfWrittenBehind(Child):
    """See `WrittenBehind`."""

    store_class = WrittenBehind


def written_behind(life: Life, journal: Journal, pipe: int) -> None:
    """Be a child whose store is `WrittenBehind`."""
    asyncio.run(ChildOfWrittenBehind(life, journal, pipe).live())


class SilenceIsNo(InFlight):
    """A probe whose time came while a process before this one was there, and that nobody answered, found nothing."""

    def settling(self, run: SagaInstance) -> SagaInstance:
        """Hold no probe back, so that it counts as lost."""
        return run

    def run_out(self, run: SagaInstance, now_ms: int) -> RunOut:
        """Take what is lost of probes for a no."""
        found = super().run_out(run, now_ms)
        return found._replace(lost=[_refused(said) for said in found.lost])


def _refused(said: Input) -> Input:
    if isinstance(said, TimedOut) and said.kind is Kind.PROBE:
        return Answered(said.step, said.kind, Refused("nobody answered"), said.attempt)
    return said


def silence_is_no(life: Life, journal: Journal, pipe: int) -> None:
    """Be a child whose engine has `SilenceIsNo`."""
    committed.InFlight = SilenceIsNo  # type: ignore[attr-defined]  # in this process alone
    kill.live(life, journal, pipe)


# Finding them ---------------------------------------------------------------------------------------------------------


def found_by_cuts(folder: Path, store: type[Watched]) -> str:
    """Cut the power until a store's bug is found; how it shows."""
    return _found(store.__name__, lambda: power.run(folder, 1, CUTS_MAX, _quietly, store))


def found_at_boundaries(folder: Path) -> str:
    """Crash at boundaries until `SendsFirst` is found; how it shows."""
    return _found(SendsFirst.__name__, lambda: boundaries.run("", Hasty, folder, 1, 0, _quietly))


def found_by_kills(folder: Path, seed: int) -> str:
    """Kill until `WrittenBehind` is found; how it shows."""
    return _found(WrittenBehind.__name__, lambda: kill.run(folder, seed, KILLS_MAX, 10, 0, _quietly, written_behind))


def found_at_probes(folder: Path, seed: int) -> str:
    """Kill around probes until `SilenceIsNo` is found; how it shows."""

    def look() -> None:
        kill.run(folder, seed, KILLS_MAX_AT_PROBES, 10, 0, _quietly, silence_is_no, PROBES)

    return _found(SilenceIsNo.__name__, look)


def run(folder: Path, seed: int, say: Say) -> list[str]:
    """Find all of them.

    Raises:
        BrokenPromise: one was not found.
    """
    shown = [found_by_cuts(folder, store) for store in STORES]
    shown += [found_at_boundaries(folder), found_by_kills(folder / "kills", seed)]
    shown += [found_at_probes(folder / "probes", seed)]
    say(f"{len(shown)} planted bugs found")
    return shown


def _found(name: str, look: Callable[[], object]) -> str:
    try:
        look()
    except BrokenPromise as error:
        return f"{name}: {error}"
    demand(False, f"{name}: nobody found it")
    return ""


def _quietly(line: str) -> None:
    """Nobody wants to know how far it is."""
