"""What is told of a process, as JSON: how it does, since when, and when that was looked at."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

import msgspec

from amends.engine.health import Health, State

AGE_MAX: Final = timedelta(seconds=10)
"""Of a report that counts: five looks, none of which a process that runs leaves out."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class HealthReport(msgspec.Struct, frozen=True):
    """How a process does, as it is told.

    Attributes:
        state: see `amends.engine.health.Health`, also of the four that follow it.
        since: since when it has been in that state.
        store: whether its store answers.
        wire: whether its wire answers.
        durability: what a commit survives.
        reasons: why it is not ready.
        pid: of the process.
        at: when it was looked at.
    """

    state: State
    since: Moment
    store: str
    wire: str
    durability: str
    reasons: tuple[str, ...]
    pid: int
    at: Moment

    @property
    def health(self) -> Health:
        """How it does."""
        return Health(self.state, self.store, self.wire, self.durability, self.reasons)

    @property
    def age(self) -> timedelta:
        """How long ago it was looked at, by the clock of this machine; also where that was set back since."""
        return abs(datetime.now(UTC) - self.at)

    def as_json(self) -> bytes:
        """The report, as it is told."""
        return msgspec.json.encode(self) + b"\n"


def report_of(health: Health, before: HealthReport | None = None) -> HealthReport:
    """A report of now.

    Args:
        health: how the process does.
        before: the last report.
    """
    now = datetime.now(UTC)
    since = before.since if before is not None and before.state == health.state else now
    return HealthReport(health.state, since, *health[1:], os.getpid(), now)


def report_in(told: bytes) -> HealthReport:
    """A report that was told.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return msgspec.json.decode(told, type=HealthReport)
