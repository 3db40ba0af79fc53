"""What engines write into their log while they are simulated: it is part of the schedule, and no exception may be."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from amends.checking.simulator.environment import Environment
from amends.engine.logger import log


@contextmanager
def logged(world: Environment) -> Iterator[None]:
    """Let what the log gets be told in the world alone; an exception in it is a bug of the engine."""

    def take(record: logging.LogRecord) -> bool:
        world.tell("log", record.getMessage())
        if record.exc_info:
            world.broke("P16", f"{record.getMessage()}: {record.exc_info[1]!r}")
        return False

    log.logger.addFilter(take)
    try:
        yield
    finally:
        log.logger.removeFilter(take)
