"""A store as others see it: read while engines write, or when there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from operator import attrgetter

from amends.adapters.postgres.address import Address
from amends.adapters.postgres.check import problems
from amends.adapters.postgres.connection import PostgresConnection
from amends.adapters.postgres.opening import look
from amends.adapters.postgres.ownership import share_of
from amends.adapters.postgres.queries import BEFORE_HEADS, QUERIES
from amends.adapters.postgres.reading import PostgresRecords
from amends.adapters.postgres.rights import CAME_WITH
from amends.adapters.postgres.rows import Values, block_of, letter_of
from amends.adapters.postgres.settings import OF_READS
from amends.adapters.postgres.texts import opened, stored
from amends.adapters.sqlite.audit_file import AuditFile
from amends.errors import StoreFailed
from amends.storage.budgets import BudgetShare
from amends.storage.ports import ALL
from amends.storage.rows import Block, Letter
from amends.storage.shards import ALL_SHARDS
from amends.storage.working import EngineSeen, LettersSeen


class PostgresReader(PostgresRecords):
    """See `amends.storage.location.StoreReader`, whose promises these are."""

    def __init__(self, address: Address, audit_files: Sequence[str] = ()) -> None:
        """Open a store that is there.

        Args:
            address: of the database.
            audit_files: that months of its audit left for.

        Raises:
            StoreUnusable: there is no store that this version can read, or no such file; one line says why.
        """
        self._version = look(address)
        queries = QUERIES if self._version >= CAME_WITH["heads"] else BEFORE_HEADS
        super().__init__(PostgresConnection(address, OF_READS, queries))
        self._audit_files = [*map(AuditFile, audit_files)]

    @property
    def has_failed(self) -> bool:
        """Whether it is not to be read any more: it is closed, or this is a child of its process."""
        return self._database.has_failed

    def engines(self) -> Sequence[EngineSeen]:
        """The engines that have a lease, run out or not."""
        knows: dict[str, set[str]] = {}
        for name, definition in self._of_table("knows", "all_known"):
            knows.setdefault(opened(name), set()).add(opened(definition))
        places: dict[str, list[BudgetShare]] = {}
        for share in map(share_of, self._of_table("budgets", "all_budgets")):
            places.setdefault(share.engine, []).append(share)
        return [
            EngineSeen(name, since_ms, left_ms, shards, frozenset(knows.get(name, ())), places.get(name, ()))
            for row, since_ms, left_ms, shards in self._database.read("engines")
            for name in [opened(row)]
        ]

    def _of_table(self, table: str, query: str) -> Sequence[Values]:
        """What a query of a table gives; nothing where the schema is of a version that does not have it."""
        return self._database.read(query) if self._version >= CAME_WITH[table] else ()

    def blocks(self, after: int = 0, chain: str = "") -> Iterator[Block]:
        """The blocks of a chain after a number, those first that left for a file.

        Raises:
            StoreFailed: one left for a file that is not given.
        """
        left = (map(block_of, file.blocks(after, stored(chain))) for file in self._audit_files)
        for block in merge(*left, key=attrgetter("number")):
            if block.number == after + 1:  # else it is in two files
                yield block
                after = block.number
        for block in super().blocks(after, chain):
            if block.number > after + 1:
                self._expect_not_left(after + 1, chain)
            yield block
            after = block.number
        if self._expect_not_left(after + 1, chain):
            raise StoreFailed(f"block {after + 1} of chain {chain!r} is missing, and its head is there")

    def _expect_not_left(self, number: int, chain: str) -> bool:
        """See that a block has not left; whether it is missing, which is told by who verifies where others follow."""
        if self._version < CAME_WITH["heads"]:
            return False
        found = self._named("missing_block", chain=stored(chain), number=number)
        if found and found[0][0]:
            raise StoreFailed(
                f"block {number} of chain {chain!r} left the database: give the file that `amends archive "
                "--audit-to` wrote, with --audit-file"
            )
        return bool(found)

    def letters_waiting(self) -> LettersSeen:
        """The letters that no engine has acted on yet."""
        starts, number, _ = self._database.read("count_letters", since=0)[0]
        found = self._database.read("oldest_letter")
        return LettersSeen(starts, number, letter_of(found[0]) if found else None)

    def letters_to_act_on(self) -> Sequence[Letter]:
        """Every letter that no engine has acted on yet."""
        return self.letters(ALL_SHARDS, ALL)

    def problems(self, *, with_sagas: bool = True) -> Iterator[str]:
        """What is wrong with the rows, a line each; see `amends.adapters.postgres.check`."""
        return problems(self._database, PostgresRecords(self._database), with_sagas=with_sagas)

    def close(self) -> None:
        """Give everything back. A second call does nothing."""
        self._database.close()
        for file in self._audit_files:
            file.close()
