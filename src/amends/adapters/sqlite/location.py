"""A file that is a store, or is to be one: all that can be had of it, and done to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NoReturn

from amends.adapters.clock import SystemClock
from amends.adapters.sqlite.archive import archived
from amends.adapters.sqlite.backup import backup
from amends.adapters.sqlite.client_store import SqliteClientStore
from amends.adapters.sqlite.lock import holder
from amends.adapters.sqlite.migrations import VERSION
from amends.adapters.sqlite.moving import SqliteMoveSource
from amends.adapters.sqlite.opening import check_writable, checked_path, version_in
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.engine.archiving import Departure
from amends.errors import StoreUnusable
from amends.storage.codecs.values import shown
from amends.storage.location import SQLITE, DatabaseRoles, Progress, StoreFact
from amends.storage.ports import REDUCED
from amends.storage.rows import Head

NO_ROLES = DatabaseRoles()


class SqliteLocation:
    """See `amends.storage.location.LastingLocation`.

    Attributes:
        url: ``sqlite:///`` and the path.
        shown: the path.
        newest: the version of the schema that this Amends makes.
        wait_s: none: another engine has it for as long as that one runs.
    """

    newest = VERSION
    wait_s = 0.0

    def __init__(self, url: str) -> None:
        """Name it.

        Raises:
            StoreUnusable: it names no file.
        """
        self.url, self.shown = url, url.removeprefix(SQLITE)
        if self.shown in ("", ":memory:"):
            raise StoreUnusable(f"{shown(url)} names no store; give the path of its file, as in sqlite:///shop.db")
        if "?" in self.shown:
            raise StoreUnusable(f"{shown(url)} has parameters after its '?', and takes none: give sqlite:///shop.db")

    def for_engine(self) -> Callable[[], SqliteStore]:
        """What opens the store for an engine."""
        return partial(SqliteStore, self.shown)

    def for_clients(self) -> Callable[[], SqliteClientStore]:
        """What opens it for clients."""
        return partial(SqliteClientStore, self.shown)

    def records(self, audit_files: Sequence[str] = ()) -> SqliteReader:
        """Open it to look at it.

        Raises:
            StoreUnusable: there is no such file, or it cannot be used; or a file of its audit is given.
        """
        if audit_files:
            raise StoreUnusable(f"{self.shown}: a store in a file keeps its audit: leave --audit-file out")
        return SqliteReader(self.shown)

    def has_engine(self) -> bool:
        """Whether the process can be seen from here that has its lock.

        Raises:
            StoreUnusable: no store can be there.
        """
        return holder(checked_path(self.shown)) is not None

    def backup(self, target: str, progress: Progress) -> Head:
        """See `amends.adapters.sqlite.backup.backup`."""
        return backup(self.shown, target, progress)

    def archive(self, into: str, before_ms: int) -> Iterator[int]:
        """See `amends.adapters.sqlite.archive.archived`; a page is a commit."""
        if checked_path(self.shown) == checked_path(into):
            raise StoreUnusable(f"{self.shown}: a store is no archive of itself")
        with closing(self.records()):
            pass  # it is there: an archive is no reason to make a store
        with closing(SqliteStore(self.shown)) as store:
            clock = SystemClock(store.head().at_ms)
            yield from archived(store, into, Departure(Path(into).name, before_ms, clock.now_ms))

    def archive_audit(self, into: str, before_ms: int) -> NoReturn:  # noqa: ARG002 - as said
        """None.

        Raises:
            StoreUnusable: always.
        """
        raise StoreUnusable(f"{self.shown}: a store in a file keeps its audit: leave --audit-to out")

    def move_source(self) -> SqliteMoveSource:
        """The file."""
        return SqliteMoveSource(self.shown)

    def move_target(self) -> NoReturn:
        """None.

        Raises:
            StoreUnusable: always.
        """
        raise StoreUnusable(f"{self.shown}: a shop moves into a PostgreSQL: give postgresql://... as its target")

    def version(self) -> int:
        """The version of the schema that is there; 0 where no store is.

        Raises:
            StoreUnusable: what is there is none of ours.
        """
        file = checked_path(self.shown)
        return version_in(file) if file.exists() else 0

    def script(self, since: int, roles: DatabaseRoles) -> str:  # noqa: ARG002 - as said
        """None.

        Raises:
            StoreUnusable: always.
        """
        raise StoreUnusable(f"{self.shown}: a file has no SQL for a person to run: leave --print out")

    def migrate(self, roles: DatabaseRoles) -> None:
        """Do what an engine does that opens it.

        Raises:
            StoreUnusable: an engine has it, or it cannot be made or brought up to date; or a role is named.
        """
        self._expect_none(roles)
        SqliteStore(self.shown).close()

    def finishing_script(self) -> str:
        """None.

        Raises:
            StoreUnusable: always.
        """
        raise StoreUnusable(f"{self.shown}: a file has no SQL for a person to run: leave --print out")

    def finish(self) -> None:
        """None: a file has one program at a time, and nothing is kept for one of before.

        Raises:
            StoreUnusable: always.
        """
        raise StoreUnusable(f"{self.shown}: a file has nothing to finish: leave --finish out")

    def check(self, roles: DatabaseRoles) -> Iterator[StoreFact]:
        """The schema's version, what a commit survives, and whether this process may write it.

        Raises:
            StoreUnusable: it cannot be looked at, or a role is named.
        """
        self._expect_none(roles)
        version = self.version()
        if not version:
            raise StoreUnusable(f"{self.shown}: there is no store yet: `amends db init` makes it")
        old = f"this Amends has version {VERSION}: `amends db migrate`, or an engine that opens it, brings it there"
        yield StoreFact("schema", f"version {version}", old if version != VERSION else "")
        if version == VERSION:
            with closing(self.records()) as store:
                durability = store.durability()
            lost = "what was answered may be lost" if durability.startswith(REDUCED) else ""
            yield StoreFact("durability", durability, lost)
        yield self._writable()

    def _expect_none(self, roles: DatabaseRoles) -> None:
        if roles != NO_ROLES:
            raise StoreUnusable(f"{self.shown}: a file has no roles: its mode and its owner say who may write it")

    def _writable(self) -> StoreFact:
        try:
            check_writable(checked_path(self.shown))
        except StoreUnusable as error:
            return StoreFact("rights", "to read", f"{error}: no engine and no client of this user can use it")
        return StoreFact("rights", "to read and write")
