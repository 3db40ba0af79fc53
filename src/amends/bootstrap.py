"""Opening an engine, and connecting a client: the only file that names concrete adapters."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeVar

from amends.adapters.clock import SystemClock, doubt_of
from amends.adapters.memory.location import MemoryLocation
from amends.adapters.memory.wire import memory_wire
from amends.adapters.sqlite.location import SqliteLocation
from amends.client.blocking import BlockingClient
from amends.client.client import Client
from amends.core.definition import Command, Saga, is_duration
from amends.engine.blocking import BlockingEngine
from amends.engine.definitions import Definitions
from amends.engine.engine import Engine
from amends.engine.handle import Result
from amends.engine.health import waiting_for
from amends.engine.hooks import EventHooks
from amends.engine.limits import DRAIN_S, QUEUE_MAX, VALUE_BYTES_MAX, WORRIED_AFTER_S, Limit, Limits, expect_value_bytes
from amends.engine.logger import log
from amends.engine.loop import EngineLoop
from amends.engine.manual_clock import ManualClock
from amends.engine.names import new_name
from amends.engine.relays import NO_RELAYS, Relays
from amends.engine.spread import Spread, taken_parts
from amends.engine.store_wait import StoreWait
from amends.errors import EngineStopped, StoreUnusable, UnusableInput, WireUnusable
from amends.events.publishing import EventPlace
from amends.health.places import HealthPlace, taken_places
from amends.health.teller import HealthTeller
from amends.outbox.relay import OutboxRelay
from amends.storage.codecs.values import shown
from amends.storage.location import MEMORY, SQLITE, LastingLocation, StoreLocation, without_password
from amends.storage.wire import Wire, again_in
from amends.views.trouble import Failing, Stuck

if TYPE_CHECKING:
    from amends.adapters.postgres.event_table import PostgresEventPlace
    from amends.adapters.postgres.wire_location import PostgresWireLocation

FORMS: Final = "sqlite:///path/to/file.db, postgresql://user@host/database, or memory:NAME"
WIRE_FORMS: Final = "postgresql://user@host/database, nats://user@host, memory:NAME"
STORE_WAIT_MAX_S: Final = 3600.0  # an hour: a process that ends takes less, and a longer wait is a mistake of units
ID_LENGTH: Final = 8  # 40 bits for each start: two of 10 000 starts share one with a chance of 1 in 20 000

LEAVE: Final = "leave"
ORPHANS: Final = ("refuse", LEAVE)  # what `open` does where sagas wait that no engine would move
CLIENT_ID_LENGTH: Final = 12
"""60 bits for each client: processes that serve requests start more often than engines do."""

Given = TypeVar("Given")
Where = TypeVar("Where", bound=StoreLocation)


class DeployedCode(NamedTuple):
    """What an engine is opened with, as far as what is stored has to be read by it.

    Attributes:
        sagas: the definitions.
        commands: those that are named.
        upcasts: by service, of entities.
    """

    sagas: Sequence[Saga]
    commands: Sequence[Command]
    upcasts: Mapping[str, Callable[[Any], Any]]


class Opening:
    """An engine about to be opened: ``async with`` gives an `Engine`, ``with`` its blocking twin.

    Attributes:
        url: of its store.
        store_wait_s: how long it waits for the store, in seconds, >= 0; infinite for as long as it takes.
        given: the definitions, commands and upcasters that it is opened with.
        health: where it tells how it does.
    """

    def __init__(
        self,
        make: Callable[[], Engine],
        url: str,
        store_wait_s: float,
        given: DeployedCode,
        health: Sequence[HealthPlace] = (),
    ) -> None:
        self._make = make
        self.url = url
        self.store_wait_s = store_wait_s
        self.given = given
        self.health = health
        self._engines: list[tuple[Engine, ExitStack]] = []  # that are open; `with` ends what the same `with` began
        self._blocking: list[tuple[BlockingEngine, ExitStack]] = []

    def __getattr__(self, name: str) -> Any:
        raise EngineStopped(f"the engine is not open, so that it has no {name!r}: use `async with` or `with`")

    async def __aenter__(self) -> Engine:
        """Open the engine, as `Engine.__aenter__` does."""
        attempt = StoreWait(self.url, self.store_wait_s)
        with ExitStack() as ends:
            teller = ends.enter_context(HealthTeller(self.health))
            while True:
                with attempt:
                    engine = await self._make().__aenter__()
                    teller.watch(engine, asyncio.get_running_loop())
                    self._engines.append((engine, ends.pop_all()))
                    return engine
                teller.tell(waiting_for(attempt.reason))
                await asyncio.sleep(attempt.pause_s)

    async def __aexit__(self, *_: object) -> None:
        """Close the engine, as `Engine.__aexit__` does."""
        if self._engines:
            engine, ends = self._engines.pop()
            with ends:
                await engine.close()

    def __enter__(self) -> BlockingEngine:
        """Open the engine, as `BlockingEngine.__enter__` does."""
        attempt = StoreWait(self.url, self.store_wait_s)
        with ExitStack() as ends:
            teller = ends.enter_context(HealthTeller(self.health))
            while True:
                with attempt:
                    engine = BlockingEngine(self._make()).__enter__()
                    teller.watch(*engine.ask(_with_its_loop))
                    self._blocking.append((engine, ends.pop_all()))
                    return engine
                teller.tell(waiting_for(attempt.reason))
                time.sleep(attempt.pause_s)

    def __exit__(self, *_: object) -> None:
        """Close the engine, as `BlockingEngine.__exit__` does."""
        if self._blocking:
            engine, ends = self._blocking.pop()
            with ends:
                engine.close()


async def _with_its_loop(engine: Engine) -> tuple[Engine, asyncio.AbstractEventLoop]:
    return engine, asyncio.get_running_loop()


class Connecting:
    """A client about to be connected: ``async with`` gives a `Client`, ``with`` its blocking twin."""

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._clients: list[Client] = []  # that are open; `with` ends what the same `with` began
        self._blocking: list[BlockingClient] = []

    def __getattr__(self, name: str) -> Any:
        raise EngineStopped(f"the client is not open, so that it has no {name!r}: use `async with` or `with`")

    async def __aenter__(self) -> Client:
        """Connect, as `Client.__aenter__` does."""
        self._clients.append(await self._make().__aenter__())
        return self._clients[-1]

    async def __aexit__(self, *_: object) -> None:
        """Close the client, as `Client.close` does."""
        if self._clients:
            await self._clients.pop().close()

    def __enter__(self) -> BlockingClient:
        """Connect, as `BlockingClient.__enter__` does."""
        self._blocking.append(BlockingClient(self._make).__enter__())
        return self._blocking[-1]

    def __exit__(self, *_: object) -> None:
        """Close the client, as `BlockingClient.close` does."""
        if self._blocking:
            self._blocking.pop().close()


def open(  # noqa: A001 - it opens, as `amends.open`
    url: str,
    *,
    sagas: Iterable[Saga],
    commands: Iterable[Command] = (),
    clients: Mapping[str, Any] | None = None,
    concurrency: Mapping[str, int | Limit] | None = None,
    queue_max: int = QUEUE_MAX,
    drain_s: float = DRAIN_S,
    store_wait_s: float | None = None,
    value_bytes_max: int = VALUE_BYTES_MAX,
    upcasts: Mapping[str, Callable[[Any], Any]] | None = None,
    orphans: Literal["refuse", "leave"] = "refuse",
    clock: ManualClock | None = None,
    worried_after_s: float = WORRIED_AFTER_S,
    on_end: Callable[[Result], Any] | None = None,
    on_needs_operator: Callable[[Stuck], Any] | None = None,
    on_failing: Callable[[Failing], Any] | None = None,
    outboxes: Mapping[str, Callable[[], Any]] | None = None,
    wire: str | Callable[[], Wire] | None = None,
    elsewhere: Iterable[str] = (),
    hosts: Iterable[str] = (),
    health: str | int | PathLike[str] | Iterable[str | int | PathLike[str]] | None = None,
) -> Opening:
    """Open an engine, to be used as ``async with amends.open(...) as engine``, or with a plain ``with``.

    Args:
        url: ``sqlite:///shop.db`` for a file, ``memory:`` for nothing that lasts, ``memory:NAME`` for what lasts as
            long as the process, and is found by its clients under the name. One engine at a time opens such a store.
            ``postgresql://user@host/database`` for a PostgreSQL, which as many engines open as one likes, and share its
            sagas; ``?schema=shop`` for a schema of its own, ``amends`` by default (docs/postgres.md).
        sagas: the definitions that it runs, every version that may still be under way among them. Sagas of other
            definitions are left to engines that know them, and named in the log; see `orphans`.
        commands: the commands that it executes. Give those whose entities have types that no step's functions tell;
            others need not be named.
        clients: by service, what its participants' functions get first. By default that is ``None`` for all. Give it
            when a function needs a connection or an HTTP client; then it names every service of an external step, with
            ``None`` where there is nothing to give.
        concurrency: by service, how many of its calls run at a time; 64 by default. Lower it for a participant that
            allows fewer, or has fewer connections; raise it for one that is slow and takes more. One in eight is
            kept for compensations and probes, at least one where there are two or more. Give a `Limit` in place of the
            number where the participant counts calls a second, or those of all engines together.
        queue_max: how many requests may wait before `Overloaded` is raised, >= 1: of clients, for the engine; and of
            sagas, for a place at one participant. Lower it where a quick no is better than a long wait; raise it for
            bursts that the memory holds.
        drain_s: for how long the end of the engine waits for calls that are under way. Seconds; 0 for not at all. Raise
            it above a participant's usual time, so that a deploy repeats nothing; lower it where the process is killed
            earlier than that.
        store_wait_s: how long to wait for a store that is not to be had yet, in seconds, 0 to 3600: a file that another
            engine has, a database that is away. By default a file is not waited for, and a database for as long as it
            takes; a line in the log says so. Raise it for a file whose next engine a deploy starts before the last one
            has ended; give a number for a database where a program is to end rather than wait.
        value_bytes_max: how large one request, answer, entity or command's body may be, as JSON in UTF-8. Bytes, 1 to
            268435456 (256 MiB); 16 MiB by default. Lower it where requests come from strangers; raise it only for
            values that really belong together: keep files elsewhere, and their address here.
        upcasts: by service, a pure function from an entity that was stored as another type, its records as dicts by the
            names of their fields, to one of today's (docs/versions.md). Give one when a deploy changes the type in a
            way that would not read the stored ones right; all entities of the service are then rewritten before
            anything else is done.
        orphans: ``refuse`` to open where sagas wait whose definition neither this engine nor another one that runs was
            given; by default, so that a deploy which forgot one is seen at once. Give ``leave`` to open where such
            sagas are to wait as they are: then they are named in the log (docs/versions.md).
        clock: what tells the time; the machine's by default. Give one where a test is to move the time by hand: an
            `amends.testing.ManualClock`.
        worried_after_s: for how long a step has failed, and is tried again and again, before its saga shows as failing.
            Seconds, 0 to 1000000000; 300 by default. Raise it for participants that are away for longer every night;
            lower it where a customer waits.
        on_end: called with the `Result` of each saga that ended. A plain function, in a thread of its own, or a
            coroutine function; hooks are called one after the other, after the commit, at least once for each event
            while the process lives (docs/operators.md). Give one to measure, or to tell a customer.
        on_needs_operator: called with a `Stuck` for each saga that waits for an operator from now on. Give one to page
            an operator.
        on_failing: called with a `Failing` for each step that has failed for longer than `worried_after_s`, also when
            it had before the engine was opened. Give one to page who runs the participant.
        outboxes: by a name of yours, a function that connects to a database in which `amends.outbox` writes letters,
            which the engine fetches (docs/business-row.md). It is called in a thread of its own, and gives a connection
            of the kinds that `amends.outbox.submit` takes, none that is async. Give one for each such database; letters
            that are written with ``schema=`` need none.
        wire: what carries requests to services in processes of their own, and their answers (docs/spread.md):
            ``postgresql://user@host/database`` for a schema of a PostgreSQL, ``amends_wire`` by default, or
            ``memory:NAME`` within this process; or a function that makes a `Wire`. By default there is none, and all is
            here. Give it with `elsewhere` or `hosts`.
        elsewhere: the services that are asked over the wire; none by default. Give those whose entities, or clients,
            are in processes of their own: the definitions stay as they are.
        hosts: the services for which this engine answers what comes over the wire, beside its own sagas; none by
            default. Give those whose entities are in this store, or whose clients are in this process. Any number of
            engines may host one service, on one store.
        health: where it tells how it does (docs/spread.md): a port, or the path of a file, or several of these; nowhere
            by default. Give one where a supervisor starts processes anew, or a load balancer sends them work. ``8080``
            is one of this machine alone, ``"0.0.0.0:8080"`` one that others reach, too.

    Raises:
        UnusableInput: one of these is not what it has to be.
        WireUnusable: the wire's URL names none.
        StoreUnusable: the URL is none of these. Opening the store may raise it too, with one line that says why; and
            `StoreInUse` when another engine has it, `StoreAway` when a database is away.
    """
    location = _at(LOCATIONS, url)
    sagas, commands = _each(sagas, Saga, "sagas"), _each(commands, Command, "commands")
    has_clients = clients is not None
    clients, concurrency = _by_service(clients, "clients"), _by_service(concurrency, "concurrency")
    upcasts = _by_service(upcasts, "upcasts")
    parts = taken_parts(sagas, commands, elsewhere, hosts, has_wire=wire is not None)
    steps = (step for saga in sagas for step in saga.every_step() if step.service not in parts.elsewhere)
    services = sorted({step.service for step in steps if not step.is_local and step.action is not None})
    for name in (*clients, *concurrency):
        if name not in services:
            raise UnusableInput(
                f"{name!r} is no service of an external step; those are: {', '.join(services) or 'none'}"
            )
    if missing := [name for name in services if has_clients and name not in clients]:
        raise UnusableInput(
            f"clients has none for {', '.join(missing)}; name each service, with None where it needs none"
        )
    limits = {name: _limit(name, given) for name, given in concurrency.items()}
    if type(queue_max) is not int or queue_max < 1:
        raise UnusableInput(f"queue_max is {shown(queue_max)}; give a whole number from 1")
    expect_value_bytes(value_bytes_max)
    _check_times(drain_s, store_wait_s, worried_after_s, clock)
    hooks = EventHooks(on_end, on_needs_operator, on_failing)
    _check_hooks(hooks)
    _check_upcasts(upcasts, sagas, commands)
    if orphans not in ORPHANS:
        raise UnusableInput(f"orphans is {shown(orphans)}; give 'refuse' or 'leave'")
    make_relays, make_wire, places = _relays(url, outboxes), _wire(wire), taken_places(health)

    def make() -> Engine:
        prefix = new_name(ID_LENGTH)
        loop = EngineLoop(
            location.for_engine(), clock.begin if clock else _clock, prefix,
            sagas=sagas, commands=commands, clients=clients,
            limits=Limits(limits, queue_max, drain_s, value_bytes_max, worried_after_s), upcasts=upcasts,
            hooks=hooks, leaves_orphans=orphans == LEAVE, relays=make_relays(),
            spread=Spread(make_wire, *parts),
        )  # fmt: skip
        if clock:
            clock.move(loop)
        return Engine(loop)

    wait_s = location.wait_s if store_wait_s is None else store_wait_s
    return Opening(make, without_password(url), wait_s, DeployedCode(sagas, commands, upcasts), places)


def connect(url: str, *, sagas: Iterable[Saga] = (), value_bytes_max: int = VALUE_BYTES_MAX) -> Connecting:
    """Connect a client: it submits sagas, waits for them and tells them, from any process, and runs none itself.

    Use it as ``async with amends.connect(...) as client``, or with a plain ``with``. Whether an engine runs meanwhile
    does not matter: what is asked for waits in the mailbox beside the store until one does.

    Args:
        url: ``sqlite:///shop.db`` for a file: its directory has to be there, the file itself is made by the first
            engine. ``postgresql://user@host/database?schema=shop`` as the engines have it. ``memory:NAME`` for a
            database of this process that an engine was opened on under the same name.
        sagas: the definitions whose sagas it submits, or reads the results of; none by default. Give those for which it
            is asked; none are needed to answer and to tell.
        value_bytes_max: how large one request may be, as JSON in UTF-8. Bytes, 1 to 268435456 (256 MiB); 16 MiB by
            default. Set it to what the engine was opened with.

    Raises:
        UnusableInput: one of these is not what it has to be.
        StoreUnusable: the URL is none of these. Entering may raise it too, with one line that says why.
        DefinitionError: a definition is given twice, or its requests or answers cannot be stored.
    """
    store, definitions = _at(LOCATIONS, url).for_clients(), Definitions(_each(sagas, Saga, "sagas"), ())
    expect_value_bytes(value_bytes_max)
    return Connecting(lambda: Client(store, definitions, new_name(CLIENT_ID_LENGTH), value_bytes_max))


def _wire(wire: Any) -> Callable[[], Wire] | None:
    """What makes an engine's end of a wire."""
    if wire is None or (callable(wire) and not isinstance(wire, str)):
        return wire
    if isinstance(wire, str):
        for scheme, at in WIRES.items():
            if wire.startswith(scheme):
                return at(wire)
    said = shown(without_password(wire) if isinstance(wire, str) else wire)
    raise WireUnusable(f"{said} names no wire; give {WIRE_FORMS}, or a function that makes a Wire")


