"""NATS JetStream as a wire, and for events, through nats-py (docs/adr/0038-nats-as-a-wire.md)."""

from amends.adapters.nats.address import nats_address
from amends.adapters.nats.event_stream import NatsEventPlace
from amends.adapters.nats.wire import NatsWire

__all__ = ["NatsEventPlace", "NatsWire", "nats_address"]
