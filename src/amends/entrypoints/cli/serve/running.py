"""Running the HTTP API: a client of a store, an engine beside it where none runs, and a server in front."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from litestar import Litestar
from uvicorn import Config, Server

from amends.alarms.settings import AlarmSettings
from amends.bootstrap import Opening, connect
from amends.entrypoints.cli.alarms.watching import alarm_watch
from amends.entrypoints.cli.keys.command import keys_path
from amends.entrypoints.cli.logs import set_up_log
from amends.entrypoints.cli.serve.listener import BoundedHead
from amends.entrypoints.cli.serve.offering import Offering, demo_offering, offering_of, stock_demo
from amends.entrypoints.cli.settings import ServeSettings, Settings
from amends.entrypoints.cli.worker.serving import EndSignal
from amends.entrypoints.http.access.gate import Access, is_loopback
from amends.entrypoints.http.access.keys import KeyFile
from amends.entrypoints.http.app import application
from amends.entrypoints.http.scopes import GRANTED
from amends.errors import StoreInUse, UnusableInput
from amends.storage.location import LastingLocation

if TYPE_CHECKING:
    from amends.engine.engine import Engine

DONE, STOPPED = 0, 1
HEADERS_BYTES_MAX: Final = 16 * 1024  # docs/serve.md, "Limits"
CONNECTIONS_MAX: Final = 1000  # at a time, above which it answers 503 at once: some 100 MB
BACKLOG: Final = 2048  # connections that wait for the server, as uvicorn has it
GRACE_S: Final = 10  # for requests under way, once it is told to end
SECRET_BYTES_MIN: Final = 24  # as Standard Webhooks has it: what no search finds
FIRST: Final = "first key"


def run_server(settings: Settings, *, is_demo: bool, is_open: bool) -> int:
    """Serve until the process is told to end; the exit code.

    Args:
        settings: what is served, and where.
        is_demo: whether it serves the order shop with slow payments and shipments, on a file of its own.
        is_open: whether any program of this machine may do everything.

    Raises:
        UnusableInput: there is no such code or store, or the address cannot be had.
    """
    set_up_log(settings.log)
    wanted = settings.serve
    with ExitStack() as ends:
        if is_demo:
            folder = ends.enter_context(TemporaryDirectory(prefix="amends-demo-"))
            offering = demo_offering(wanted.db or str(Path(folder) / "shop.db"))
        else:
            offering = offering_of(wanted.code, wanted.db, wanted.engine)
        access = _access(offering.at, wanted, is_open=is_open or is_demo)
        listening = ends.enter_context(_listening(wanted.host, wanted.port))
        return asyncio.run(_served(offering, listening, access, settings.alarms, is_demo=is_demo))


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen at an address.

    Raises:
        UnusableInput: it cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise UnusableInput(f"{host}:{port} cannot be listened at: {error.strerror or error}") from error
    with listening:
        yield listening


def _access(at: LastingLocation, wanted: ServeSettings, *, is_open: bool) -> Access:
    """Who may call. Where there is no key yet, the first one is made, and shown once.

    Raises:
        UnusableInput: it is to be open to other machines; or it is not known where the keys are.
    """
    if is_open:
        if not is_loopback(wanted.host):
            raise UnusableInput(
                f"--open and --demo are for this machine alone, and {wanted.host} is reached from others"
            )
        return Access(is_open=True, webhooks=_secrets(wanted.webhooks))
    keys = KeyFile(keys_path(at, wanted.keys))
    if not keys.listed():
        _, shown = keys.add(FIRST, sorted(GRANTED))
        sys.stdout.write(f"amends: the first key, which is shown once, and is for everything: {shown}\n")
    return Access(keys=keys, webhooks=_secrets(wanted.webhooks))


def _secrets(files: Mapping[str, str]) -> Mapping[str, bytes]:
    """What services sign their answers with.

    Raises:
        UnusableInput: a file cannot be read, or has less than a secret.
    """
    found = dict[str, bytes]()
    for service, file in files.items():
        try:
            secret = Path(file).read_bytes().strip()
        except OSError as error:
            raise UnusableInput(f"the secret of {service} in {file} cannot be read: {error.strerror}") from error
        if len(secret) < SECRET_BYTES_MIN:
            raise UnusableInput(f"the secret of {service} in {file} has {len(secret)} bytes: give {SECRET_BYTES_MIN}")
        found[service] = secret
    return found


async def _served(
    offering: Offering, listening: socket.socket, access: Access, alarms: AlarmSettings, *, is_demo: bool
) -> int:
    at, given, opening, shop = offering.at, offering.given, offering.opening, offering.shop
    async with AsyncExitStack() as ends:
        engine = await _engine(opening, ends) if opening else None
        client = await ends.enter_async_context(connect(at.url, sagas=given.sagas))
        await client.list(limit=1)  # a store that cannot be read is told now, and not to the first caller
        if is_demo:
            await stock_demo(client)
        served = application(client, access, shop, own_metrics=engine.metrics if engine else str)
        watch = alarm_watch(at, alarms, client)
        server = _server(served)
        _introduce(at, listening, has_engine=engine is not None)
        told = EndSignal()
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        watching = asyncio.create_task(watch.run(), name="amends-watch")
        stopping = asyncio.create_task(engine.stopped()) if engine else serving
        await told.or_done(stopping)
        watching.cancel()
        served.state.health.is_ending = True
        served.state.live.close()
        server.should_exit = True
        await serving
        if engine is None or not stopping.done():
            stopping.cancel()
            return DONE
        sys.stderr.write(f"amends: {stopping.result()}\n")
        return STOPPED


async def _engine(opening: Opening, ends: AsyncExitStack) -> Engine | None:
    """The engine, opened; ``None`` where another one took the file meanwhile."""
    try:
        return await ends.enter_async_context(opening)
    except StoreInUse:
        return None


def _introduce(at: LastingLocation, listening: socket.socket, *, has_engine: bool) -> None:
    host, port = listening.getsockname()[:2]
    where = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    who = "an engine runs here" if has_engine else "no engine runs here"
    sys.stdout.write(f"amends: {at.shown} is served on {where}, {who}, process {os.getpid()}\n")
    sys.stdout.flush()


def _server(served: Litestar) -> Server:
    class ToldServer(Server):
        """A server that leaves signals alone: it would end the process by the one that it was told to end by."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = Config(
        served, http=BoundedHead, ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, h11_max_incomplete_event_size=HEADERS_BYTES_MAX, limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=GRACE_S, proxy_headers=False,
    )  # fmt: skip
    return ToldServer(config)
