"""Saying what a batch refused or noted: one line each, on standard error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from reprlib import Repr
from typing import Any, Final

from amends.entrypoints.batches import Batch
from amends.shop import Remark

NAME_LENGTH_MAX: Final = 40
SHORT: Final = Repr()
SHORT.maxstring = SHORT.maxother = SHORT.maxlong = 60


def lines_of(batch: Batch, refusals: Iterable[Remark], notes: Iterable[Remark]) -> Iterator[str]:
    """The lines for a batch: file, place, operation, value, rule."""
    for kind, remarks in (("refused", refusals), ("note", notes)):
        for remark in remarks:
            name = _name(remark.operation)
            value = SHORT.repr(remark.value)
            yield f"{batch.name}: {batch.place(remark.index)}: {kind}: {name}{value}: {remark.rule}"


def _name(operation: Any) -> str:
    if not operation:
        return ""
    is_plain = operation.isprintable() and len(operation) <= NAME_LENGTH_MAX
    return f"{operation if is_plain else SHORT.repr(operation)}: "
