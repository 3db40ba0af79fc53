"""``amends health``: what a process tells of itself."""

from __future__ import annotations

import sys
from datetime import datetime

from amends.health.places import health_place
from amends.health.reading import health_at

WELL, ILL = 0, 1


def show_health(place: str, *, is_live_enough: bool) -> int:
    """Show it. Returns 0 where the process is as it should be, else 1.

    Args:
        place: where it is told.
        is_live_enough: whether that it lives is all that is asked.

    Raises:
        UnusableInput: the place is none.
        EngineStopped: nothing is told there.
    """
    report = health_at(health_place(place))
    lines = [
        f"{report.state} since {_moment(report.since)}, process {report.pid}",
        *[f"  {name:10}  {getattr(report, name)}" for name in ("store", "wire", "durability")],
        *[f"  because     {reason}" for reason in report.reasons],
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    health = report.health
    return WELL if health.is_ready or (is_live_enough and health.is_live) else ILL


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%SZ}"
