"""Who calls, and what for: each route says which scope it needs, and no route is without one."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

NOT_NAMED: Final = "anyone on this machine"
"""Who it is where no key is asked for."""


class Scope(StrEnum):
    """What a caller may do; each is given by itself."""

    public = "public"
    """Of a route that needs no key. No key has it."""
    read = "read"
    start = "start"
    cancel = "cancel"
    operate = "operate"
    audit = "audit"


GRANTED: Final = frozenset(Scope) - {Scope.public}
"""The scopes that a key can have."""


class Caller(NamedTuple):
    """Who calls.

    Attributes:
        name: as it stands in the records of sagas.
        scopes: what the caller may do: names of scopes, as of a key.
    """

    name: str
    scopes: frozenset[str]


ANYONE: Final = Caller(NOT_NAMED, GRANTED)


def caller_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    """Who calls, once that is known."""
    caller: Caller = connection.scope["user"]
    return caller
