"""What the engine needs of the world around it. Each method's promise is its docstring, and tests/contract holds it.

Adapters are in `amends.adapters`; `amends.bootstrap` chooses them.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from amends.errors import RequestRefused
from amends.storage.budgets import BudgetGrant, BudgetShare
from amends.storage.rows import (
    FINAL,
    Block,
    Changes,
    EntityRow,
    Head,
    KeyRow,
    Lease,
    Letter,
    SagaRow,
    ShapeRow,
    Unreadable,
)
from amends.storage.shards import ALL_SHARDS
from amends.storage.working import WorkReader

ALL: Final = 2**62  # more rows than a store can have
LETTERS_MAX: Final = 100_000
"""Letters that start sagas, of which a mailbox takes no more: less than a minute's work of one engine (docs/speed.md),
and some 100 MB."""
WORRIED_AFTER_MS: Final = 300_000
"""By default five minutes: longer than a deploy, or a failover of a participant."""
REDUCED: Final = "reduced: "
"""How a durability begins that is less than was asked for (P15)."""


class Clock(Protocol):
    """The time that is written into rows and records."""

    def now_ms(self) -> int:
        """Milliseconds since 1970 (UTC). Never less than it said before, also when the machine's clock is set back."""


class EngineClock(Clock, Protocol):
    """The clock of an engine's machine."""

    def elapsed_ms(self) -> int:
        """Milliseconds since some moment, those in which the machine was suspended among them."""


class SagaFilter(NamedTuple):
    """Which sagas to list.

    Attributes:
        statuses: of these statuses; any when empty.
        definition: of the definition of this name; any when empty.
        started_before_ms: started before that; ``None`` for any.
        limit: at most so many, >= 1; `ALL` for every one.
        after: behind the saga of this id in the listing: a page goes on where the one before it ended, also when
            sagas were started meanwhile; from the first one on when empty.
    """

    statuses: Collection[str] = ()
    definition: str = ""
    started_before_ms: int | None = None
    limit: int = 100
    after: str = ""


def nothing_after(saga_id: str) -> RequestRefused:
    """The error for a listing that is to go on after a saga which is not there."""
    return RequestRefused(
        f"no saga {saga_id!r:.200} is there to go on after: it left for an archive, or never was there"
    )


def unfinished(counts: Mapping[tuple[str, str], int], known: Container[str]) -> dict[str, int]:
    """The definitions, but for some that are known, of sagas that are not final, with how many there are.

    Args:
        counts: see `amends.storage.ports.Records.counts`.
        known: those that are left out.
    """
    found: dict[str, int] = {}
    for (definition, status), sagas in counts.items():
        if status not in FINAL and definition not in known:
            found[definition] = found.get(definition, 0) + sagas
    return found


