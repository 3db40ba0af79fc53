"""Verifying a store from its first block to its last row, also while an engine writes to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeVar

from amends.auditing.chain import KeptHead
from amends.auditing.chains import Chains
from amends.auditing.findings import Finding, Findings, block_name
from amends.auditing.rows import fault_of
from amends.auditing.stored import NO_ROW
from amends.auditing.told import Tale
from amends.errors import StoreError
from amends.storage.blocks import Contents
from amends.storage.ports import ALL, Records, SagaFilter
from amends.storage.rows import Block, EntityRow, Head, SagaRow, Unreadable

ROUNDS: Final = 20  # in which a saga that an engine is just working at is looked at again
COUNTS_TRIES: Final = 1000  # until the counts and the head are read between the same two commits
REPORT_EVERY: Final = 64  # blocks, or rows
Name = TypeVar("Name", str, tuple[str, str])

KINDS: Final = {"saga", "entity", "key", "shape", "block"}


class VerificationProgress(NamedTuple):
    """How far a verification is.

    Attributes:
        blocks: so many are verified.
        of_blocks: of so many.
        records: that were in them.
        rows: so many sagas' rows are compared.
        of_rows: of so many.
        seconds: since it began.
        records_s: of these, what the records took: the rest went into rows, and into the file.
    """

    blocks: int
    of_blocks: int
    records: int
    rows: int
    of_rows: int
    seconds: float
    records_s: float


class Verdict(NamedTuple):
    """What a verification came to.

    Attributes:
        findings: what is not as it was written; empty when all is.
        heads: where each chain of the audit ends, by its name.
        is_whole: whether all of it was looked at; else the storage failed on the way.
        reached: how much was.
    """

    findings: Findings
    heads: Mapping[str, Head]
    is_whole: bool
    reached: VerificationProgress


Report = Callable[[VerificationProgress], None]


def verify(
    records: Records,
    kept: Iterable[KeptHead] = (),
    *,
    archives: Sequence[Records] = (),
    problems: Iterable[str] = (),
    report: Report | None = None,
) -> Verdict:
    """Verify everything that is stored.

    Args:
        records: the store.
        kept: older heads, kept elsewhere, each of a chain of its own: without them, a file that was built anew, or an
            older copy put in its place, is not found.
        archives: the files that its sagas left for; those that are nowhere are found when any is given.
        problems: what the store itself finds wrong with its file and its rows, a line each; read when all else is.
        report: told now and then how far it is.
    """
    verification, is_whole = Verification(records, kept, report), True
    try:
        verification.run()
        verification.compare_archives(archives)
    except StoreError as error:
        verification.findings.add("file", str(error))
        is_whole = False
    places = {finding.where for finding in verification.findings}
    verification.findings.add_all(finding for finding in _findings(problems) if finding.where not in places)
    return verification.verdict(is_whole=is_whole)


def _findings(problems: Iterable[str]) -> Iterator[Finding]:
    """What a store says of itself: ``kind name: why`` of a row, else about the file as a whole."""
    for line in problems:
        where, _, what = line.partition(": ")
        yield Finding(where, what) if where.partition(" ")[0] in KINDS and what else Finding("file", line)


class Verification:
    """One run of it.

    Attributes:
        findings: so far.
    """

    def __init__(self, records: Records, kept: Iterable[KeptHead], report: Report | None) -> None:
        self.findings = Findings()
        self._records = records
        self._chains = Chains(records, kept)
        self._tale = Tale()
        self._report = report
        self._begun = time.monotonic()
        self._records_s = 0.0
        self._rows = 0
        self._blocks = 0
        self._of_blocks = 0

    def run(self) -> None:
        """Look at everything.

        Raises:
            StoreError: the storage failed on the way.
        """
        self._of_blocks = sum((self._last_blocks() or {}).values())
        self._catch_up()
        if not self._chains.number and any(self._records.counts().values()):
            self.findings.add("file", "it has sagas, and no audit: an archive is verified together with its store")
        else:
            self._compare_counts()
            self._compare_rows()
            self._compare_entities()
            self._compare_keys()
        self.findings.add_all(self._chains.end())

    def compare_archives(self, archives: Sequence[Records]) -> None:
        """Compare the rows of sagas that left with what the records tell of them.

        Raises:
            StoreError: an archive's storage failed.
        """
        left = dict(self._tale.archived)
        for archive in archives:
            for row in archive.listing(SagaFilter(limit=ALL)):
                name = _name_of(row)
                left.pop(name, None)
                if fault := fault_of(row, self._tale.archived.get(name) or self._tale.sagas.get(name)):
                    self.findings.add(f"archived saga {name}", fault)
        if archives:
            self.findings.add_all(Finding(f"archived saga {name}", "it is in no archive") for name in left)

    def verdict(self, *, is_whole: bool) -> Verdict:
        """The verdict on the whole store."""
        return Verdict(self.findings, self._chains.heads, is_whole, self._reached())

    # The chains -----------------------------------------------------------------------------------------------

    def _catch_up(self, until: Mapping[str, int] | None = None) -> None:
        """Verify the blocks that were not met yet."""
        begun, before_s = time.monotonic(), self._records_s
        for block, contents in self._chains.blocks(self._tale.is_next, until):
            self._add(block, contents)
            self._records_s = before_s + time.monotonic() - begun

    def _last_blocks(self) -> dict[str, int] | None:
        """The last number of each chain; ``None`` when one is damaged, which is told: no engine opens such a store."""
        try:
            return {chain: self._records.head(chain).number for chain in self._records.chains()}
        except StoreError:
            return None

    def _add(self, block: Block, contents: Contents) -> None:
        where = block_name(block.number, block.chain)
        self.findings.add_all(self._chains.add(block, contents))
        self.findings.add_all(self._tale.add(block, contents))
        self.findings.add_all(Finding(where, fault) for fault in contents.faults())
        self._blocks += 1
        if self._report and not self._blocks % REPORT_EVERY:
            self._report(self._reached())

    # The rows -------------------------------------------------------------------------------------------------

    def _compare_rows(self) -> None:
        """Compare each saga's row with what its records tell."""
        sagas = self._tale.sagas
        self._compare(
            "saga", self._saga_rows(), sagas, self._records.saga, lambda row, id_: fault_of(row, sagas.get(id_))
        )

    def _saga_rows(self) -> Iterator[tuple[str, SagaRow | Unreadable]]:
        for row in self._records.listing(SagaFilter(limit=ALL)):
            yield _name_of(row), row
            self._rows += 1
            if self._report and not self._rows % REPORT_EVERY:
                self._report(self._reached())

    def _compare_entities(self) -> None:
        """Compare each entity's row with its records. Each that a command left has a row, in old stores too."""
        told, all_rows = self._tale.rows, self._records.all_entities()
        rows = (((row.service, row.entity_id), row) for row in all_rows if isinstance(row, EntityRow))
        self._compare("entity", rows, told.entities, lambda name: self._records.entity(*name), told.fault_of_entity)
        for of_command in self._tale.entities:
            if not any(self._records.entity(*words) for words in _parted(of_command)):
                self.findings.add(f"entity {of_command}", NO_ROW)

    def _compare_keys(self) -> None:
        """Compare each client key with its record, until no block comes meanwhile, or nothing is wrong."""
        faults = list[tuple[str, str]]()
        for _ in range(ROUNDS):
            last = self._chains.number
            faults = list(self._tale.rows.faults_of_keys(self._records.all_keys()))
            self._catch_up()
            if not faults or last == self._chains.number:
                break
        self.findings.add_all(Finding(f"key {key}", what) for key, what in faults)

    def _compare(
        self,
        kind: str,
        rows: Iterable[tuple[Name, Any]],
        told: Collection[Name],
        read: Callable[[Name], Any],
        fault: Callable[[Any, Name], str],
    ) -> None:
        """Find rows that are not as told, and what is told and has no row; look at each of these again.

        A row that is the same before and after all blocks were read is of the time of the last block.
        """
        names, met = dict[Name, None](), 0
        for name, row in rows:
            met += name in told
            if fault(row, name):
                names[name] = None
        if met < len(told):
            names |= dict.fromkeys(name for name in told if read(name) is None)
        for _ in range(ROUNDS if names else 0):
            before = {name: read(name) for name in names}
            self._catch_up()
            after = {name: read(name) for name in names}
            for name in [name for name in names if before[name] == after[name]]:
                del names[name]
                if what := fault(after[name], name):
                    self.findings.add(f"{kind} {_as_one(name)}", what)

    def _compare_counts(self) -> None:
        """What is kept of how many sagas there are, against what the records tell at the same moment."""
        for _ in range(COUNTS_TRIES):
            last, counts = self._last_blocks(), self._records.counts()
            if self._last_blocks() == last:
                break
        else:
            return
        self._catch_up(last)
        told = self._tale.counts()
        for key in sorted(counts.keys() | told.keys()):
            if counts.get(key, 0) != told[key]:
                words = f"{key[0]} {key[1]} is {counts.get(key, 0)}, the records tell {told[key]}"
                self.findings.add("counts", words)

    def _reached(self) -> VerificationProgress:
        return VerificationProgress(
            self._blocks, max(self._of_blocks, self._blocks), self._tale.records, self._rows,
            len(self._tale.sagas), time.monotonic() - self._begun, self._records_s,
        )  # fmt: skip


def _parted(name: str) -> Iterator[tuple[str, str]]:
    """Service and id of ``SERVICE/id``: an id may hold what parts them, as may a service of a former version."""
    yield from ((name[:place], name[place + 1 :]) for place, letter in enumerate(name) if letter == "/")


def _as_one(name: str | tuple[str, str]) -> str:
    return name if isinstance(name, str) else "/".join(name)


def _name_of(row: SagaRow | Unreadable) -> str:
    return row.name if isinstance(row, Unreadable) else row.saga_id
