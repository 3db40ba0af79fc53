"""Run all engines in turn and print ratios: ``make bench-peers``, ``python -m bench.peers``.

Each engine runs in a process of its own, anew for every measurement. First each setting that might be its best is
tried twice; then the best one runs in rounds, one engine after the other, so that all of them meet the same noise.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from bench.measure import machine, middle
from bench.peers.database import PeersDatabase
from bench.peers.driving import WARM_UP_SHARE
from bench.peers.environment import RESTATE_SERVER, ROOT, CannotBeHadError, peers_python, restate_server
from bench.postgres.server import Written

ROUNDS: Final = 5
TRIES: Final = 2  # of each setting
SYNCS: Final = 100
LIMIT_S: Final = 120.0  # for one measurement, which takes some seconds
STOP_WITHIN_S: Final = 20.0
OURS: Final = "Amends"
DATA: Final = ROOT / "build" / "peers"  # the disk that the checkout is on: a /tmp in memory would make syncs free
ENDS: Final = ExitStack()
SERVER: Final = PeersDatabase(DATA, ENDS)


class Setting(NamedTuple):
    """How many sagas are on their way at the same time, and how many partitions the log has, where it has any."""

    concurrency: int
    partitions: int = 1


class Engine(NamedTuple):
    """One engine, as it is run.

    Attributes:
        name: who it is.
        module: its script.
        python: sets up what it needs, and returns its Python and what its environment has more.
        sagas: how many are measured, so that it takes some seconds.
        settings: what might be its best.
        is_on_server: whether it keeps everything in a PostgreSQL.
    """

    name: str
    module: str
    python: Callable[[], tuple[Path, dict[str, str]]]
    sagas: int
    settings: tuple[Setting, ...]
    is_on_server: bool = False


class Workload(NamedTuple):
    """What engines are given.

    Attributes:
        what: in words.
        engines: that take part.
        script: what their scripts call it.
    """

    what: str
    engines: tuple[Engine, ...]
    script: str


class Ready(NamedTuple):
    """An engine that is set up, for one workload."""

    engine: Engine
    command: list[str]
    environment: dict[str, str]


class Spent(NamedTuple):
    """What a PostgreSQL wrote for a saga: bytes and syncs of its log."""

    wal_bytes: float
    syncs: float


class Measured(NamedTuple):
    """What a script answered, how long a sync took right before, and what a PostgreSQL wrote for each saga."""

    sync_ms: float
    sagas_per_s: float
    p50_ms: float
    p99_ms: float
    checked: bool
    version: str
    spent: Spent | None = None

    @property
    def figures(self) -> tuple[float, float, float, float]:
        """Those of which a median can be taken."""
        return self.sync_ms, self.sagas_per_s, self.p50_ms, self.p99_ms


def _this() -> tuple[Path, dict[str, str]]:
    return Path(sys.executable), {}


def _peers() -> tuple[Path, dict[str, str]]:
    return peers_python(), {}


def _peers_with_server() -> tuple[Path, dict[str, str]]:
    return peers_python(), {RESTATE_SERVER: str(restate_server())}


def _this_with_database() -> tuple[Path, dict[str, str]]:
    return Path(sys.executable), SERVER.environment(is_ours=True)


def _peers_with_database() -> tuple[Path, dict[str, str]]:
    return peers_python(), SERVER.environment(is_ours=False)


AMENDS: Final = Engine(
    OURS, "bench.peers.ours", _this, 10_000, (Setting(64), Setting(256), Setting(1024))
)  # fmt: skip
DBOS: Final = Engine(
    "DBOS on SQLite", "bench.peers.on_dbos", _peers, 600, (Setting(1), Setting(2), Setting(4))
)  # fmt: skip
RESTATE: Final = Engine(
    "Restate", "bench.peers.on_restate", _peers_with_server, 1500, (Setting(64, 4), Setting(128, 4), Setting(128, 2))
)
AMENDS_ORDERS: Final = AMENDS._replace(sagas=30_000, settings=(Setting(100), Setting(1000)))
NEEDED: Final = {
    ("steps", DBOS.name): 10.0,
    ("steps", RESTATE.name): 5.0,
    ("postgres", "DBOS"): 10.0,
    ("postgres", RESTATE.name): 2.5,
    ("spread", "DBOS"): 35.0,
    ("spread", RESTATE.name): 12.0,
    ("orders", DBOS.name): 150.0,
}
AMENDS_ON_SERVER: Final = Engine(
    OURS, "bench.peers.ours", _this_with_database, 10_000, (Setting(256), Setting(1024)), is_on_server=True
)  # fmt: skip
DBOS_ON_SERVER: Final = Engine(
    "DBOS", "bench.peers.on_dbos", _peers_with_database, 1000, (Setting(4), Setting(16), Setting(32)), is_on_server=True
)
AMENDS_SPREAD: Final = Engine(OURS, "bench.peers.ours_spread", _this, 8_000, (Setting(2000),))
STEPS: Final = "four external steps that do nothing, each durable before the next"
WORKLOADS: Final = {
    "steps": Workload(STEPS, (AMENDS, DBOS, RESTATE), "steps"),
    "postgres": Workload(f"{STEPS}, on PostgreSQL", (AMENDS_ON_SERVER, DBOS_ON_SERVER, RESTATE), "steps"),
    "spread": Workload(
        f"orders through four services apart, over NATS; the others: {STEPS}",
        (AMENDS_SPREAD, DBOS_ON_SERVER, RESTATE),
        "steps",
    ),
    "orders": Workload(
        "orders with their state: payment, inventory, shipping; each tenth is undone", (AMENDS_ORDERS, DBOS), "orders"
    ),
}


def main() -> int:
    """Take the workloads one after the other; 1 when a script failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--workload", choices=WORKLOADS, action="append")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is stopped
    DATA.mkdir(parents=True, exist_ok=True)
    print(f"Side by side, in {given.rounds} rounds taken in turn; medians. Absolute figures as seen on:")
    print(f"{machine()}, {file_system(DATA)}")
    print("The last column is what a sync of 4 KiB took right before: whoever syncs for each step follows it.")
    with ENDS:
        return max([0 if _take(workload, given.rounds) else 1 for workload in given.workload or WORKLOADS])