def _relays(url: str, outboxes: Any) -> Callable[[], Relays]:
    """What makes the relays of an engine."""
    by_name: Mapping[Any, Any] = _mapping(outboxes, "outboxes", "names of yours")
    for name, connect in by_name.items():
        if not (isinstance(name, str) and name and name.isprintable()):
            raise UnusableInput(f"outboxes has {name!r:.100} for a name; give printable text")
        if not callable(connect):
            raise UnusableInput(f"outboxes[{name!r}] is {shown(connect)}; give a function that connects to a database")
    if not by_name:
        return lambda: NO_RELAYS
    store = _at(LOCATIONS, url).for_clients()
    return lambda: Relays({name: OutboxRelay(name, connect, store) for name, connect in by_name.items()})


def _check_times(drain_s: float, store_wait_s: float | None, worried_after_s: float, clock: object) -> None:
    if drain_s != 0 and not is_duration(drain_s):
        raise UnusableInput(f"drain_s is {shown(drain_s)}; give seconds, or 0 to wait for no call")
    is_wait = store_wait_s in (None, 0) or (is_duration(store_wait_s) and store_wait_s <= STORE_WAIT_MAX_S)
    if not is_wait:
        raise UnusableInput(f"store_wait_s is {shown(store_wait_s)}; give seconds, 0 to {STORE_WAIT_MAX_S:g}")
    if worried_after_s != 0 and not is_duration(worried_after_s):
        said = shown(worried_after_s)
        raise UnusableInput(f"worried_after_s is {said}; give seconds, or 0 to worry at the first failure")
    if not isinstance(clock, ManualClock | None):
        raise UnusableInput(f"clock is {shown(clock)}; give an amends.testing.ManualClock, or leave it out")


