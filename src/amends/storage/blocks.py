"""Typed records as a block stores them, and as they are read back.

A block is lines of JSON. The first one is its head: the version of its form, its time, the digest of each value that
its records are about, and each transition, ``[cause, changes]``, once. Each other one is a record, ``[subject, number,
transition]``: the place of its transition, and then that of its value where it has one. The values themselves lie
beside the lines, with a seed of their salts; once one was erased, with the salts: ``null``, and zeros, for that one.

In blocks of the second form each record has its cause and changes itself. Blocks of the first form, which have no head,
are read by `amends.storage.former`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from json.encoder import encode_basestring_ascii as quoted
from typing import Annotated, Any, Final, TypeVar

import msgspec

from amends.core.audit import chain
from amends.storage import former
from amends.storage.causes import cause_of, change_of, explained
from amends.storage.digests import DIGITS, ERASED_SALT, digest, salts_of
from amends.storage.records import ERASED, Record
from amends.storage.rows import Block, EntityRow, KeyRow

FORM: Final = 3
SECOND_FORM: Final = 2
NO_PLACE: Final = -1
KNOWN_MAX: Final = 10_000  # causes, and changes, that are read once; there are some dozens of each definition

Thing = TypeVar("Thing")


# Writing ------------------------------------------------------------------------------------------------------


def head_line(at_ms: int, digests: str, transitions: Iterable[tuple[str, str]]) -> str:
    """The first line of a block.

    Args:
        at_ms: its time.
        digests: of its values, hex, one after the other.
        transitions: what happened, and what became of it, each pair once.
    """
    return f'[{FORM},{at_ms},"{digests}",[{",".join([f"[{cause},{changes}]" for cause, changes in transitions])}]]'


def beside_text(salts: str, values: Iterable[str]) -> str:
    """What lies beside a block: the seed of the salts of all its values, and those values that no row has."""
    return f'["{salts}",[{",".join(values)}]]'


# Reading ------------------------------------------------------------------------------------------------------


Place = Annotated[int, msgspec.Meta(ge=0)]


class _Line(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    subject: str
    number: int
    transition: Place
    place: Place | None = None


class _LineOfSecondForm(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    subject: str
    number: int
    cause: msgspec.Raw
    changes: msgspec.Raw
    place: Place | None = None


class _Head(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    form: int
    at_ms: int
    digests: str
    transitions: list[tuple[msgspec.Raw, msgspec.Raw]] = []


class _Beside(msgspec.Struct, array_like=True, forbid_unknown_fields=True, frozen=True, gc=False):
    salts: str
    values: list[msgspec.Raw]


_LINE: Final = msgspec.json.Decoder(_Line)
_LINE_OF_SECOND_FORM: Final = msgspec.json.Decoder(_LineOfSecondForm)
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
        self._block = block
        self._beside: _Beside | None = None
        self._salts_text: str | None = None
        has_head = self.form != former.FORM
        self._head = _decoded(_HEAD, block.records.partition("\n")[0]) if has_head else None
        self._read: Callable[[str], Record] = self._record_of if has_head else former.record_of

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
        if self.form != former.FORM and self._head is None:
            yield "its first line cannot be read"
        elif len(self.digests) != len(self._salts):
            yield f"its records are about {len(self.digests) // DIGITS} values, beside them are others"
        else:
            for place, value in enumerate(self.beside.values):
                told, salt = self.salted(place)
                if salt and digest(salt, bytes(value).decode()) != told:
                    yield f"value {place} is not what was written"

    def salted(self, place: int) -> tuple[str, str]:
        """The digest of a value, and its salt; each empty where it is not there, as after it was erased."""
        at = slice(place * DIGITS, (place + 1) * DIGITS) if place >= 0 else slice(0)
        salt = self._salts[at]
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

    @property
    def _salts(self) -> str:
        """Those of the values, one after the other; nothing where they cannot be read."""
        if self._salts_text is None:
            self._salts_text = salts_of(self.beside.salts, len(self.digests) // DIGITS)
        return self._salts_text

    def _readable(self, line: str) -> Record | None:
        try:
            return self._read(line)
        except (ValueError, LookupError, TypeError, RecursionError):  # lists in lists, which no engine wrote
            return None

    def _record_of(self, line: str) -> Record:
        read: _Line | _LineOfSecondForm
        if self.form == SECOND_FORM:
            read = _LINE_OF_SECOND_FORM.decode(line)
            cause, changes = read.cause, read.changes
        else:
            read = _LINE.decode(line)
            cause, changes = _transitions_of(self._head)[read.transition]
        at_ms = self._head.at_ms if self._head else self._block.at_ms
        value, place = self._value_at(read.place), NO_PLACE if read.place is None else read.place
        said, value = explained(_CAUSES.of(cause), value)
        return Record(read.subject, read.number, at_ms, said, _CHANGES.of(changes), value, place)

    def _value_at(self, place: int | None) -> str | None:
        if place is None:
            return None
        is_there = place < len(self.beside.values) and self.salted(place)[1]
        return bytes(self.beside.values[place]).decode() if is_there else ERASED


def entity_text(row: EntityRow) -> str:
    """What is recorded of an entity's row: its body."""
    return "null" if row.body is None else row.body


def key_text(row: KeyRow) -> str:
    """What is recorded of a client key's row: a digest of what was asked, and what was answered."""
    return f"[{quoted(row.request)},{row.answer}]"


def form_of(records: str) -> int:
    """The version of a block's form, of its lines."""
    return next((form for form in (FORM, SECOND_FORM) if records.startswith(f"[{form},")), former.FORM)


def lines_of(block: Block) -> list[str]:
    """The records of a block, as they are written."""
    lines = block.records.split("\n") if block.records else []
    return lines if form_of(block.records) == former.FORM else lines[1:]


def tells_of(block: Block, subject: str) -> bool:
    """Whether a block holds a record of a subject; one that is not what was written may have held one."""
    return not block.head or f"[{quoted(subject)}," in block.records


def head_after(before: bytes, records: str) -> bytes:
    """The head of a block of any form, of the head before and its lines."""
    return former.chain(before, records) if form_of(records) == former.FORM else chain(before, records)


def _transitions_of(head: _Head | None) -> Sequence[tuple[msgspec.Raw, msgspec.Raw]]:
    return head.transitions if head else ()


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
