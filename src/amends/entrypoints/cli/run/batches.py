"""Reading files of operations, strictly: what is not certainly a batch is refused with its place.

A file is a JSON list of operations, an object with such a list as ``operations``, or JSON Lines: one operation a line.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

import msgspec

from amends.errors import UnusableInput

STANDARD_INPUT: Final = "-"

BYTE: Final = re.compile(r" \(byte (\d+)\)$")
PLACE_IN_VALUE: Final = re.compile(r" - at `.*`$")
STRING_OR_NUMBER: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|(-?\d[\d.eE+-]*)', re.DOTALL)
LONE_SURROGATE: Final = re.compile(  # RFC 8259, section 8.2: what readers make of it is unpredictable
    rb"(?<!\\)(?:\\\\)*(\\u[dD](?:[89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|[c-fC-F][0-9a-fA-F]{2}))"
)
WORD: Final = re.compile(rb"[-+.\w]{1,20}|.", re.DOTALL)


class OperationFile(NamedTuple):
    """The operations of one file.

    Attributes:
        name: of the file, as a person reads it.
        operations: not looked at yet.
        lines: of JSON Lines, the line of each operation, from 1; else empty.
        digest: of what the file contains; empty for what is no file.
    """

    name: str
    operations: list[Any]
    lines: tuple[int, ...] = ()
    digest: bytes = b""

    def place(self, index: int) -> str:
        """Where an operation stands in its file."""
        return f"line {self.lines[index]}" if self.lines else f"index {index}"


class Source(NamedTuple):
    """A piece of a file that has to be one JSON document.

    Attributes:
        name: of the file.
        data: UTF-8.
        line: where it begins, from 1.
    """

    name: str
    data: bytes
    line: int = 1

    def refuse(self, position: int, what: str) -> NoReturn:
        """Say what is wrong at a position.

        Raises:
            UnusableInput: always.
        """
        before = self.data[:position]
        line = self.line + before.count(b"\n")
        column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
        raise UnusableInput(f"{self.name}: line {line}, column {column}: {what}")


def read_batch(file: str) -> OperationFile:
    """Read a file of operations.

    Args:
        file: its path; ``-`` for standard input.

    Raises:
        UnusableInput: it cannot be read, is not JSON, or holds no list of operations.
    """
    if file == STANDARD_INPUT:
        return _read("standard input", sys.stdin.buffer.read())
    name = file if file.isprintable() else ascii(file)
    try:
        data = Path(file).read_bytes()
    except FileNotFoundError:
        raise UnusableInput(f"{name}: no such file") from None
    except OSError as error:
        raise UnusableInput(f"{name}: cannot be read: {error.strerror}") from None
    return _read(name, data)


def _read(name: str, data: bytes) -> OperationFile:
    return batch_of(name, data)._replace(digest=hashlib.blake2b(data).digest())


def batch_of(name: str, data: bytes) -> OperationFile:
    """The batch that a file's bytes hold.

    Args:
        name: of the file, for the batch and for errors.
        data: all of it.

    Raises:
        UnusableInput: it is not JSON, or holds no list of operations.
    """
    _check_text(Source(name, data))
    lines = [Source(name, line, at) for at, line in enumerate(data.split(b"\n"), 1) if line.strip()]
    if not lines:
        raise UnusableInput(f"{name}: it is empty; give a list of operations, [] for none")
    if len(lines) > 1 and _is_a_list(lines[0]):
        return OperationFile(name, [_decoded(line) for line in lines], tuple(line.line for line in lines))
    found = _decoded(Source(name, data))
    if isinstance(found, dict):
        found = found.get("operations")
    if not isinstance(found, list):
        raise UnusableInput(f'{name}: no list of operations, nor an object that has one as "operations"')
    if len(lines) == 1 and found and isinstance(found[0], str):
        return OperationFile(name, [found], (lines[0].line,))
    return OperationFile(name, found)


def _check_text(source: Source) -> None:
    if source.data.startswith(codecs.BOM_UTF8):
        source.refuse(0, "it begins with a byte order mark; save it as UTF-8 without one")
    try:
        source.data.decode()
    except UnicodeDecodeError as error:
        source.refuse(error.start, f"not UTF-8 text: {error.reason}")


def _is_a_list(source: Source) -> bool:
    """Whether a first line is a whole JSON list, so that the file is JSON Lines, and not one document of many lines."""
    try:
        return isinstance(_decoded(source), list)
    except UnusableInput:
        return False


def _decoded(source: Source) -> Any:
    try:
        found = msgspec.json.decode(source.data)
        if b"{" in source.data:  # msgspec takes the last of repeated keys; which one was meant is anyone's guess
            json.loads(source.data, object_pairs_hook=_each_key_once)
    except RecursionError:
        raise UnusableInput(f"{source.name}: line {source.line}: nested too deeply") from None
    except RepeatedKey as error:
        raise UnusableInput(f"{source.name}: an object has the key {error.args[0]!a} twice") from None
    except msgspec.DecodeError as error:
        _explain(source, str(error))
    return found


class RepeatedKey(Exception):
    """An object has a key twice."""


def _each_key_once(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise RepeatedKey(key)
        seen.add(key)


def _explain(source: Source, error: str) -> NoReturn:
    """Say in one line what msgspec found, and where; it gives a byte, a path, or neither."""
    data = source.data
    lone = LONE_SURROGATE.search(data)
    if lone and ("surrogate" in error or "truncated" in error):
        source.refuse(lone.start(1), f"not JSON: {lone[1].decode()} is half of a character")
    if PLACE_IN_VALUE.search(error) or error == "Number out of range":
        source.refuse(next(_numbers_out_of_range(data), 0), "a number is too large to be read")
    at = BYTE.search(error)
    if at is None:
        source.refuse(len(data.rstrip()), "not JSON: it ends too early")
    what = BYTE.sub("", error).removeprefix("JSON is malformed: ")
    position = int(at[1]) - (what == "trailing characters")  # of these it tells the second
    word = WORD.match(data, position)
    source.refuse(position, f"not JSON: {what}" + (f": {word[0].decode(errors='replace')!a}" if word else ""))


def _numbers_out_of_range(data: bytes) -> Iterator[int]:
    for found in STRING_OR_NUMBER.finditer(data):
        if found[1] and _is_out_of_range(found[1].decode()):
            yield found.start()


def _is_out_of_range(number: str) -> bool:
    try:
        return math.isinf(float(number)) if set(number) & set(".eE") else int(number) is None
    except ValueError:  # more digits than Python converts (CVE-2020-10735)
        return True
