"""Statements in one round trip, by libpq's own functions: the driver's cursors take several times as long.

A pipeline is not left. To leave it, the driver sends one more message behind the one after which the server begins to
count how long a transaction is idle, and the server then counts no more: a turn that stands still would keep its locks.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final, NamedTuple

import psycopg
from psycopg.abc import PQGen
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Wait

Values = tuple[Any, ...]
Statement = tuple[str, dict[str, Any]]
"""A query's name, and its parameters."""
SentValue = tuple[bytes | None, int, Format]
"""A parameter as the server gets it, the number of its type, and its format."""
SentStatement = tuple[bytes, Sequence[bytes | None], Sequence[int], Sequence[Format]]
"""A query, and its parameters: all values, all types, all formats."""

PARAMETER: Final = re.compile(rb"%\((\w+)\)s")
FROM_ITS_PLACE: Final = 0  # the number of a type that the server tells by where the parameter stands
BOOL, BYTEA, BIGINT, BYTEA_ARRAY = 16, 17, 20, 1001  # the numbers of types in PostgreSQL (pg_type.dat)
NOTHING: Final = ((), (), ())


class Answer(NamedTuple):
    """What a statement came to.

    Attributes:
        rows: that it gave.
        number: of rows that it gave, or wrote.
    """

    rows: list[Values]
    number: int


class StatementPipeline:
    """The pipeline of a connection."""

    def __init__(self, driver: psycopg.Connection[Any], queries: Mapping[str, bytes]) -> None:
        """Begin it.

        Args:
            driver: the connection, which is used for nothing else from now on.
            queries: by name.
        """
        self._driver, self._queries = driver, queries
        self._loaded = Transformer(driver)
        driver.pgconn.enter_pipeline_mode()

    def run(self, statements: Iterable[Statement]) -> list[Answer]:
        """Carry out statements, one after the other, and none after one that fails.

        Args:
            statements: each is sent before the next is asked for, so that the server works while that is made.

        Raises:
            psycopg.Error: what the server said of the one that failed; or the connection is lost.
            UnicodeEncodeError: a text that no database can hold; what is before it is carried out.
        """
        connection, sent = self._driver.pgconn, 0
        try:
            for name, parameters in statements:
                connection.send_query_params(*_as_sent(self._queries[name], parameters), Format.BINARY)
                connection.flush()
                sent += 1
        except UnicodeEncodeError:
            self._results(sent)
            raise
        results = self._results(sent)
        for result in results:
            if result.status == ExecStatus.FATAL_ERROR:
                raise error_from_result(result)
        return [self._answer(result) for result in results[:sent]]

    def _results(self, sent: int) -> list[PGresult]:
        self._driver.pgconn.pipeline_sync()
        return self._driver.wait(_results(self._driver.pgconn, sent))

    def _answer(self, result: PGresult) -> Answer:
        if result.status != ExecStatus.TUPLES_OK:
            return Answer([], result.command_tuples or 0)
        self._loaded.set_pgresult(result)
        return Answer(self._loaded.load_rows(0, result.ntuples, tuple), result.ntuples)


@cache
def _numbered(query: bytes) -> tuple[bytes, Sequence[str]]:
    """A query with numbers for its parameters, and their names in the order of these."""
    names = [*dict.fromkeys(PARAMETER.findall(query))]
    text = PARAMETER.sub(lambda found: b"$%d" % (names.index(found[1]) + 1), query)
    return text, [name.decode() for name in names]


def _as_sent(query: bytes, parameters: dict[str, Any]) -> SentStatement:
    text, names = _numbered(query)
    values, types, formats = zip(*[_value(parameters[name]) for name in names], strict=True) if names else NOTHING
    return text, values, types, formats


def _value(value: str | int | bytes | list[bytes] | None) -> SentValue:
    if isinstance(value, str):
        return value.encode(), FROM_ITS_PLACE, Format.TEXT
    if isinstance(value, bool):
        return b"t" if value else b"f", BOOL, Format.TEXT
    if isinstance(value, int):
        return b"%d" % value, BIGINT, Format.TEXT
    if isinstance(value, list):
        return _byte_arrays(value), BYTEA_ARRAY, Format.BINARY
    return value, BYTEA if value is not None else FROM_ITS_PLACE, Format.BINARY


def _byte_arrays(values: Sequence[bytes]) -> bytes:
    """An array of byte arrays, of one dimension, none of them NULL, the first of them number 1."""
    head = struct.pack("!iiiii", 1, 0, BYTEA, len(values), 1)
    return b"".join([head, *chain.from_iterable((struct.pack("!i", len(value)), value) for value in values)])


def _results(connection: PGconn, statements: int) -> PQGen[list[PGresult]]:
    """Wait for what statements come to, and for the end of all."""
    results = list[PGresult]()
    for _ in range(2 * statements + 1):  # each has a result, and an end of its own
        while connection.is_busy():
            if (yield Wait.R):
                connection.consume_input()
        if result := connection.get_result():
            results.append(result)
    return results