def _check_hooks(hooks: EventHooks) -> None:
    for name, hook in hooks._asdict().items():
        if hook is not None and not callable(hook):
            raise UnusableInput(f"{name} is {shown(hook)}; give a function, or None")


def _each(given: Any, kind: type[Given], what: str) -> tuple[Given, ...]:
    """The sagas, or the commands."""
    if isinstance(given, kind) or not isinstance(given, Iterable):
        raise UnusableInput(f"{what} is {shown(given)}; give a list of {kind.__name__}")
    every = tuple(given)
    for one in every:
        if not isinstance(one, kind):
            raise UnusableInput(f"{what} has {shown(one)}, which is no {kind.__name__}")
    return every


def _by_service(given: Any, what: str) -> Mapping[str, Any]:
    return _mapping(given, what, "service")


def _mapping(given: Any, what: str, by: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping | None):
        raise UnusableInput(f"{what} is {shown(given)}; give a dict by {by}")
    return given or {}


def _limit(service: str, given: Any) -> Limit:
    """How much is asked of a participant: a number is of calls at a time, for this engine alone."""
    if isinstance(given, Limit):
        return given
    if type(given) is not int or given < 1:
        raise UnusableInput(
            f"concurrency[{service!r}] is {shown(given)}; give a whole number of calls at a time, or an amends.Limit"
        )
    return Limit(given)


