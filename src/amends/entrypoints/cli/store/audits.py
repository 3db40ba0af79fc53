"""``amends audit``: verifying a store, its head, and its records for others."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from rich.text import Text

from amends.auditing.chain import heads_of, heads_text
from amends.auditing.findings import Findings, block_name
from amends.auditing.recompute import recompute
from amends.auditing.verify import Verdict, VerificationProgress, verify
from amends.core.definition import Command, Saga
from amends.entrypoints.cli.definitions import load_module
from amends.entrypoints.cli.store.documents import write_all, write_document
from amends.entrypoints.drawing.paper import FAINT, STYLES, Paper, paper
from amends.entrypoints.drawing.progress import status_line
from amends.entrypoints.drawing.words import one_line
from amends.errors import UnusableInput
from amends.lines import counted, grouped, moment
from amends.storage.blocks import Contents
from amends.storage.location import LastingLocation
from amends.storage.records import Record
from amends.storage.rows import Block
from amends.storage.words import cause_in_words, changes_in_words

HELD: Final = 0
BROKEN: Final = 1
SHOWN_MAX: Final = 20  # findings on paper; --json has more
TEXT_MAX: Final = 500  # characters of one finding; --json has all of it
COLUMNS: Final = ("block", "subject", "number", "at", "cause", "changes", "chain")

Encode = Callable[[Block, list[Record]], bytes]


def verify_store(
    db: LastingLocation,
    head: str,
    archives: Sequence[LastingLocation],
    audit_files: Sequence[str],
    *,
    as_json: bool,
) -> int:
    """Verify a store, with what its sagas and its audit left for, and show what is wrong with it.

    Returns:
        The exit code: 1 when anything is.

    Raises:
        UnusableInput: the store or the head cannot be used.
    """
    kept = heads_of(head) if head else []
    with ExitStack() as stack:
        # What the storage does to one reader does not keep the other from looking.
        store = stack.enter_context(closing(db.records(audit_files)))
        other, *more = [stack.enter_context(closing(each.records())) for each in (db, *archives)]
        report = stack.enter_context(status_line(partial(_line_of, db.shown)))
        problems = other.problems(with_sagas=False)
        verdict = verify(store, kept, archives=more, problems=problems, report=report)
    if as_json:
        write_document(_document(verdict))
    else:
        out = paper()
        out.write(*_lines(out, verdict, with_head=bool(head)))
    return BROKEN if len(verdict.findings) else HELD


def recompute_store(
    db: LastingLocation,
    modules: Sequence[str],
    audit_files: Sequence[str],
    elsewhere: Collection[str] = (),
    *,
    as_json: bool,
) -> int:
    """Compute a store again, and show what is not as its records lead to.

    Returns:
        The exit code: 1 when anything is not.

    Raises:
        UnusableInput: the store or a module cannot be used, or a definition is missing.
    """
    sagas, commands = list[Saga](), list[Command]()
    for of_module, more in map(load_module, modules):
        sagas += [saga for saga in of_module if saga not in sagas]
        commands += [command for command in more if command not in commands]
    with closing(db.records(audit_files)) as store, status_line(partial(_export_line, db.shown)) as report:
        found = recompute(store, sagas, commands, elsewhere=elsewhere, report=report)
    if as_json:
        findings = [finding._asdict() for finding in found.findings]
        write_document(found._asdict() | {"findings": findings, "findings_beyond": found.findings.beyond})
        return BROKEN if len(found.findings) else HELD
    out = paper()
    what = [counted(found.blocks, "block"), counted(found.sagas, "saga"), f"{grouped(found.entities)} entities"]
    verdict = f"{counted(len(found.findings), 'difference')}: not all is what the records lead to"
    out.write(
        *_found(out, found.findings),
        _verdict_line(out, verdict if len(found.findings) else "all is what the records lead to", found.findings),
        Text(),
        Text.assemble(("   computed     ", FAINT), ", ".join(what)),
        *(Text(f"   not covered  what {name} answered, which is elsewhere", FAINT) for name in elsewhere),
    )
    return BROKEN if len(found.findings) else HELD


def print_head(db: LastingLocation) -> None:
    """Print where the audit ends, each chain of it: on one line, as it was at one moment."""
    with closing(db.records()) as store:
        heads = [store.head(name) for name in store.chains() or ("",)]
    sys.stdout.write(f"{heads_text(heads)}\n")


def export_records(db: LastingLocation, form: str, output: str, audit_files: Sequence[str]) -> int:
    """Write every record.

    Returns:
        The exit code: 1 when a block cannot be read.

    Raises:
        UnusableInput: the store cannot be used, or there is something at `output`.
    """
    encode = _as_csv if form == "csv" else _as_lines
    progress = status_line(partial(_export_line, db.shown))
    with closing(db.records(audit_files)) as store, _opened(output) as file, progress as report:
        write_all(file, _csv([COLUMNS]) if form == "csv" else b"")
        blocks = chain.from_iterable(store.blocks(chain=name) for name in store.chains())
        return _export(blocks, encode, file, report)


def _export(blocks: Iterable[Block], encode: Encode, file: BinaryIO, report: Callable[[int], None] | None) -> int:
    code = HELD
    for number, block in enumerate(blocks, 1):
        found = list(Contents(block).records())
        records = [record for record in found if record is not None]
        write_all(file, encode(block, records))
        if len(records) < len(found):
            sys.stderr.write(f"amends: {block_name(block.number, block.chain)}: a record cannot be read\n")
            code = BROKEN
        if report and not number % 100:
            report(number)
    return code


def _export_line(db: str, number: int) -> str:
    return f"{db}: {counted(number, 'block')}"


def _as_lines(block: Block, of_block: list[Record]) -> bytes:
    return b"".join(
        msgspec.json.encode(
            {
                "block": block.number, "subject": record.subject, "number": record.number, "at_ms": record.at_ms,
                "cause": cause_in_words(record), "changes": changes_in_words(record), "chain": block.chain,
            }
        )
        + b"\n"
        for record in of_block
    )  # fmt: skip


def _as_csv(block: Block, of_block: list[Record]) -> bytes:
    return _csv(
        (block.number, record.subject, record.number, moment(record.at_ms), *_in_words(record), block.chain)
        for record in of_block
    )


def _in_words(record: Record) -> tuple[str, str]:
    return cause_in_words(record), "; ".join(changes_in_words(record))


def _csv(rows: Iterable[tuple[object, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


@contextmanager
def _opened(output: str) -> Iterator[BinaryIO]:
    """Where the records go; a file of its own has its name only once it is whole."""
    if not output:
        yield sys.stdout.buffer
        return
    path, part = Path(output), Path(f"{output}.part")
    if os.path.lexists(path):
        raise UnusableInput(f"{output}: it is there already, and is left alone")
    try:
        with part.open("wb") as file:
            yield file
    except OSError as error:
        raise UnusableInput(f"{output}: cannot be written: {error.strerror}") from error
    part.replace(path)


def _line_of(db: str, reached: VerificationProgress) -> str:
    each_second = int(reached.records / reached.records_s) if reached.records_s else 0
    of_blocks = f"{grouped(reached.blocks)} of {counted(reached.of_blocks, 'block')}"
    rows = f", {grouped(reached.rows)} of {counted(reached.of_rows, 'row')}" if reached.rows else ""
    return f"{db}: {of_blocks}, {counted(reached.records, 'record')}, {grouped(each_second)}/s{rows}"


def _lines(out: Paper, verdict: Verdict, *, with_head: bool) -> Iterator[Text]:
    found, reached = verdict.findings, verdict.reached
    yield from _found(out, found)
    yield _verdict_line(out, _verdict_words(verdict), found)
    yield Text()
    yield Text.assemble(("   looked at    ", FAINT), _looked_at(reached))
    yield Text.assemble(("   head         ", FAINT), heads_text(verdict.heads.values()))
    if not with_head:
        yield Text("   not covered  without an older head: that the store was cut, put back or built anew", FAINT)


def _found(out: Paper, found: Findings) -> Iterator[Text]:
    for finding in [*found][:SHOWN_MAX]:
        words = f"{one_line(finding.where, TEXT_MAX)}: {one_line(finding.what, TEXT_MAX)}"
        yield Text.assemble((f" {out.signs.refused} ", STYLES["refused"]), words)
    if len(found) > SHOWN_MAX:
        yield Text(f"   {out.signs.more} {grouped(len(found) - SHOWN_MAX)} more; --json shows them", FAINT)
    if len(found):
        yield Text()


def _verdict_line(out: Paper, words: str, found: Findings) -> Text:
    mark = "refused" if len(found) else "done"
    return Text.assemble((f" {getattr(out.signs, mark)} ", STYLES[mark]), words)


def _verdict_words(verdict: Verdict) -> str:
    if not verdict.is_whole:
        return "the storage failed; what comes after was not looked at"
    if len(verdict.findings):
        return f"{counted(len(verdict.findings), 'fault')}: not all is as it was written"
    return "all is as it was written"


def _looked_at(reached: VerificationProgress) -> str:
    things = ((reached.blocks, "block"), (reached.records, "record"), (reached.rows, "saga"))
    return ", ".join(counted(number, what) for number, what in things)


def _document(verdict: Verdict) -> dict[str, object]:
    reached = verdict.reached
    return {
        "verdict": "broken" if len(verdict.findings) else "held",
        "whole": verdict.is_whole,
        "findings": [finding._asdict() for finding in verdict.findings],
        "findings_beyond": verdict.findings.beyond,
        "head": heads_text(verdict.heads.values()),
        "blocks": reached.blocks,
        "records": reached.records,
        "sagas": reached.rows,
        "seconds": round(reached.seconds, 3),
        "records_seconds": round(reached.records_s, 3),
    }
