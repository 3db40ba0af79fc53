"""A connection that does not wait for ever: one whose other end has vanished need not say so.

TCP finds out where nothing comes back at all. Where something on the way takes what is sent, and gives nothing on, as a
proxy or a firewall can, only the missing answer tells.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from math import inf
from typing import Any, TypeVar

import psycopg
from psycopg import OperationalError
from psycopg.waiting import Ready, Wait

Answer = TypeVar("Answer")


class ImpatientConnection(psycopg.Connection[Any]):
    """The driver's connection.

    Attributes:
        silence_s: for how long it waits for an answer, in seconds, before it closes.
    """

    silence_s: float = inf

    def wait(self, gen: Generator[Any, Any, Answer], *given: Any, **named: Any) -> Answer:
        """Wait for an answer.

        Raises:
            OperationalError: there was none; the connection is closed.
        """
        return super().wait(self._within(gen), *given, **named)

    def _within(self, waiting: Generator[Any, Any, Answer]) -> Generator[Any, Any, Answer]:
        """What waits, which the driver resumes some times a second, also when nothing has come.

        In a pipeline the driver waits for answers alone once it has handed over its last statement: of one that is
        larger than what the system takes at once, the rest would never be sent.
        """
        until = time.monotonic() + self.silence_s
        try:
            awaited = next(waiting)
            while True:
                come = yield Wait.RW if self.pgconn.flush() else awaited
                if not come and time.monotonic() > until:
                    self.close()
                    raise OperationalError(f"no answer for {self.silence_s:g} s")
                if come != Ready.W or awaited != Wait.R:  # else there is only more of it to send
                    awaited = waiting.send(come)
        except StopIteration as ended:
            answer: Answer = ended.value
            return answer
