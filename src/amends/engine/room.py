"""How much one commit holds, and how much of that is taken."""

from __future__ import annotations

from amends.engine.recording import Recording


class CommitFull(Exception):
    """More is to be decided, or to be written, than one commit holds.

    Attributes:
        done: how many parts of the task that was carried out just then are decided.
    """

    def __init__(self, letters: int, done: int) -> None:
        super().__init__(f"{letters} characters are more than one commit holds")
        self.done = done


class Room:
    """What one unit of work may decide, in characters.

    Attributes:
        letters_max: how many it may.
        looked_at: those of the requests that it looked at.
    """

    def __init__(self, recording: Recording, letters_max: int) -> None:
        self.letters_max = letters_max
        self.looked_at = 0
        self._recording = recording

    @property
    def letters(self) -> int:
        """How many are decided: of records, and of the requests that were looked at."""
        return self.looked_at + self._recording.size

    def expect(self, done: int = 0) -> None:
        """To be called before more is decided.

        Args:
            done: how many parts of a task are decided.

        Raises:
            CommitFull: what is decided is as much as one commit holds.
        """
        if self.looked_at + self._recording.size > self.letters_max:
            raise CommitFull(self.letters, done)
