"""Saying what a batch refused or noted: one line each, on standard error, as many as a person reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from reprlib import Repr
from typing import Any, Final

from amends.entrypoints.cli.run.batches import OperationFile
from amends.lines import grouped
from amends.shop import Remark

SAID_MAX: Final = 20  # of a kind and a file; what a person still reads
NAME_LENGTH_MAX: Final = 40  # characters of an operation; the longest that there is has 15
SHORT: Final = Repr()
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = 60


def lines_of(
    batch: OperationFile, refusals: Sequence[Remark], notes: Sequence[Remark], most: int = SAID_MAX
) -> Iterator[str]:
    """The lines for a batch: file, place, operation, value, rule; then how many more there are of a kind.

    Args:
        batch: what the remarks are about.
        refusals: of the batch.
        notes: of the batch.
        most: so many of each kind are said.
    """
    for kind, remarks in (("refused", refusals), ("note", notes)):
        for remark in remarks[:most]:
            name = _name(remark.operation)
            value = SHORT.repr(remark.value)
            yield f"{batch.name}: {batch.place(remark.index)}: {kind}: {name}{value}: {remark.rule}"
        if len(remarks) > most:
            yield f"{batch.name}: {kind}: {grouped(len(remarks) - most)} more; --all-remarks says each"


def _name(operation: Any) -> str:
    if not operation:
        return ""
    is_plain = operation.isprintable() and len(operation) <= NAME_LENGTH_MAX
    return f"{operation if is_plain else SHORT.repr(operation)}: "
