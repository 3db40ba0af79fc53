"""What clients of other processes cost an engine that they write letters to without pause, and what they wait."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import amends
from amends.client.blocking import BlockingClient
from amends.engine.blocking import BlockingEngine
from amends.shop import CHECKOUT
from bench.durable import asked, rate, shop
from bench.measure import Figure, middle

CLIENTS: Final = 4
SAGAS: Final = 30_000
ROUNDS: Final = 5
ALONE: Final = 200
IDLE_S: Final = 10.0

WRITING_NEEDED: Final = 0.8
STOPPED_NEEDED: Final = 0.9
AWAY_NEEDED: Final = 10.0
IDLE_NEEDED: Final = 0.01

WRITER: Final = """
import sys, amends
from itertools import count
from amends.shop import CHECKOUT
from bench.durable import asked
url, first = sys.argv[1], int(sys.argv[2])
with amends.connect(url, sagas=[CHECKOUT]) as client:
    client.submit(CHECKOUT, asked([first])[0])
    print("writes", flush=True)
    for number in count(first + 1):
        try:
            client.submit(CHECKOUT, asked([number])[0])
        except (amends.Overloaded, amends.StoreBusy):
            pass
"""
HOLDER: Final = """
import sys, time, apsw
while True:
    try:  # once the first letter has made it
        mailbox = apsw.Connection(sys.argv[1] + ".mailbox", flags=apsw.SQLITE_OPEN_READWRITE)
        mailbox.execute("BEGIN IMMEDIATE")
        break
    except (apsw.CantOpenError, apsw.BusyError):
        time.sleep(0.001)
print("holds", flush=True)
time.sleep(3600)
"""
WAITER: Final = """
import sys, time, amends
from statistics import median
from amends.shop import CHECKOUT
from bench.durable import asked
taken = []
with amends.connect(sys.argv[1], sagas=[CHECKOUT]) as client:
    for order in asked(range(int(sys.argv[2]))):
        begin = time.perf_counter()
        client.submit(CHECKOUT, order).result(60)
        taken.append(time.perf_counter() - begin)
print(median(taken))
"""


def client_figures(directory: Path) -> Iterator[Figure]:
    """The engine's own rate beside clients; the way of a result to another process; an engine without work."""
    yield _rate_beside(directory, f"own sagas beside {CLIENTS} clients that write letters / alone", WRITING_NEEDED)
    yield _rate_beside(directory, "the same, one of them stopped in its transaction", STOPPED_NEEDED, is_stopped=True)
    yield _away(directory)
    yield _idle(directory)


@contextmanager
def _program(code: str, *given: object) -> Iterator[subprocess.Popen[str]]:
    """A process that has said that it is about to begin."""
    command = [sys.executable, "-c", code, *map(str, given)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process
        finally:
            process.kill()


def _rate_beside(directory: Path, what: str, needed: float, *, is_stopped: bool = False) -> Figure:
    ratios, seen = [], []
    for _ in range(ROUNDS):
        with ExitStack() as opened:
            file = Path(opened.enter_context(tempfile.TemporaryDirectory(dir=directory)), "shop.db")
            engine = opened.enter_context(shop(file))
            client = opened.enter_context(amends.connect(f"sqlite:///{file}", sagas=[CHECKOUT]))
            before = _own_rate(engine)
            with ExitStack() as stack:
                for number in range(CLIENTS):
                    stack.enter_context(_program(WRITER, f"sqlite:///{file}", number * 10**6))
                if is_stopped:
                    holder = stack.enter_context(_program(HOLDER, file))
                    holder.send_signal(signal.SIGSTOP)
                beside = _own_rate(engine)
            _settle(client)
            after = _own_rate(engine)
        ratios.append(2 * beside / (before + after))
        seen.append((beside, (before + after) / 2))
    ratio, least, most = middle(ratios)
    note = f"{median(one for one, _ in seen):,.0f} and {median(other for _, other in seen):,.0f} a second"
    return Figure(what, ratio, least, most, f">= {needed}", ratio >= needed, note)


def _settle(client: BlockingClient) -> None:
    """Wait until the engine has acted on every letter: its rate without clients is one without what they left."""
    client.submit(CHECKOUT, asked([0])[0]).result(600)


def _own_rate(engine: BlockingEngine) -> float:
    return rate(engine, asked(range(SAGAS)))


def _away(directory: Path) -> Figure:
    """One saga at a time, from submitting it to its result: in another process, and in the engine's."""
    taken = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=directory) as made, shop(Path(made, "shop.db")) as engine:
            here = median(_alone(engine, order) for order in asked(range(ALONE)))
            command = [sys.executable, "-c", WAITER, f"sqlite:///{Path(made, 'shop.db')}", str(ALONE)]
            away = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        taken.append((away, here))
    ratio, least, most = middle([away / here for away, here in taken])
    note = f"{median(away for away, _ in taken) * 1e3:.2f} ms and {median(here for _, here in taken) * 1e3:.2f} ms"
    what = "submit to result from another process / within, median"
    return Figure(what, ratio, least, most, f"<= {AWAY_NEEDED}", ratio <= AWAY_NEEDED, note)


def _alone(engine: BlockingEngine, one: tuple[str, str, str, int]) -> float:
    begin = time.perf_counter()
    engine.submit(CHECKOUT, one).result()
    return time.perf_counter() - begin


def _idle(directory: Path) -> Figure:
    """The share of a core of an engine to which a client is connected, and which has had a letter."""
    with tempfile.TemporaryDirectory(dir=directory) as made:
        file = Path(made, "shop.db")
        with shop(file), amends.connect(f"sqlite:///{file}", sagas=[CHECKOUT]) as client:
            client.submit(CHECKOUT, asked([0])[0]).result(60)
            begin = _cpu_s()
            time.sleep(IDLE_S)
            share = (_cpu_s() - begin) / IDLE_S
    return Figure("an idle engine, share of a core", share, share, share, "< 0.01", share < IDLE_NEEDED, "")


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
