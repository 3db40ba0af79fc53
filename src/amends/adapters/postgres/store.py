"""The store of an engine: its connection to a database that other engines write to as well."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from itertools import chain, tee
from typing import Final

from amends.adapters.in_force import WARNING, WORRIED_AFTER
from amends.adapters.postgres.address import Address, address_of
from amends.adapters.postgres.commits import EntityName, TableWrite, names_of, writes_of
from amends.adapters.postgres.connection import CommitUnknown, PostgresConnection
from amends.adapters.postgres.mailbox import PostgresMailbox
from amends.adapters.postgres.opening import prepare
from amends.adapters.postgres.ownership import PostgresOwnership, without_lease
from amends.adapters.postgres.reader import PostgresReader
from amends.adapters.postgres.reading import PostgresRecords
from amends.adapters.postgres.rows import Values, entity_of, key_of, saga_of
from amends.adapters.postgres.settings import OF_TURNS, Timeouts
from amends.adapters.postgres.texts import opened, stored, text_array
from amends.adapters.postgres.wakeup import PostgresWakeup
from amends.errors import StoreBusy, StoreConflict, StoreError, StoreFailed
from amends.storage.rows import Block, Changes, EntityRow, KeyRow, SagaRow, Unreadable

RESOLVED_IN_S: Final = 60.0
"""For how long a commit is asked for whose answer was lost: a restart, or a failover, takes less."""
RESOLVE_PAUSE_S: Final = 0.1  # between two tries to ask


class PostgresStore(PostgresRecords):
    """A schema of a PostgreSQL. Its promises are those of `amends.storage.ports.Store`.

    Attributes:
        is_shared: always: other engines may write to it.
        ownership: which engine has which shards.
        mailbox: the letters to the engines.
        wakeup: of this engine by clients, and of them by it.
    """

    is_shared: Final = True

    def __init__(self, url: str | Address, timeouts: Timeouts = OF_TURNS) -> None:
        """Open a store; make it, or bring it up to date, where that is needed.

        Args:
            url: of the database, see `amends.adapters.postgres.address.address_of`.
            timeouts: of each transaction: at most a third of a lease.

        Raises:
            StoreAway: no connection can be had now.
            StoreUnusable: the server cannot keep what was answered, or has no store that this version can use.
        """
        address = self._address = address_of(url) if isinstance(url, str) else url
        prepare(address)
        super().__init__(PostgresConnection(address, timeouts))
        self._beside = PostgresConnection(address, timeouts)
        self._held_entities: set[EntityName] = set()
        self._held_keys: set[str] = set()
        self._committed: dict[str, int] = {}  # chain to the number of its last block, of those written here
        self.ownership, self.mailbox = PostgresOwnership(self._beside), PostgresMailbox(self._beside)
        self.wakeup = PostgresWakeup(address, is_engine=True)

    # A turn ---------------------------------------------------------------------------------------------------

    def sagas(self, saga_ids: Collection[str]) -> dict[str, SagaRow | Unreadable]:
        """These sagas, locked; those that do not exist are left out, and cannot be written twice."""
        rows = map(saga_of, self._locked("sagas", ids=text_array(_storable(saga_ids))) if saga_ids else ())
        return {row.name if isinstance(row, Unreadable) else row.saga_id: row for row in rows}

    def keys(self, keys: Collection[str]) -> dict[str, KeyRow | Unreadable]:
        """What these client keys stand for, locked; those that are new are left out, and locked as well."""
        wanted = _storable(keys)
        found = self._locked("keys", keys=text_array(wanted)) if wanted else []
        missing = sorted({*wanted}.difference(opened(values[0]) for values in found))
        if missing:
            names = text_array(missing)
            made = {opened(key) for (key,) in self._locked("hold_keys", keys=names)}
            self._held_keys |= made
            if len(made) < len(missing):  # another engine has made them meanwhile
                found += self._locked("keys", keys=text_array(sorted({*missing} - made)))
        rows = (key_of(values) for values in found if values[1] is not None)
        return {row.name if isinstance(row, Unreadable) else row.key: row for row in rows}

    def entity_rows(self, names: Collection[EntityName]) -> dict[EntityName, EntityRow | Unreadable]:
        """These entities, locked; those that do not exist are left out, and locked as well."""
        wanted = [name for name in names if _is_storable("".join(name))]
        found = self._locked("entities", **names_of(wanted)) if wanted else []
        missing = sorted({*wanted}.difference(map(_entity_name, found)))
        if missing:
            made = {*map(_entity_name, self._locked("hold_entities", **names_of(missing)))}
            self._held_entities |= made
            if len(made) < len(missing):
                found += self._locked("entities", **names_of(sorted({*missing} - made)))
        return {_entity_name(values): entity_of(values) for values in found if values[3]}

    def commit(self, changes: Changes) -> None:
        """Write all of it, or nothing, and end the turn; see `amends.storage.ports.Store.commit`."""
        try:
            writes = chain(writes_of(changes, self._held_entities), self._let_go(changes))
            transaction = self._write(changes.block, writes)
            try:
                self._database.commit()
            except CommitUnknown as error:
                self._resolve(transaction, changes.block, error)
            self._committed[changes.block.chain] = changes.block.number
        except StoreConflict as conflict:
            self._expect_chain(changes.block, conflict)
            raise
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End the turn without a commit."""
        self._held_entities, self._held_keys = set(), set()
        self._database.abandon()

    # Beside turns ---------------------------------------------------------------------------------------------

    def reader(self) -> PostgresReader:
        """The same schema by another connection, to be read beside the turns."""
        return PostgresReader(self._address)

    def worry_after(self, worried_after_ms: int) -> None:
        """Keep for how long a step has failed that counts as failing."""
        self._beside.run(("put_in_force", {"name": WORRIED_AFTER, "value": str(worried_after_ms)}))

    def warn(self, of: str) -> None:
        """Tell other processes what is wrong with the engine; empty for nothing."""
        self._beside.run(("put_in_force", {"name": WARNING, "value": stored(of)}))

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self.wakeup.close()
        self.mailbox.close()
        self._database.close()

    # What a commit is made of ---------------------------------------------------------------------------------

    def _locked(self, query: str, **parameters: str) -> list[Values]:
        try:
            return self._database.work([(query, parameters)])[0].rows
        except BaseException:
            self.abandon()
            raise

    def _let_go(self, changes: Changes) -> Iterable[TableWrite]:
        """Take away the rows by which the turn held what does not exist, and of which nothing came."""
        entities = self._held_entities.difference((row.service, row.entity_id) for row in changes.entities)
        keys = self._held_keys.difference(row.key for row in changes.keys)
        if entities:
            yield TableWrite("let_go_entities", names_of(sorted(entities)))
        if keys:
            yield TableWrite("let_go_keys", {"keys": text_array(sorted(keys))})

    def _write(self, _: Block, writes: Iterable[TableWrite]) -> str:
        """Carry out all statements of a commit but the last; gives the transaction's id.

        Raises:
            StoreConflict: one has not written what it was to write.
        """
        writes, sent = tee(writes)
        answers = self._database.work((write.query, write.parameters) for write in writes)
        for write, answer in zip(sent, answers, strict=True):
            if write.rows is not None and answer.number != write.rows:
                raise StoreConflict(write.refusal)
        transaction: str = answers[0].rows[0][0]
        return transaction

    def _resolve(self, transaction: str, block: Block, lost: CommitUnknown) -> None:
        """Find out what became of a commit whose answer was lost: its chain tells, once the server is done with it.

        Raises:
            StoreBusy: it is not written.
            StoreFailed: the server did not come back in time.
        """
        until = time.monotonic() + RESOLVED_IN_S
        while (is_written := self._is_written(transaction, block)) is None:
            if time.monotonic() > until:
                self._database.fail(f"whether the last commit is written is not known: {lost}")
                raise StoreFailed(f"the connection was lost in a commit, and the database is away: {lost}") from lost
            time.sleep(RESOLVE_PAUSE_S)
        if not is_written:
            raise StoreBusy(f"the connection was lost in a commit, and nothing is written: {lost}") from lost

    def _is_written(self, transaction: str, block: Block) -> bool | None:
        """Whether a commit is written; ``None`` while that cannot be seen."""
        try:
            if not self._is_over(transaction):
                return None
            found = self._database.read("head_of_block", chain=stored(block.chain), number=block.number)
        except (StoreBusy, StoreConflict):
            return None
        return bool(found) and found[0][0] == block.head

    def _is_over(self, transaction: str) -> bool:
        """Whether the server is done with a transaction; of one that it does not know, as after a failover, it is."""
        try:
            return bool(self._database.read("transaction_status", transaction=transaction)[0][0] != "in progress")
        except StoreFailed:
            return True

    def _expect_chain(self, block: Block, conflict: StoreConflict) -> None:
        """See that the engine may still commit; where that cannot be seen now, it is seen at the next turn.

        Raises:
            LeaseLost: another engine ended its lease.
            StoreFailed: the database is of an earlier moment, as after a failover to a replica that was behind: this
                engine's chain goes on from a block that is lost, and would never be written to again.
        """
        try:
            has_lease = self._database.read("has_lease", engine=stored(block.chain))[0][0]
            number = self.head(block.chain).number
        except StoreError:
            return
        if not has_lease:
            raise without_lease(block.chain) from conflict
        committed = self._committed.get(block.chain, 0)
        if number < committed:
            why = f"the database has lost commits: chain {block.chain!r} ends with block {number}, not {committed}"
            self._database.fail(why)
            raise StoreFailed(why) from conflict


def _storable(names: Collection[str]) -> list[str]:
    """Those of some names that a store can hold."""
    return [*names] if _is_storable("".join(names)) else [name for name in names if _is_storable(name)]


def _is_storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _entity_name(values: Values) -> EntityName:
    return opened(values[0]), opened(values[1])
