"""Restate: a handler of four ``ctx.run``, on a server of its own, its log synced to disk (which is its default).

The server is the program of the npm package, run directly; it, the handlers and this driver are three processes on
loopback, on ports that were free. Whatever was started here is stopped by its process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any, Final, NamedTuple

import aiohttp  # type: ignore[import-not-found] # only in the peers' own environment

from bench.peers.driving import STEPS, Asked, answer, asked, drive
from bench.peers.environment import RESTATE_SERVER

ATTEMPTS: Final = 150
PAUSE_S: Final = 0.2
STOP_WITHIN_S: Final = 10.0
LOOPBACK: Final = "127.0.0.1"
ENDED: Final = "SELECT count(*) AS n FROM sys_invocation WHERE completion_result = 'success'"
RESULTS: Final = "SELECT count(*) AS n FROM sys_journal WHERE entry_type = 'Notification: Run'"


class Ports(NamedTuple):
    """Where each part listens."""

    ingress: int
    admin: int
    node: int
    handlers: int


def free_ports() -> Ports:
    """Ports that nobody listens on."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_server((LOOPBACK, 0))) for _ in Ports._fields]
        return Ports(*(one.getsockname()[1] for one in held))


def settings(ports: Ports, wanted: Asked) -> dict[str, str]:
    """The server's settings: loopback, no telemetry, and nothing that weakens its log."""
    return {
        "RESTATE_BIND_IP": LOOPBACK,
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_BIND_PORT": str(ports.node),
        "RESTATE_INGRESS__BIND_PORT": str(ports.ingress),
        "RESTATE_ADMIN__BIND_PORT": str(ports.admin),
        "RESTATE_ADMIN__DISABLE_WEB_UI": "true",
        "RESTATE_BASE_DIR": str(wanted.directory / "restate"),
        "RESTATE_NODE_NAME": "one",
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "error",
        "RESTATE_DEFAULT_NUM_PARTITIONS": str(wanted.partitions),
    }


def said(environment: dict[str, str], option: str) -> str:
    """What the server says of itself."""
    command = [environment[RESTATE_SERVER], option]
    return subprocess.check_output(command, env=environment, text=True, timeout=30)


def log_is_synced(environment: dict[str, str]) -> bool:
    """Whether the server, as it will be started, writes its log to disk and syncs it."""
    local = tomllib.loads(said(environment, "--dump-config"))["bifrost"]["local"]
    return not local["rocksdb-disable-wal"] and not local["rocksdb-disable-wal-fsync"]


@contextmanager
def running(command: list[str], environment: dict[str, str], log: IO[str]) -> Iterator[None]:
    """A process of our own, stopped at the end."""
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


async def registered(http: Any, ports: Ports) -> None:  # noqa: ANN401 - a session of aiohttp
    """Tell the server of the handlers, as soon as both are up."""
    for _ in range(ATTEMPTS):
        try:
            where = {"uri": f"http://{LOOPBACK}:{ports.handlers}"}
            async with http.post(f"http://{LOOPBACK}:{ports.admin}/deployments", json=where) as reply:
                if reply.ok:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(PAUSE_S)
    raise TimeoutError("Restate did not start")


async def look(http: Any, ports: Ports, sagas: int) -> None:  # noqa: ANN401 - a session of aiohttp
    """Every saga ended well, with the result of every step in the journal that the server keeps."""
    where, header = f"http://{LOOPBACK}:{ports.admin}/query", {"accept": "application/json"}
    for query, expected in ((ENDED, sagas), (RESULTS, sagas * len(STEPS))):
        async with http.post(where, json={"query": query}, headers=header) as reply:
            found = (await reply.json())["rows"]
        assert found == [{"n": expected}], (query, found)


async def measure(ports: Ports, wanted: Asked, version: str) -> None:
    """Run the sagas, look at what is left, and answer."""
    handler = f"http://{LOOPBACK}:{ports.ingress}/Saga/saga"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:

        async def saga(number: int) -> None:
            async with http.post(handler, json=number) as reply:
                assert await reply.json() == number, reply.status

        await registered(http, ports)
        await drive(saga, wanted.warm_up, wanted.concurrency)
        driven = await drive(saga, wanted.measured, wanted.concurrency)
        await look(http, ports, len(wanted.all))
    answer(driven, wanted, version)


def main() -> None:
    """Start the server and the handlers, and measure."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    wanted, ports = asked("steps"), free_ports()
    environment = {**os.environ, **settings(ports, wanted)}
    assert log_is_synced(environment)
    version = said(environment, "--version").split()[-1]
    handlers = [sys.executable, "-m", "hypercorn", "bench.peers.restate_service:app", "--log-level", "error"]
    handlers += ["--bind", f"{LOOPBACK}:{ports.handlers}"]
    with (
        (wanted.directory / "restate.log").open("w") as log,
        running([environment[RESTATE_SERVER], "--no-logo"], environment, log),
        running(handlers, dict(os.environ), log),
    ):
        asyncio.run(measure(ports, wanted, version))


if __name__ == "__main__":
    main()
