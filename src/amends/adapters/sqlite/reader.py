"""A store as others see it: read while its engine writes, or when it has none."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import closing

from amends.adapters.sqlite.check import problems
from amends.adapters.sqlite.client_keys import ClientKeys
from amends.adapters.sqlite.database import Connection
from amends.adapters.sqlite.lock import holder
from amends.adapters.sqlite.mailbox import SqliteMailbox, letters_seen
from amends.adapters.sqlite.opening import checked_path, open_reader
from amends.adapters.sqlite.reading import RecordReader
from amends.storage.ports import ALL
from amends.storage.rows import KeyRow, Letter, Unreadable
from amends.storage.shards import ALL_SHARDS
from amends.storage.working import EngineSeen, LettersSeen


class SqliteReader(RecordReader):
    """See `amends.storage.location.StoreReader`, whose promises these are."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a store that an engine has opened before.

        Args:
            path: of the file.

        Raises:
            StoreUnusable: there is no store that this version can read; one line says why.
        """
        self._file = checked_path(path)
        super().__init__(Connection(open_reader(self._file)))
        self._client_keys: ClientKeys | None = None  # read once it is asked for: the store may be an archive, or large

    def key(self, key: str) -> KeyRow | Unreadable | None:
        """What a client key stands for; ``None`` when it is new."""
        found = self._found(key)
        if isinstance(found, Unreadable):  # or it has left for an archive since it was read where it is
            self._client_keys = None
            found = self._found(key)
        return found

    def _found(self, key: str) -> KeyRow | Unreadable | None:
        if self._client_keys is None:
            self._client_keys = ClientKeys(self._database)
        else:
            self._client_keys.catch_up()
        return self._client_keys.find([key]).get(key)

    @property
    def has_failed(self) -> bool:
        """Whether it is not to be read any more: the storage failed, or this is a child of its process."""
        return self._database.has_failed

    def engines(self) -> Sequence[EngineSeen]:
        """The engine whose process can be seen from here."""
        pid = holder(self._file)
        return [] if pid is None else [EngineSeen(f"process {pid}", None, None, sorted(ALL_SHARDS))]

    def letters_waiting(self) -> LettersSeen:
        """Those of clients, in the mailbox beside the file, and those that commits wrote.

        Raises:
            StoreUnusable: the file beside it is no mailbox, or cannot be read here.
        """
        with closing(SqliteMailbox(self._file)) as mailbox:
            clients, own = mailbox.seen(), letters_seen(self._database)
        oldest = [seen.oldest for seen in (clients, own) if seen.oldest]
        first = min(oldest, key=lambda letter: letter.posted_ms, default=None)
        return LettersSeen(clients.starts + own.starts, clients.number + own.number, first)

    def letters_to_act_on(self) -> Sequence[Letter]:
        """Each of these letters.

        Raises:
            StoreUnusable: as `letters_waiting`.
        """
        with closing(SqliteMailbox(self._file)) as mailbox:
            return [*self.letters(ALL_SHARDS, ALL), *mailbox.letters(ALL_SHARDS, ALL)]

    def problems(self, *, with_sagas: bool = True) -> Iterator[str]:
        """What is wrong with the file and its rows, a line each; see `amends.adapters.sqlite.check`."""
        return problems(self._database, self, with_sagas=with_sagas)

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self._database.close()
