"""The shop, spread on one machine: its processes, on any stores and wire, and servers of its own for them."""

from __future__ import annotations

from enum import StrEnum


class WireKind(StrEnum):
    """What carries the messages."""

    postgresql = "postgresql"
    nats = "nats"
