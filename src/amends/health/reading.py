"""Reading what a process tells of itself."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPException
from typing import Final

import msgspec

from amends.errors import EngineStopped
from amends.health.places import HealthFile, HealthPlace, HealthPort
from amends.health.report import AGE_MAX, HealthReport, report_in

ANSWER_S: Final = 5.0  # within which a process answers that runs
BYTES_MAX: Final = 256 * 1024  # of a report: a hundred times what one has


def health_at(place: HealthPlace) -> HealthReport:
    """What a process tells of itself.

    Raises:
        EngineStopped: nothing is told there, or what is told is old: the process is gone, or stands still.
    """
    try:
        report = report_in(_told(place))
    except FileNotFoundError:
        raise EngineStopped(f"{place} is not there: its process has not begun, or has ended") from None
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise EngineStopped(f"{place} tells nothing: {why}") from error
    except msgspec.DecodeError as error:
        raise EngineStopped(f"{place} tells nothing of a process of Amends: {error}") from error
    if report.age > AGE_MAX:
        age_s = report.age.total_seconds()
        raise EngineStopped(f"{place} was told {age_s:.0f} s ago: process {report.pid} is gone, or stands still")
    return report


def _told(place: HealthPlace) -> bytes:
    if isinstance(place, HealthFile):
        with place.path.open("rb") as file:
            return file.read(BYTES_MAX)
    return _answered(place)


def _answered(place: HealthPort) -> bytes:
    connection = HTTPConnection(place.host, place.port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().read(BYTES_MAX)
    finally:
        connection.close()