def _take(workload: str, rounds: int) -> bool:
    """Measure one workload; whether every script that was started gave its answer."""
    what, engines, script = WORKLOADS[workload]
    print(f"\n{workload}: {what}", flush=True)
    ready = [*_set_up(engines, script)]
    best = {one.engine.name: (one, setting) for one in ready if (setting := _best(one))}
    taken = {name: list[Measured]() for name in best}
    for _ in range(rounds):
        for name, (one, setting) in best.items():
            if measured := _tried(one, setting):
                taken[name].append(measured)
    whole = {name: found for name, found in taken.items() if len(found) == rounds}
    print()
    for name, found in whole.items():
        print(_row(name, best[name][1], found))
    for line in _ratios(whole, workload):
        print(line)
    return len(whole) == len(ready)


def _set_up(engines: tuple[Engine, ...], workload: str) -> Iterator[Ready]:
    """Yield the engines that can be had here; say of each other one why it is left out."""
    for engine in engines:
        try:
            python, more = engine.python()
        except CannotBeHadError as error:
            print(f"  {engine.name} is left out: {error}", flush=True)
            continue
        command = [str(python), "-m", engine.module, "--workload", workload, "--sagas", str(engine.sagas)]
        yield Ready(engine, command, {**os.environ, **more})


def _best(one: Ready) -> Setting | None:
    """Try each setting some times, in turn; ``None`` when the script fails with one of them."""
    seen = dict.fromkeys(one.engine.settings, 0.0)
    for setting in list(seen) * TRIES:
        measured = _tried(one, setting)
        if measured is None:
            return None
        seen[setting] = max(seen[setting], measured.sagas_per_s)  # what disturbs can only slow it down
    found = "; ".join(f"{_words(setting)} {rate:,.0f}" for setting, rate in seen.items())
    print(f"  {one.engine.name}, sagas/s at its best: {found}", flush=True)
    return max(seen, key=seen.__getitem__)


