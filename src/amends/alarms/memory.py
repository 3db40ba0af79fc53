"""What was told of which alarms, in a file: so that a process that is started anew tells nothing twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import msgspec

from amends.errors import UnusableInput

BYTES_MAX: Final = 2**24  # of the file: some ten thousand alarms, a thousand times what there are


class KeptAlarm(msgspec.Struct):
    """An alarm that holds, or whose end is not told everywhere yet.

    Attributes:
        rule: of it.
        subject: of it.
        text: what was so last.
        saga_ids: some of the sagas.
        began_ms: when it was found first, milliseconds since 1970 (UTC).
        missed: in how many looks since the last one it was not found.
        ended_ms: when it ended; 0 while it holds.
        told: the places that know that it began.
        told_end: those that know that it ended.
    """

    rule: str
    subject: str
    text: str
    saga_ids: tuple[str, ...]
    began_ms: int
    missed: int = 0
    ended_ms: int = 0
    told: list[str] = []
    told_end: list[str] = []


class AlarmMemory:
    """The alarms of a store, kept in a file, or for the life of the process."""

    def __init__(self, path: Path | None) -> None:
        """Read what was kept.

        Args:
            path: of the file; ``None`` for none.

        Raises:
            UnusableInput: it cannot be read, or is none of ours.
        """
        self.alarms: dict[tuple[str, str], KeptAlarm] = {}
        self._path = path
        for alarm in _read(path) if path is not None else ():
            self.alarms[alarm.rule, alarm.subject] = alarm
        self._written = self._as_json()

    def keep(self) -> None:
        """Write what changed. A reader has the file of before or this one, also after a power cut.

        Raises:
            OSError: it cannot be written.
        """
        told = self._as_json()
        if self._path is None or told == self._written:
            return
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with beside.open("wb") as file:
            file.write(told)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        self._written = told

    def _as_json(self) -> bytes:
        return msgspec.json.encode([*self.alarms.values()])


def _read(path: Path) -> list[KeptAlarm]:
    try:
        with path.open("rb") as file:
            return msgspec.json.decode(file.read(BYTES_MAX), type=list[KeptAlarm])
    except FileNotFoundError:
        return []
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise UnusableInput(
            f"{path} is to keep which alarms were told, and cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