def _check_upcasts(upcasts: Mapping[str, Any], sagas: Iterable[Saga], commands: Iterable[Command]) -> None:
    local = {step.service for saga in sagas for step in saga.every_step() if step.is_local}
    kept = sorted(local | {command.service for command in commands})
    for name, upcast in upcasts.items():
        if name not in kept:
            known = ", ".join(kept) or "none"
            raise UnusableInput(f"upcasts: {name!r} is no service whose entities are kept; those are: {known}")
        if not callable(upcast):
            said = shown(upcast)
            raise UnusableInput(f"upcasts[{name!r}] is {said}; give a function from what is stored to an entity")


def _clock(last_ms: int) -> SystemClock:
    """The clock for a store that was written last at a time."""
    clock = SystemClock(last_ms)
    if doubt := doubt_of(last_ms, SystemClock().now_ms()):
        log.warning("%s", doubt)
    return clock


def located(name: str) -> LastingLocation:
    """Where a store is that lasts.

    Args:
        name: its URL, as `open` takes it; or the path of its file.

    Raises:
        StoreUnusable: no such store is called so, or its driver is not installed.
    """
    return _at(LASTING, name if name.startswith((*LOCATIONS,)) else f"{SQLITE}{name}")


def wire_located(url: str) -> PostgresWireLocation:
    """Where a wire is whose schema is made, brought up to date or looked at.

    Raises:
        WireUnusable: no such wire is called so, it has no schema, or its driver is not installed.
    """
    for scheme in POSTGRES:
        if url.startswith(scheme):
            return _postgres_wire(url)
    raise WireUnusable(
        f"{shown(without_password(url))} names no wire with a schema; give postgresql://user@host/database"
    )