class Records(Protocol):
    """What may be read of a store from any process, also while an engine writes to it."""

    def saga(self, saga_id: str) -> SagaRow | Unreadable | None:
        """One saga; ``None`` when there is none."""

    def sagas(self, saga_ids: Collection[str]) -> Mapping[str, SagaRow | Unreadable]:
        """These sagas; those that do not exist are left out."""

    def entity(self, service: str, entity_id: str) -> EntityRow | Unreadable | None:
        """One entity; ``None`` when there is none."""

    def key(self, key: str) -> KeyRow | Unreadable | None:
        """What a client key stands for; ``None`` when it is new."""

    def entities(self, service: str, first: str = "") -> Iterator[EntityRow | Unreadable]:
        """The entities of a service, also those that no longer exist, read as they are asked for.

        Args:
            service: the participant.
            first: from this id on, in the order of their ids' UTF-8.
        """

    def shapes(self) -> Sequence[ShapeRow]:
        """As what requests and entities are stored; of one kind and name in the order of their times.

        Raises:
            StoreFailed: one is not what was written.
        """

    def all_entities(self) -> Iterator[EntityRow | Unreadable]:
        """The entities of every service, those that no longer exist among them, read as they are asked for."""

    def all_keys(self) -> Iterator[KeyRow | Unreadable]:
        """Every client key, read as they are asked for."""

    def listing(self, wanted: SagaFilter) -> Iterator[SagaRow | Unreadable]:
        """The sagas that are wanted, the one that was committed last for the first time first.

        Raises:
            RequestRefused: the saga that they are to come after is not there.
        """

    def counts(self) -> Mapping[tuple[str, str], int]:
        """(definition, status) to how many sagas, without those of 0; at a cost that does not grow with them."""

    def oldest_waiting_ms(self) -> int | None:
        """When the oldest saga that is not final was started; ``None`` when all are final."""

    def set_aside(self) -> Sequence[Unreadable]:
        """The rows that were found to be unreadable, each once, in the order in which they were found."""

    def chains(self) -> Sequence[str]:
        """The names of the audit's chains that have a block, in their order; of a store with one owner ``""``."""

    def block_numbers(self, before_ms: int | None = None) -> Mapping[str, int]:
        """Each chain of the audit to the number of its last block, all of them at one moment.

        So they are a whole: of each record up to there, those before it of its saga are up to there, in any chain.

        Args:
            before_ms: of the blocks before this time alone, milliseconds since 1970 (UTC); ``None`` for all. A chain
                without one is left out.
        """

    def head(self, chain: str = "") -> Head:
        """The head of a chain of the audit: number, hash and time of its last block."""

    def blocks(self, after: int = 0, chain: str = "") -> Iterator[Block]:
        """The blocks of a chain after a number, in order, read as they are asked for.

        Their `Block.subjects` is empty. Of one that is not what was written, so is `Block.head`.
        """

    def blocks_about(self, subject: str) -> Iterator[Block]:
        """The blocks of every chain that hold a record of a subject, in the order of their times.

        The clocks of two engines differ: records of one saga are told apart by their numbers.
        """

    def letters(self, shards: Collection[int], limit: int) -> Sequence[Letter]:
        """The letters to some shards that are part of the store, in their order: those of commits are, and may others.

        Args:
            shards: of these alone.
            limit: at most so many, >= 1.
        """

    def durability(self) -> str:
        """What a commit survives, in a few words: ``full``, or ``reduced: `` or ``none: `` and why."""

    def warning(self) -> str:
        """What the engine that opened the store last said is wrong with it, in words; empty for nothing."""

    def worried_after_ms(self) -> int:
        """For how long a step has failed that counts as failing, as the engine said last; milliseconds."""

    def due(
        self,
        definitions: Iterable[str],
        until_ms: int,
        limit: int,
        after: tuple[int, str] = (0, ""),
        shards: Collection[int] = ALL_SHARDS,
    ) -> list[tuple[int, str]]:
        """Which sagas move by themselves next.

        Args:
            definitions: of these definitions alone.
            until_ms: due by then, that moment included.
            limit: at most so many, >= 1.
            after: (due time, saga id) of the last one of the page before.
            shards: of these shards alone.

        Returns:
            (due time, saga id), the one that is due first first; of equal times in the order of their ids.
        """


class Reader(Records, Protocol):
    """What is stored, as one thread at a time reads it while an engine writes to it."""

    def close(self) -> None:
        """Give everything back. A second call does nothing."""


