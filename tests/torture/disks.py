"""The disk of the tests that cut the power, which also can be found as a killed process leaves it."""

from __future__ import annotations

import random
from types import TracebackType

import apsw

from tests.adapters.sqlite.power import Disk


class QuietDisk(Disk):
    """A disk whose failures are nobody's matter where SQLite cannot pass them on, as when it closes a file."""

    def excepthook(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        """Say nothing."""
        return True

    def after_cut(self, chance: random.Random) -> QuietDisk:
        """The disk as it is found when the power is back."""
        return QuietDisk({name: medium.synced or b"" for name, medium in super().after_cut(chance).media.items()})

    def after_kill(self) -> QuietDisk:
        """The disk as the next process finds it: a kill loses nothing that was written."""
        return QuietDisk(self.files())

    def files(self) -> dict[str, bytes]:
        """What its files hold, by name."""
        return {name: bytes(medium.now) for name, medium in self.media.items()}

    def die(self) -> None:
        """Let every operation fail from now on."""
        self.fault = _dead


def _dead(operation: str, _name: str) -> None:
    raise apsw.IOError(f"nobody is there for {operation}")
