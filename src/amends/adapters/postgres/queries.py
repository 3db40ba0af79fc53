"""The queries of `queries.sql`, `events.sql` and `wire.sql`, by name."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

NAMED: Final = re.compile(r"^-- name: (\w+)\n((?:--.*\n)+)([^;]+);", re.MULTILINE)


def _loaded(name: str) -> dict[str, bytes]:
    text = files(__package__).joinpath(name).read_text("utf-8")
    return {name: query.strip().encode() for name, _, query in NAMED.findall(text)}


QUERIES: Final = _loaded("queries.sql")
"""Name to query; what each is for stands above it in `queries.sql`."""
BEFORE_HEADS: Final = {name: re.sub(rb"\bheads\b", b"blocks", query) for name, query in QUERIES.items()}
"""The same for who reads a schema of before version 4: its blocks have all that is in a head."""
OF_EVENTS: Final = {**QUERIES, **_loaded("events.sql")}
"""The same for who publishes events."""
OF_WIRES: Final = {**QUERIES, **_loaded("wire.sql")}
"""The same for the end of a wire, whose settings are others."""
