"""Typed records as a block stores them, and as they are read back.

A block is lines of JSON. The first one is its head: the version of its form, its time, and the digest of each value
that its records are about. Each other one is a record, ``[subject, number, cause, changes]``, with the place of its
value among these where it has one. The values themselves lie beside the lines, with a salt each: ``null``, and zeros,
where one was erased. Blocks of the first form, which have no head, are read by `amends.storage.former`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, Final, TypeVar

import msgspec

from amends.core.audit import chain
from amends.storage import former
from amends.storage.causes import cause_of, change_of
from amends.storage.digests import DIGITS, ERASED_SALT, digest
from amends.storage.records import ERASED, Record
from amends.storage.rows import Block, EntityRow, KeyRow

FORM: Final = 2
NO_PLACE: Final = -1
KNOWN_MAX: Final = 10_000  # causes, and changes, that are read once; there are some dozens of each definition

Thing = TypeVar("Thing")


# Writing ------------------------------------------------------------------------------------------------------


def head_line(at_ms: int, digests: str) -> str:
    """The first line of a block; digests are hex, one after the other."""
    return f'[{FORM},{at_ms},"{digests}"]'


def beside_text(salts: str, values: Iterable[str]) -> str:
    """What lies beside a block: the salts of all its values, and those values that no row has."""
    return f'["{salts}",[{",".join(values)}]]'


# Reading ------------------------------------------------------------------------------------------------------


class _Line(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    subject: str
    number: int
    cause: msgspec.Raw
    changes: msgspec.Raw
    place: int = NO_PLACE


class _Head(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    form: int
    at_ms: int
    digests: str


class _Beside(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    salts: str
    values: list[msgspec.Raw]


_LINE: Final = msgspec.json.Decoder(_Line)
_HEAD: Final = msgspec.json.Decoder(_Head)
_BESIDE: Final = msgspec.json.Decoder(_Beside)
NOTHING: Final = _Beside("", [])


class Contents:
    """What is in a block, read when it is asked for.

    Attributes:
        lines: one for each record.
        form: the version of its form.
    """

    def __init__(self, block: Block) -> None:
        """Read its first line.

        Args:
            block: of any form.
        """
        self.form = form_of(block.records)
        self.lines = lines_of(block)
        self._read: Callable[[str], Record] = former.record_of
        self._block = block
        self._head: _Head | None = None
        self._beside: _Beside | None = None
        if self.form == FORM:
            self._read = self._record_of
            self._head = _decoded(_HEAD, block.records.partition("\n")[0])

    def records(self) -> Iterator[Record | None]:
        """Every record; ``None`` for a line that is none."""
        return map(self._readable, self.lines)

    def about(self, subject: str) -> Iterator[Record]:
        """The records of one subject; a block may hold a thousand of others, which are not read."""
        begins = f"[{quoted(subject)},"
        found = (self._readable(line) for line in self.lines if line.startswith(begins))
        return (record for record in found if record)

    def faults(self) -> Iterator[str]:
        """What is wrong with its first line, and with the values beside it: each that is there has its digest."""
        if self.form == FORM and self._head is None:
            yield "its first line cannot be read"
        elif len(self.digests) != len(self.beside.salts):
            yield f"its records are about {len(self.digests) // DIGITS} values, beside them are others"
        else:
            for place, value in enumerate(self.beside.values):
                told, salt = self.salted(place)
                if salt and digest(salt, bytes(value).decode()) != told:
                    yield f"value {place} is not what was written"

    def salted(self, place: int) -> tuple[str, str]:
        """The digest of a value, and its salt; each empty where it is not there, as after it was erased."""
        at = slice(place * DIGITS, (place + 1) * DIGITS) if place >= 0 else slice(0)
        salt = self.beside.salts[at]
        return self.digests[at], "" if salt == ERASED_SALT else salt

    @property
    def digests(self) -> str:
        """The digests of the values that lie beside the records, one after the other."""
        return self._head.digests if self._head else ""

    @property
    def beside(self) -> _Beside:
        """What lies beside the records; nothing when that cannot be read."""
        if self._beside is None:
            self._beside = (_decoded(_BESIDE, self._block.values) if self._block.values else None) or NOTHING
        return self._beside

    def _readable(self, line: str) -> Record | None:
        try:
            return self._read(line)
        except (ValueError, LookupError, TypeError, RecursionError):  # lists in lists, which no engine wrote
            return None

    def _record_of(self, line: str) -> Record:
        read = _LINE.decode(line)
        cause, changes = _CAUSES.of(read.cause), _CHANGES.of(read.changes)
        at_ms = self._head.at_ms if self._head else self._block.at_ms
        return Record(read.subject, read.number, at_ms, cause, changes, self._value_at(read.place), read.place)

    def _value_at(self, place: int) -> str | None:
        if place == NO_PLACE:
            return None
        is_there = 0 <= place < len(self.beside.values) and self.salted(place)[1]
        return bytes(self.beside.values[place]).decode() if is_there else ERASED


def entity_text(row: EntityRow) -> str:
    """What is recorded of an entity's row: its body."""
    return "null" if row.body is None else row.body


def key_text(row: KeyRow) -> str:
    """What is recorded of a client key's row: a digest of what was asked, and what was answered."""
    return f"[{quoted(row.request)},{row.answer}]"


def form_of(records: str) -> int:
    """The version of a block's form, of its lines."""
    return FORM if records.startswith(f"[{FORM},") else former.FORM


def lines_of(block: Block) -> list[str]:
    """The records of a block, as they are written."""
    lines = block.records.split("\n") if block.records else []
    return lines[1:] if form_of(block.records) == FORM else lines


def head_after(before: bytes, records: str) -> bytes:
    """The head of a block of any form, of the head before and its lines."""
    return chain(before, records) if form_of(records) == FORM else former.chain(before, records)


def _decoded(decoder: msgspec.json.Decoder[Thing], text: str) -> Thing | None:
    try:
        return decoder.decode(text)
    except (ValueError, RecursionError):
        return None


class _Known(dict[bytes, Any]):
    """The same few causes and changes, read once each."""

    def __init__(self, read: Callable[[Any], Any]) -> None:
        super().__init__()
        self._read = read

    def of(self, raw: msgspec.Raw) -> Any:
        """The value that its JSON stands for, read once."""
        return self[bytes(raw)]

    def __missing__(self, raw: bytes) -> Any:
        if len(self) >= KNOWN_MAX:
            self.clear()
        value = self[raw] = self._read(msgspec.json.decode(raw))
        return value


_CAUSES: Final = _Known(cause_of)
_CHANGES: Final = _Known(lambda changes: tuple(map(change_of, changes)))