class Store(Records, Protocol):
    """Where an engine keeps everything. It is used by one thread at a time.

    Where several engines write to one database, each has a store of its own, which is its connection to it. Each turn
    of an engine reads with `sagas`, `keys` and `entity_rows`, and ends with `commit` or `abandon`: between these, no
    other engine changes what was read. Nothing else locks anything.
    """

    @property
    def is_shared(self) -> bool:
        """Whether other engines may write to it: then nothing that an earlier turn read is to be trusted."""

    @property
    def ownership(self) -> Ownership:
        """Which engine moves which sagas of it."""

    @property
    def mailbox(self) -> Mailbox:
        """The letters to its engines."""

    @property
    def wakeup(self) -> Wakeup:
        """Tells its engine of a letter, and the clients what became of theirs."""

    def sagas(self, saga_ids: Collection[str]) -> Mapping[str, SagaRow | Unreadable]:
        """These sagas; those that do not exist are left out. In a shared store, they are locked until the turn ends.

        Raises:
            StoreConflict: another engine has locked one for too long. The turn is over, and holds no lock.
        """

    def keys(self, keys: Collection[str]) -> dict[str, KeyRow | Unreadable]:
        """What these client keys stand for; those that are new are left out. Locked as `sagas` are.

        Raises:
            StoreConflict: as `sagas`.
        """

    def entity_rows(self, names: Collection[tuple[str, str]]) -> dict[tuple[str, str], EntityRow | Unreadable]:
        """These entities, named by service and id; those that do not exist are left out. Locked as `sagas` are.

        Raises:
            StoreConflict: as `sagas`.
        """

    def abandon(self) -> None:
        """End the turn without a commit: what it locked is free. Where nothing is locked, it does nothing."""

    def commit(self, changes: Changes) -> None:
        """Write all of it, or nothing, and end the turn.

        Once it returns, all of it is on stable storage, and the next read sees it. The next number of the engine's
        chain is the fence: where another engine has ended the chain, nothing can be committed into it any more.

        Raises:
            StoreConflict: a row, a key or a block is not what the changes were decided on; a shard that they move is
                another engine's; or a chain that they end has another head, or a lease that did not run out. Nothing
                is written.
            LeaseLost: the chain was ended by another engine, or was left, or never entered. Nothing is written.
            StoreTooBig: it is more at once than the store takes. Nothing is written; parts of it may be.
            StoreFull: there is no space. Nothing is written; it may be tried again.
            StoreBusy: another program keeps the file locked. Nothing is written; it may be tried again.
            StoreFailed: the storage failed, and whether it is written is not known: `head` of a store that is opened
                anew tells. This store is not to be used any more.
        """

    def reader(self) -> Reader:
        """What is stored, to be read beside the turns, from another thread.

        Raises:
            StoreUnusable: the system gives nothing to read it with.
        """

    def worry_after(self, worried_after_ms: int) -> None:
        """Keep in the store for how long a step has failed that counts as failing, for people who look at it."""

    def warn(self, of: str) -> None:
        """Keep in the store what is wrong with the engine, for `amends status`; empty for nothing, as after an opening.

        Raises:
            StoreFull, StoreBusy, StoreFailed: as `commit`.
        """

    def close(self) -> None:
        """Give everything back. A second call does nothing."""


class Ownership(Protocol):
    """Which engine moves which sagas. An engine has *shards* of them, as long as it renews its *lease*.

    All times are the store's, so that clocks of engines may differ. What ends an engine's ownership against its will
    is `Changes.fences`: there the fence, the move of the shards and the end of the lease are one commit of the taker.
    """

    def now_ms(self) -> int:
        """The store's time, in milliseconds since 1970 (UTC)."""

    def enter(self, engine: str, lease_ms: int, knows: Collection[str] = ()) -> Lease:
        """Begin a lease. Where only one engine can be, it gets every shard, and the lease does not run out.

        Args:
            engine: a name that no engine has had, not even this one in a former life: its chain is called so.
            lease_ms: for how long from now, milliseconds, >= 1.
            knows: the definitions that it was given, as ``name/version/fingerprint``: other engines are told, for as
                long as the lease lasts.

        Returns:
            The lease, with the name of the chain that the engine is to write into.

        Raises:
            StoreInUse: there is an engine of that name, or was one.
        """

    def renew(self, engine: str, lease_ms: int) -> Lease:
        """Prolong a lease to so many milliseconds from now. One that ran out, and that no engine ended, goes on.

        Raises:
            LeaseLost: it was ended by another engine, or left, or never begun.
        """

    def leave(self, engine: str) -> None:
        """End an own lease. The engine's shards are free, and nothing can be committed into its chain any more."""

    def leases(self) -> Sequence[Lease]:
        """The leases of all engines, those that ran out among them, in the order of the engines' names.

        Each says what its engine knows; those of a version of Amends that does not tell know nothing.
        """

    def definitions_in(self, shards: Collection[int], besides: Collection[str]) -> Mapping[int, Collection[str]]:
        """Which definitions sagas have that are not final, shard by shard.

        Args:
            shards: of these alone; one without such a saga is left out.
            besides: without those of these definitions.

        Returns:
            For each shard the definitions; nothing in a store with one owner, which gives no shard away.
        """

    def owners(self) -> Mapping[int, str]:
        """Each shard to the engine that has it, also where its lease ran out; those that are free are left out."""

    def claim(self, engine: str, shards: Collection[int]) -> Sequence[int]:
        """Take free shards. Of several engines that claim one, one gets it.

        Args:
            engine: whose they are to be.
            shards: those that it wants; of these it gets those that are free.

        Returns:
            Those that it got, in their order.

        Raises:
            LeaseLost: the engine has no lease.
        """

    def share_places(self, engine: str, asks: Sequence[BudgetShare]) -> Sequence[BudgetGrant]:
        """Ask for places of some budgets; see `amends.storage.budgets.granted`.

        What an engine has of a budget ends with its lease, and not when that runs out: until another engine ends it,
        calls may be under way. Where only one engine can be, it gets all of them.

        Args:
            engine: whose they are to be.
            asks: of each budget what it keeps of what it has, and counts on until this returns; and what it needs.

        Returns:
            For each what it may have.

        Raises:
            LeaseLost: the engine has no lease.
            StoreConflict, StoreBusy, StoreFull: ask again. What was granted, if that came to pass, is given back then.
        """


