"""The queries of `queries.sql`, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

ROWS_AT_ONCE: Final = 32  # a row then costs two thirds of what it does alone; with 16 or 64 a little more (callgrind)
ROW: Final = re.compile(r"VALUES (\((?:\?, )*\?\))")
NAMED: Final = re.compile(r"^-- name: (\w+)\n((?:--.*\n)+)([^;]+);", re.MULTILINE)


def _loaded() -> dict[str, str]:
    text = files(__package__).joinpath("queries.sql").read_text("utf-8")
    return {name: query.strip() for name, _, query in NAMED.findall(text)}


def _of_many_rows() -> Iterator[tuple[str, tuple[str, int]]]:
    for name, query in QUERIES.items():
        if values := ROW.search(query):
            rows = "VALUES " + ", ".join([values[1]] * ROWS_AT_ONCE)
            yield name, (query.replace(values[0], rows), ROWS_AT_ONCE * values[1].count("?"))


QUERIES: Final = _loaded()
"""Name to query; what each is for stands above it in `queries.sql`."""

OF_MANY_ROWS: Final = dict(_of_many_rows())
"""Name of an insertion to the same for `ROWS_AT_ONCE` rows, and how many values these have."""