def wire_found(url: str) -> Wire:
    """An end of a wire that is there, for who looks at it: none is made.

    Raises:
        WireUnusable: no such wire is called so, or none is there, or its driver is not installed.
    """
    if url.startswith(NATS):
        return _nats_wire(url, is_made=False)()
    if not url.startswith(POSTGRES):
        raise WireUnusable(
            f"{shown(without_password(url))} names no wire; give postgresql://user@host/database or nats://host"
        )
    place = wire_located(url)
    if not place.version():
        raise WireUnusable(f"{place.shown}: there is no wire: `amends db init --wire` makes it, or who comes first")
    return place.wire()


def event_place(url: str) -> EventPlace:
    """Where events go that keeps how far they were read.

    Raises:
        UnusableInput: no such place is called so, or its driver is not installed.
    """
    if not url.startswith(NATS):
        return events_located(url)
    try:
        from amends.adapters.nats import NatsEventPlace  # noqa: PLC0415 - the client may be missing
    except ImportError as error:
        raise StoreUnusable(f"events in NATS need its client, nats-py: install amends[nats] ({error})") from error
    return NatsEventPlace(url)


def events_located(url: str) -> PostgresEventPlace:
    """A table of events.

    Raises:
        StoreUnusable: no table is called so, or its driver is not installed.
    """
    if not url.startswith(POSTGRES):
        raise StoreUnusable(
            f"{shown(without_password(url))} is no place for events: give postgresql://user@host/database, "
            "nats://user@host for `amends publish`, or send them from `amends tail --follow --json`"
        )
    try:
        from amends.adapters.postgres.event_table import PostgresEventPlace  # noqa: PLC0415 - the driver may be missing
    except ImportError as error:
        raise StoreUnusable(
            f"events in PostgreSQL need its driver, psycopg 3: install amends[postgres] ({error})"
        ) from error
    return PostgresEventPlace(url)


