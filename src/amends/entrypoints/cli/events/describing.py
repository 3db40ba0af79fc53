"""``amends asyncapi``: what crosses between processes, as a document for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from amends.core.definition import Saga
from amends.events.asyncapi import asyncapi


def print_asyncapi(sagas: Sequence[Saga], title: str) -> None:
    """Print the document of some definitions, on several lines."""
    document = msgspec.json.encode(asyncapi(sagas, title))
    sys.stdout.write(msgspec.json.format(document).decode() + "\n")
