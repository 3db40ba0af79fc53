"""Running the spread shop until it is told to end, and saying what becomes of its processes."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Final

from amends.entrypoints.spread import WireKind
from amends.entrypoints.spread.local_shop import LocalShop, folder_of
from amends.entrypoints.spread.processes import ShopProcess

LOOK_S: Final = 0.2  # how often it is looked whether a process died
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_shop(data: Path | None, wire: WireKind) -> int:
    """Run it until the process is told to end; the exit code.

    Args:
        data: the folder for all of it; ``None`` for one that is gone at the end.
        wire: what carries the messages.

    Raises:
        UnusableInput: it cannot be started here.
        EngineStopped: one of its processes does not start.
    """
    with _told() as told, folder_of(data) as folder:
        _say(f"the shop starts, its data and logs are in {folder}")
        with LocalShop(folder, wire) as local:
            local.shop.start(told.is_set)
            if not told.is_set():
                _introduce(local)
            while not told.wait(LOOK_S):
                _restart_dead(local, told)
            _say("told to end: the coordinators end first, then the hosts, then the servers")
    _say("all have ended")
    return 0


def _introduce(local: LocalShop) -> None:
    _say_up(local.shop.all)
    _say(f"{'the wire':<13} is {local.wire_url}")
    _say(f"orders are placed by: amends run FILE --spread {quote(local.orders_url)}")
    _say("Ctrl-C ends all")


def _restart_dead(local: LocalShop, told: threading.Event) -> None:
    dead = [process for process in local.shop.all if not process.runs]
    for process in dead:
        _say(f"{process.name}, process {process.pid}, died, and is started again")
    if dead:
        local.shop.start(told.is_set)
        _say_up(dead)


def _say_up(processes: Sequence[ShopProcess]) -> None:
    for process in processes:
        _say(f"{process.name:<13} is up, process {process.pid}, on {process.db}")


def _say(line: str) -> None:
    sys.stdout.write(f"amends: {line}\n")
    sys.stdout.flush()


@contextmanager
def _told() -> Iterator[threading.Event]:
    """Whether the process is told to end."""
    told = threading.Event()
    before = [signal.signal(number, lambda *_: told.set()) for number in SIGNALS]
    try:
        yield told
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)
