"""The address of a database, and of the schema in it that a shop has for itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from amends.adapters.postgres.settings import OF_READS
from amends.adapters.postgres.silence import ImpatientConnection
from amends.errors import StoreUnusable
from amends.storage.location import without_password

SCHEMA: Final = "amends"
"""Of a store whose address names none."""
OURS: Final = ("schema", "direct")
"""Parameters of an address that are not the driver's."""
PORT: Final = "5432"  # PostgreSQL's own
DIRECT: Final = re.compile(r"(?P<host>[^:,]+|\[[0-9a-f:]+\])(?::(?P<port>[0-9]{1,5}))?")
SCHEMA_NAME: Final = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,39}")
CONNECTION: Final[dict[str, Any]] = {
    "application_name": "amends",
    "connect_timeout": 5,  # seconds, for each host that the address names
    "keepalives_idle": 2,  # seconds: of a server that vanished in silence, it is known after some 8 s
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 8_000,  # milliseconds: the same where something was sent
}
"""What a connection has that its address does not say otherwise."""


class Address(NamedTuple):
    """Where a shop is.

    Attributes:
        shown: its URL without a password, for people.
        schema: of the database.
        connection: what the driver connects with, a password among it: no one else is shown that.
        direct: where that is a pooler, what replaces of it to reach the server itself; empty for nothing.
    """

    shown: str
    schema: str
    connection: dict[str, Any]
    direct: Mapping[str, Any] = MappingProxyType({})

    def __repr__(self) -> str:
        return self.shown

    def past_pooler(self) -> Address:
        """The same database without the pooler before it, where the address says how; else the same."""
        return self._replace(connection={**self.connection, **self.direct})

    def connect(self, silence_s: float = OF_READS.silence_s) -> psycopg.Connection[Any]:
        """A connection of which nothing is kept between two transactions, as a pooler may have it.

        Args:
            silence_s: after so many seconds without an answer it counts as lost.

        Raises:
            psycopg.Error: there is none.
        """
        driver = ImpatientConnection.connect(**self.connection, autocommit=True, prepare_threshold=None)
        driver.silence_s = silence_s
        return driver


def address_of(url: str, schema: str = SCHEMA) -> Address:
    """The address that a URL means.

    Args:
        url: ``postgresql://user:password@host:port/database?schema=shop``; parts may be left out, and what the driver
            knows beside them (sslmode, several hosts) may be added, as libpq has it. Where that is a pooler,
            ``direct=host:port`` is the server behind it, to which the connection for wake-ups goes.
        schema: where the URL names none.

    Raises:
        StoreUnusable: it is none; one line says what is wrong with it, and holds no password.
    """
    shown = without_password(url)
    try:
        connection, named, direct = _parted(url)
    except (ValueError, psycopg.Error):
        raise StoreUnusable(f"{shown}: it is no address of a PostgreSQL: {_fault_of(shown)}") from None
    schema = schema if named is None else named
    if not SCHEMA_NAME.fullmatch(schema):
        raise StoreUnusable(
            f"{shown}: schema={schema!r:.100} is no name for a schema: give 1 to 40 letters a to z, digits and _"
        )
    server = DIRECT.fullmatch(direct)
    if direct and not server:
        raise StoreUnusable(f"{shown}: direct={direct!r:.100} is no server behind a pooler: give HOST or HOST:PORT")
    past = {"host": server["host"].strip("[]"), "port": server["port"] or PORT, "hostaddr": None} if server else {}
    return Address(shown, schema, {**CONNECTION, **connection, "client_encoding": "UTF8"}, past)


def _parted(url: str) -> tuple[dict[str, Any], str | None, str]:
    """What the driver connects with, the schema if one is named, and the server behind a pooler.

    Raises:
        ValueError, psycopg.Error: it is no URL.
    """
    parts = urlsplit(url)
    named = parse_qsl(parts.query, keep_blank_values=True)
    rest = urlencode([(name, value) for name, value in named if name not in OURS])
    connection = conninfo_to_dict(parts._replace(query=rest).geturl())
    port = str(connection.get("port", ""))
    if not re.fullmatch(r"[0-9,]*", port) or "@" in parts.path:
        raise ValueError(f"its port is {port!r:.20}, and the name of its database {parts.path!r:.60}")
    ours = dict(named)
    return connection, ours.get("schema"), ours.get("direct", "")


def _fault_of(shown: str) -> str:
    """What is wrong with a URL, of what is left of it without its password: the driver quotes what it cannot read."""
    try:
        _parted(shown)
    except (ValueError, psycopg.Error) as error:
        return " ".join(str(error).split())
    return "its password holds what a URL takes as %XX alone, such as %2F for a /"