class Mailbox(Protocol):
    """Letters to the owners of sagas, from any process; they are kept until an owner has acted on them.

    That of an engine's store has those, too, that commits wrote (`Changes.posted`).
    """

    def post(self, letters: Sequence[Letter]) -> None:
        """Write letters, all or none; on stable storage once it returns. A letter whose id is there stays as it is.

        Raises:
            Overloaded: there would be more starts than the mailbox takes, and not few of their definition; or more
                letters than these and a reserve for answers and verbs (`amends.storage.letters.expect_room`). Those of
                commits may count.
            StoreFull, StoreBusy, StoreFailed: as `Store.commit`.
        """

    def letters(self, shards: Collection[int], limit: int, starts: int | None = None) -> Sequence[Letter]:
        """The letters to some shards: first answers and verbs, then those that start sagas.

        Each kind (`amends.storage.letters.is_start`) is in the order in which it was posted. A start that was posted
        before one of the answers and verbs is given with it, unless it is removed, or as many are given as are wanted:
        an adapter that reads the kinds one after the other reads the starts last.

        Args:
            shards: of these alone.
            limit: at most so many of each kind, >= 1.
            starts: at most so many that start sagas, >= 1, where that is another number.
        """

    def remove(self, letter_ids: Collection[str]) -> None:
        """Remove letters that were acted on, those that are there; `Changes.letters` of the acting commit may have.

        It waits for no other process: this object does not give them any more, and others may for a while.
        """

    def close(self) -> None:
        """Give everything back. A second call does nothing."""


class Wakeup(Protocol):
    """Wakes the engines and clients of a store when something was written for them.

    It is a convenience, by which less time passes until they look: each looks by itself now and then. It is used in
    the thread of one event loop, and nothing is waited for.
    """

    def listen(self, loop: AbstractEventLoop, heard: Callable[[], None]) -> bool:
        """Be woken from now on. It may be called again, by a client that found no engine before.

        Args:
            loop: the caller's.
            heard: called in the loop, once for one ring or several.

        Returns:
            Whether there is anything to be woken by, as far as is known.
        """

    def ring(self, *, engines: bool = False) -> None:
        """An engine wakes its clients, a client its engines.

        Args:
            engines: whether an engine wakes the other ones, too: its commit wrote letters that may be for them.
        """

    def close(self) -> None:
        """Hear nothing any more. A second call does nothing."""


class ClientRecords(Records, WorkReader, Protocol):
    """What is stored, as a client reads it, and who works at it."""


class ClientStore(Protocol):
    """What a process has of a store in which it runs no engine.

    Its records are read by one thread, its mailbox is used by one, and its wake-up by that of an event loop.
    """

    @property
    def mailbox(self) -> Mailbox:
        """The letters to the engines of the store."""

    @property
    def wakeup(self) -> Wakeup:
        """Tells its engines of a letter, and the client what they did."""

    def records(self) -> ClientRecords:
        """What is stored as it is now: nothing while no engine has made the store.

        Raises:
            StoreUnusable: it is no store that this version can read; one line says why.
        """

    def close(self) -> None:
        """Give back what is read. A second call does nothing."""
