"""A real PgBouncer in transaction mode before the tests' server, on a socket; a test is skipped, aloud, without one.

The program comes with the system (``apt-get install pgbouncer``), as no package of Python has it.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.postgres import ending_with_us, own_by_server

BOUND_S = 30
PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
PORT = 6432
RUNNING = '"$1" -q "$2/ini" & read _; kill -9 $!; rm -rf "$2"'
SETTINGS = """
[databases]
* = host={server} user=postgres
[pgbouncer]
unix_socket_dir = {folder}
listen_addr =
listen_port = {port}
logfile = {folder}/log
auth_type = any
pool_mode = transaction
default_pool_size = {size}
server_login_retry = 1
"""


@contextmanager
def pooler(server: str, size: int = 5) -> Iterator[str]:
    """Run a pooler, and give what to connect with.

    Args:
        server: what to connect with to the server behind it.
        size: how many connections to that it has.
    """
    if PROGRAM is None:
        pytest.skip("no PgBouncer: the program is not there; `apt-get install pgbouncer` brings it")
    with tempfile.TemporaryDirectory(prefix="amends-pool-", dir="/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        own_by_server(folder)
        behind = server.split(maxsplit=1)[0].removeprefix("host=")
        (folder / "ini").write_text(SETTINGS.format(server=behind, folder=folder, port=PORT, size=size), "utf-8")
        (folder / "ini").chmod(0o644)
        with ending_with_us(RUNNING, PROGRAM, folder):
            yield _ready(f"host={folder} port={PORT} user=postgres dbname=postgres")


def pooled(conninfo: str, schema: str, **more: str) -> str:
    """Return the URL of a schema by way of a pooler."""
    folder = conninfo.split(maxsplit=1)[0].removeprefix("host=")
    rest = "".join(f"&{name}={value}" for name, value in more.items())
    return f"postgresql://postgres@:{PORT}/postgres?host={folder}&schema={schema}{rest}"


def _ready(conninfo: str) -> str:
    until = time.monotonic() + BOUND_S
    while True:
        try:
            psycopg.connect(conninfo).close()
        except psycopg.OperationalError:
            assert time.monotonic() < until, "the pooler does not answer"
            time.sleep(0.05)
        else:
            return conninfo
