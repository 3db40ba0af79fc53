"""NATS JetStream as a wire, through nats-py (docs/adr/0038-nats-as-a-wire.md)."""

from amends.adapters.nats.address import nats_address
from amends.adapters.nats.wire import NatsWire

__all__ = ["NatsWire", "nats_address"]