def _at(locations: Mapping[str, Callable[[str], Where]], url: str) -> Where:
    if not isinstance(url, str):
        raise StoreUnusable(f"{shown(url)} names no store; give {FORMS}")
    for scheme, at in locations.items():
        if url.startswith(scheme):
            return at(url)
    raise StoreUnusable(f"{shown(without_password(url))} names no store; give {FORMS}")


def _postgres(url: str) -> LastingLocation:
    """A schema of a PostgreSQL, whose driver is an extra."""
    try:
        from amends.adapters.postgres.location import PostgresLocation  # noqa: PLC0415 - the driver may be missing
    except ImportError as error:
        raise StoreUnusable(
            f"a store in PostgreSQL needs its driver, psycopg 3: install amends[postgres] ({error})"
        ) from error
    return PostgresLocation(url)


def _postgres_wire(url: str) -> PostgresWireLocation:
    """A schema of a PostgreSQL that carries messages, whose driver is an extra."""
    try:
        from amends.adapters.postgres.wire_location import PostgresWireLocation  # noqa: PLC0415 - as above
    except ImportError as error:
        raise WireUnusable(
            f"a wire in PostgreSQL needs its driver, psycopg 3: install amends[postgres] ({error})"
        ) from error
    return PostgresWireLocation(url)


