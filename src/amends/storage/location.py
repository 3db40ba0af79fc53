"""Where a store is: what can be had of it there, and done to all of it. Each adapter has a location of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol

from amends.storage.moving import MoveSource, MoveTarget
from amends.storage.ports import ClientStore, Reader, Store
from amends.storage.rows import Head, Letter
from amends.storage.working import WorkReader

MEMORY: Final = "memory:"
SQLITE: Final = "sqlite:///"

PASSWORD: Final = re.compile(r"(?<=[^/]//)([^:@/?#]*):.*@", re.DOTALL)
"""Up to the last ``@``: what holds a ``/`` or ``?`` as it is makes the URL a wrong one, and is a password all the
same."""
NAMED_PASSWORD: Final = re.compile(r"(?<=[?&])((?:ssl)?password)=[^&#]*")

Progress = Callable[[int, int], None]
"""Told how much is copied, and of how much."""


def without_password(url: str) -> str:
    """A URL for people, also one that is wrong; what holds no URL stays as it is."""
    return NAMED_PASSWORD.sub(r"\1=...", PASSWORD.sub(r"\1@", url))


class StoreFact(NamedTuple):
    """Something of a store's place that its promises depend on.

    Attributes:
        name: of a setting, or of what was looked at.
        value: how it is.
        fault: what is wrong with that, and what to do; empty for nothing.
    """

    name: str
    value: str
    fault: str = ""


class DatabaseRoles(NamedTuple):
    """The roles of a database that get what they need, and no more; empty for none.

    Attributes:
        engine: that engines log in as. It adds to the audit, and cannot change it.
        client: that clients and commands log in as. It reads, and posts letters.
    """

    engine: str = ""
    client: str = ""


class StoreReader(Reader, WorkReader, Protocol):
    """A store as people look at it: beside what is stored, who works at it, and what is wrong with it."""

    def letters_to_act_on(self) -> Sequence[Letter]:
        """Each of these letters.

        Raises:
            StoreUnusable: they cannot be read here.
        """

    def problems(self, *, with_sagas: bool = True) -> Iterator[str]:
        """What is wrong with the storage and its rows, a line each, ``kind name: why`` of a row.

        Args:
            with_sagas: whether sagas are read, too; who compares them with the audit has read them.
        """


class StoreLocation(Protocol):
    """Where a store is, by its URL. Nothing is looked at before it is asked for.

    Attributes:
        wait_s: for how long an engine waits for it that was not told. Seconds, >= 0; infinite where a process that
            ends would only be started again, until the store is there.
    """

    @property
    def wait_s(self) -> float:
        """See above."""

    def for_engine(self) -> Callable[[], Store]:
        """What opens the store for an engine; it is made, or brought up to date, where that is needed."""

    def for_clients(self) -> Callable[[], ClientStore]:
        """What opens it for clients.

        Raises:
            StoreUnusable: no client can come there.
        """


class SchemaPlace(Protocol):
    """Where a schema of ours is, or is to be: a store's, or a wire's.

    Attributes:
        shown: its URL without a password, or the path of a file, for people.
        newest: the version of the schema that this Amends makes.
    """

    @property
    def shown(self) -> str:
        """See above."""

    @property
    def newest(self) -> int:
        """See above."""

    def version(self) -> int:
        """The version of the schema that is there; 0 where none is.

        Raises:
            StoreUnusable, WireUnusable: what is there is none of ours, or cannot be looked at.
        """

    def script(self, since: int, roles: DatabaseRoles) -> str:
        """The SQL that brings the schema up to date, for a person to run.

        Args:
            since: the version that is there; 0 for none.
            roles: that get their rights in it.

        Raises:
            StoreUnusable, WireUnusable: there is no such SQL; or a role is no name for one.
        """

    def migrate(self, roles: DatabaseRoles) -> None:
        """Make the schema, or bring it up to date; where it is, only the rights of the roles are given.

        Raises:
            StoreUnusable, WireUnusable: it cannot be; one line says why.
        """

    def check(self, roles: DatabaseRoles) -> Iterator[StoreFact]:
        """What the promises depend on: settings, the schema's version, and rights.

        Args:
            roles: whose rights are looked at; where none is named, those of who looks.

        Raises:
            StoreUnusable, WireUnusable: it cannot be looked at.
        """


class LastingLocation(SchemaPlace, StoreLocation, Protocol):
    """One that outlives the processes which use it, and that others look at.

    Attributes:
        url: as `amends.open` takes it. It may hold a password.
    """

    @property
    def url(self) -> str:
        """See above."""

    def records(self, audit_files: Sequence[str] = ()) -> StoreReader:
        """Open it to look at it, also while engines run on it.

        Args:
            audit_files: the paths of those that months of its audit left for, which are read with the rest of it.

        Raises:
            StoreUnusable: there is no store that this version can read, or a file is none of these; one line says why.
        """

    def has_engine(self) -> bool:
        """Whether an engine runs on it, as far as can be seen from here.

        Raises:
            StoreUnusable: no store can be there.
        """

    def backup(self, target: str, progress: Progress) -> Head:
        """Copy it into a new file, also while an engine runs on it.

        Args:
            target: the path of a file that does not exist.
            progress: told now and then how far it is.

        Returns:
            Where the audit of the copy ends.

        Raises:
            StoreUnusable: it is not copied like that; or one of the two cannot be used.
            StoreError: there is no copy.
        """

    def archive(self, into: str, before_ms: int) -> Iterator[int]:
        """Move sagas that ended before a time, and the client keys that started them, into another file.

        No engine may run on a file meanwhile. Killed at any moment, it goes on when it is called again.

        Args:
            into: the path of the archive; it is made when it is not there.
            before_ms: milliseconds since 1970 (UTC).

        Returns:
            After each commit, how many sagas it moved.

        Raises:
            StoreUnusable: it is not archived like that; or one of the two cannot be used, or is in use.
            StoreError: it ended before all were moved; what was moved is.
        """

    def archive_audit(self, into: str, before_ms: int) -> Iterator[int]:
        """Move whole months of the audit into a file: those that ended before any saga started that is still there.

        They are at least 30 days old, and client keys that they stored and that started no saga leave with them.
        Engines may run meanwhile. Killed at any moment, it goes on when it is called again.

        Args:
            into: the path of the file; it is made when it is not there.
            before_ms: months that ended before it, milliseconds since 1970 (UTC).

        Returns:
            How many blocks each month had, once it is gone.

        Raises:
            StoreUnusable: no audit leaves from there; or one of the two cannot be used.
            StoreError: it ended before all were moved; what was moved is.
        """

    def move_source(self) -> MoveSource:
        """What moves its shop to another database.

        Raises:
            StoreUnusable: no shop moves from there.
        """

    def move_target(self) -> MoveTarget:
        """What a shop of another database moves into.

        Raises:
            StoreUnusable: none moves there.
        """

    def finishing_script(self) -> str:
        """The SQL for `finish`, for a person to run.

        Raises:
            StoreUnusable: there is no such SQL.
        """

    def finish(self) -> None:
        """Take away what programs of before alone need, which can use the store no longer.

        Raises:
            StoreUnusable: it cannot be; one line says why.
        """
