"""A PostgreSQL of the shop's own: its data in a folder, on a socket and no port, a database for each service."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from amends.bootstrap import located, wire_located
from amends.entrypoints.spread.programs import PostgresPrograms, as_server, give_to_server
from amends.entrypoints.spread.tied import once_we_are_gone, release
from amends.errors import UnusableInput
from amends.storage.location import DatabaseRoles

OWNER: Final = "postgres"
SOCKET_LENGTH_MAX: Final = 80  # of its folder's path: with the socket's name, systems take 104 bytes
END_S: Final = 20  # for its last checkpoint
STOP: Final = ("-w", "-t", END_S, "-m", "fast")
DATABASE_SQL: Final = Path(__file__).with_name("database.sql")


class LocalPostgres:
    """The server, its databases, and the roles that may use them."""

    def __init__(self, folder: Path) -> None:
        """Find its programs, and start nothing yet.

        Args:
            folder: for all that it keeps.

        Raises:
            UnusableInput: there are no programs, or the folder's path is too long for a socket.
        """
        self._socket, self._data, self._log = folder / "socket", folder / "data", folder / "log"
        if len(str(self._socket)) > SOCKET_LENGTH_MAX:
            raise UnusableInput(f"{folder}: its path is too long for a socket: name a shorter one, as in /tmp/shop")
        for each in (folder, self._socket, self._data):
            give_to_server(each)
        self._programs = PostgresPrograms(folder / "programs")
        self._watcher: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it takes connections then, and ends with this process, killed or not.

        Raises:
            UnusableInput: it does not start, or runs already.
        """
        if (self._data / "postmaster.pid").exists() and self._succeeds("status"):
            raise UnusableInput(
                f"{self._data}: its server runs already: end the `amends up` that has it, or name another folder"
            )
        if not (self._data / "PG_VERSION").exists():
            self._run("initdb", "-U", OWNER, "-A", "trust", "-E", "UTF8", "--no-locale")
        stop = (self._programs.path_of("pg_ctl"), "-D", self._data, *STOP, "stop")
        self._watcher = once_we_are_gone(stop, cwd="/", **as_server())
        settings = f"-k {self._socket} -c listen_addresses="
        try:
            self._run("pg_ctl", "-w", "-l", self._log, "-o", settings, "start")
        except UnusableInput as error:
            raise UnusableInput(f"{self._data}: the server does not start; see {self._log}: {error}") from error

    def stop(self) -> None:
        """Stop it, with a checkpoint where that takes no longer than `END_S`; nothing where it was not started."""
        if self._watcher is None:
            return
        if not self._succeeds(*STOP, "stop"):
            self._succeeds("-m", "immediate", "stop")  # which fails where it has ended by itself
        release(self._watcher)
        self._watcher.wait()
        self._watcher = None

    def make_store(self, database: str, engine: str, client: str = "") -> None:
        """Have a database with a store that one role, or two, may use, and no other.

        Args:
            database: its name.
            engine: the role of engines.
            client: the role of clients; empty for none.
        """
        self._make_database(database, filter(None, (engine, client)))
        located(self.url(OWNER, database)).migrate(DatabaseRoles(engine, client))

    def make_wire(self, database: str, roles: Iterable[str]) -> None:
        """Have a database with a wire that some roles may use.

        Args:
            database: its name.
            roles: of those who take part.
        """
        for role in roles:
            self._make_database(database, [role])
            wire_located(self.url(OWNER, database)).migrate(DatabaseRoles(role))

    def url(self, role: str, database: str) -> str:
        """What a role connects to a database with."""
        return f"postgresql://{role}@/{database}?host={self._socket}"

    def _make_database(self, database: str, roles: Iterable[str]) -> None:
        for role in roles:
            names = ("-v", f"database={database}", "-v", f"role={role}")
            words = ("-h", self._socket, "-U", OWNER, "-d", "postgres", "-X", "-q", "-v", "ON_ERROR_STOP=1")
            self._programs.run("psql", *words, *names, given=DATABASE_SQL.read_text("utf-8"))

    def _succeeds(self, *words: object) -> bool:
        try:
            self._run("pg_ctl", *words)
        except UnusableInput:
            return False
        return True

    def _run(self, program: str, *words: object) -> None:
        self._programs.run(program, "-D", self._data, *words)