def _nats_wire(url: str, *, is_made: bool = True) -> Callable[[], Wire]:
    """A stream of a NATS server, whose client is an extra."""
    try:
        from amends.adapters.nats import NatsWire, nats_address  # noqa: PLC0415 - the client may be missing
    except ImportError as error:
        raise WireUnusable(f"a wire in NATS needs its client, nats-py: install amends[nats] ({error})") from error
    url, again_s = again_in(url)
    return partial(NatsWire, nats_address(url)._replace(is_made=is_made), again_s=again_s)


POSTGRES: Final = ("postgresql://", "postgres://")
NATS: Final = ("nats://", "tls://")
WIRES: Final[Mapping[str, Callable[[str], Callable[[], Wire]]]] = {
    MEMORY: memory_wire, **dict.fromkeys(POSTGRES, lambda url: _postgres_wire(url).wire),
    **dict.fromkeys(NATS, _nats_wire),
}  # fmt: skip
"""How the URL of a wire begins to what makes an engine's end of it: another broker is an adapter, and a line here."""
LASTING: Final[Mapping[str, Callable[[str], LastingLocation]]] = {
    SQLITE: SqliteLocation, **dict.fromkeys(POSTGRES, _postgres),
}  # fmt: skip
LOCATIONS: Final[Mapping[str, Callable[[str], StoreLocation]]] = {MEMORY: MemoryLocation, **LASTING}
"""How a URL begins to what can be done there: another database is an adapter, and a line here."""