def _tried(one: Ready, setting: Setting) -> Measured | None:
    """Run a script in a new directory; ``None``, and its last words are printed, when it fails."""
    with tempfile.TemporaryDirectory(dir=DATA) as directory:
        before_ms = sync_ms(Path(directory))
        if one.engine.is_on_server:
            SERVER.renew()
        written = SERVER.written() if one.engine.is_on_server else None
        options = ["--concurrency", str(setting.concurrency), "--partitions", str(setting.partitions)]
        try:
            with _group([*one.command, *options, "--dir", directory], one.environment) as process:
                said, complaint = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            complaint = f"no answer within {LIMIT_S:.0f} s"
    if process.returncode == 0:
        return Measured(before_ms, **json.loads(said), spent=_spent(written, one.engine.sagas))
    last_words = [f"exit code {process.returncode}", *complaint.strip().splitlines()][-1]
    print(f"  {one.engine.name} failed and is left out: {last_words}", flush=True)
    return None


def _spent(before: Written | None, sagas: int) -> Spent | None:
    """What a PostgreSQL wrote for each saga, the warm-up among them."""
    if before is None:
        return None
    after, all_sagas = SERVER.written(), sagas + sagas // WARM_UP_SHARE
    return Spent(*((now - then) / all_sagas for then, now in zip(before, after, strict=True)))


@contextmanager
def _group(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A script and whatever it starts: one group of processes, of which nothing is left at the end."""
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)  # it is not reaped yet, so the number is still its own
        try:
            process.communicate(timeout=STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        raise


def _row(name: str, setting: Setting, taken: list[Measured]) -> str:
    sync, rate, p50, p99 = (statistics.median(one.figures[at] for one in taken) for at in range(4))
    figures = f"{rate:10,.0f} sagas/s   p50 {p50:7.1f} ms   p99 {p99:7.1f} ms"
    line = f"  {f'{name} {taken[0].version}':24} {figures}   {_words(setting):28} {sync:5.2f} ms"
    spent = [one.spent for one in taken if one.spent is not None]
    if not spent:
        return line
    wal, syncs = map(statistics.median, zip(*spent, strict=True))
    return f"{line}   {wal / 1024:.1f} KiB of log and {syncs:.3f} syncs a saga"


def _words(setting: Setting) -> str:
    partitions = f", {setting.partitions} partitions" if setting.partitions > 1 else ""
    return f"{setting.concurrency} at a time{partitions}"


def _ratios(taken: dict[str, list[Measured]], workload: str) -> Iterator[str]:
    """Ours against each other one, round by round."""
    for name, theirs in taken.items():
        if name != OURS and OURS in taken:
            pairs = zip(taken[OURS], theirs, strict=True)
            ratio, least, most = middle([ours.sagas_per_s / other.sagas_per_s for ours, other in pairs])
            print_name = f"{OURS} / {name}"
            needed = NEEDED[workload, name]
            verdict = "reached" if ratio >= needed else "MISSED"
            yield f"  {print_name:24} {ratio:10.1f} times     ({least:.1f} to {most:.1f})   >= {needed} {verdict}"


def file_system(path: Path) -> str:
    """The kind of file system that a path is on."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown file system"
    fields = [line.split()[1:3] for line in mounts.read_text().splitlines()]
    above = [(len(point), kind) for point, kind in fields if path.is_relative_to(point)]
    return max(above)[1]


def sync_ms(directory: Path) -> float:
    """How long the disk takes to have 4 KiB for good: the median of some. Milliseconds."""
    taken_s = []
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(SYNCS):
            file.write(b"x" * 4096)
            file.flush()
            begin_s = time.perf_counter()
            os.fsync(file.fileno())
            taken_s.append(time.perf_counter() - begin_s)
    return statistics.median(taken_s) * 1e3


if __name__ == "__main__":
    sys.exit(main())
