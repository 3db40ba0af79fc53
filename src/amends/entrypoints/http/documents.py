"""What is seen, as plain values for JSON, and where it is to be seen."""

from __future__ import annotations

from typing import Any, Final

from litestar import Request
from litestar.di import NamedDependency

from amends.client.client import Client
from amends.views.story import Description

OPEN_TO_ALL: Final[list[dict[str, list[str]]]] = [{}]
"""What the OpenAPI document says of a route that needs no key."""
TheClient = NamedDependency[Client]
"""The client that a route asks: that of its application."""


def saga_document(saga: Description) -> dict[str, Any]:
    """A saga, step by step."""
    return saga.as_json()


def location_of(request: Request[Any, Any, Any], path: str) -> str:
    """A path of this application, below the path that it is mounted at."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/") + path


def etag_of(saga: Description) -> str:
    """The tag of a saga as it stands: each change of it has a record, and so a number."""
    return f'"{saga.number}-{saga.status.replace(" ", "-")}"'
