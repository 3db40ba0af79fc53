"""How long a takeover of many waiting sagas takes, until each was looked at: ``python -m bench.takeover [SAGAS]``.

A third of them was asked of a participant that may have answered, a third was taken by it for later, a third waits for
a slot. New sagas are started meanwhile, one a turn. The turns alone are measured, in one thread, and without the
garbage collector, as the engine takes them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from amends import Later, Saga, external
from amends.adapters.sqlite.store import SqliteStore
from amends.core.messages import Answered, Kind
from amends.engine.coordinator import Coordinator
from amends.engine.in_flight import attempt_id_of
from amends.engine.task import Task
from amends.engine.tasks import Deliver, StartSagas
from amends.engine.turn_io import drive
from amends.engine.turn_thread import collector_off
from amends.engine.waking import ReturnUnsent
from bench.__main__ import DATA
from bench.measure import machine
from bench.workloads import Numbered, nothing

SAGAS: Final = 100_000
A_TURN: Final = 3_000
DAY_S: Final = 86_400.0
START_MS: Final = 1_790_000_000_000


WAITING: Final = Saga(
    "waiting",
    Numbered,
    [
        external(
            "FIRST_DONE", nothing, undo=nothing, undone="FIRST_UNDONE", service="OUTSIDE",
            timeout_s=DAY_S, start_within_s=DAY_S, limit_s=2 * DAY_S,
        )
    ],
)  # fmt: skip


def left_behind(path: Path, sagas: int) -> None:
    """Write a store as a process leaves it that is killed."""
    with closing(SqliteStore(path)) as store:
        coordinator = Coordinator(store, [WAITING], now_ms=START_MS, prefix="a")
        codec = coordinator.definitions.codec_of(WAITING)
        for first in range(0, sagas, A_TURN):
            requests = [Numbered(number) for number in range(first, min(sagas, first + A_TURN))]
            now_ms = START_MS + first + 1
            sends = [send for _, send in drive(coordinator.turn([StartSagas(codec, requests)], now_ms), store).sends]
            tasks: list[Task] = [
                Deliver(send.request.saga_id, Answered("FIRST_DONE", Kind.DO, Later(DAY_S), 1)) for send in sends[1::3]
            ]
            tasks += [ReturnUnsent(attempt_id_of(send)) for send in sends[2::3]]
            drive(coordinator.turn(tasks, now_ms + 1), store)


def take_over(path: Path) -> dict[str, Any]:
    """Open the store again, and take turns until nothing is left that is due by itself."""
    began_s, began_cpu_s, longest_s, turns = time.perf_counter(), time.process_time(), 0.0, 0
    with closing(SqliteStore(path)) as store:
        coordinator = Coordinator(store, [WAITING], now_ms=START_MS + 3_600_000, prefix="b")
        codec = coordinator.definitions.codec_of(WAITING)
        now_ms, is_over = START_MS + 3_600_001, False
        while not is_over:
            turn_s = time.perf_counter()
            with collector_off():
                result = drive(coordinator.turn([StartSagas(codec, [Numbered(turns)])], now_ms), store)
            longest_s, turns = max(longest_s, time.perf_counter() - turn_s), turns + 1
            is_over = result.due_ms is None or result.due_ms > now_ms
        return {
            "wall s": round(time.perf_counter() - began_s, 2),
            "cpu s": round(time.process_time() - began_cpu_s, 2),
            "turns, and new sagas": turns,
            "longest turn, ms": round(longest_s * 1000),
        }


def main() -> int:
    """Print what it came to."""
    sagas = int(sys.argv[1]) if len(sys.argv) > 1 else SAGAS
    DATA.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=DATA) as made:
        path = Path(made) / "waiting.db"
        left_behind(path, sagas)
        print(f"{sagas} waiting sagas, on {machine()}: {take_over(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
