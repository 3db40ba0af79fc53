"""Where health is told: a port, of this machine alone unless another address is named, or a file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from amends.errors import UnusableInput
from amends.storage.codecs.values import shown

PORT: Final = re.compile(r"(?:(?P<host>[\w.-]+|\[[0-9a-fA-F:.]+\]):)?(?P<port>[0-9]{1,5})", re.ASCII)
LOOPBACK: Final = "127.0.0.1"
PORT_MAX: Final = 65_535  # of TCP
FORMS: Final = "give a port (8080, or 0.0.0.0:8080 for other machines, too) or the path of a file"


class HealthPort(NamedTuple):
    """A port over which health is told.

    Attributes:
        host: the address on which it is; ``127.0.0.1`` where none was named.
        port: 1 to 65535.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """As a person writes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class HealthFile(NamedTuple):
    """A file in which health is told.

    Attributes:
        path: of the file, for one process alone.
    """

    path: Path

    def __str__(self) -> str:
        """As a person writes it."""
        return str(self.path)


HealthPlace = HealthPort | HealthFile


def taken_places(given: Any) -> tuple[HealthPlace, ...]:
    """Where health is told, as a caller says.

    Args:
        given: a port, a path, or several of them; ``None`` for nowhere.

    Raises:
        UnusableInput: one of them is neither.
    """
    if given is None:
        return ()
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        return (health_place(given),)
    return (*map(health_place, given),)


def health_place(given: Any) -> HealthPlace:
    """One of these places.

    Raises:
        UnusableInput: it is none.
    """
    if not isinstance(given, int | str | os.PathLike) or isinstance(given, bool):
        raise UnusableInput(f"health is {shown(given)}; {FORMS}")
    text = os.fsdecode(given) if isinstance(given, str | os.PathLike) else str(given)
    if named := PORT.fullmatch(text):
        port = int(named["port"])
        if not 1 <= port <= PORT_MAX:
            raise UnusableInput(f"health is {shown(given)}; give a port from 1 to {PORT_MAX}")
        return HealthPort((named["host"] or LOOPBACK).strip("[]"), port)
    if isinstance(given, int) or not text or "\0" in text:
        raise UnusableInput(f"health is {shown(given)}; {FORMS}")
    return HealthFile(Path(text))
