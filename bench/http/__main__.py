"""`POST /orders`, durable, beside a handler that does nothing; p99 at half load; listeners; ten times too much."""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import httpx

PORT = tuple[int, str, int]
AT_A_TIME = 64
LISTENERS = 200
NEEDED_RATE = 0.35
NEEDED_P99 = 5.0
NEEDED_LISTENING = 1.3


def load(at: PORT, path: str, name: str, mode: str, number: float, seconds: float) -> dict[str, Any]:
    """A process that makes requests; what it saw."""
    port, key, _ = at
    words = [str(port), key, path, name, mode, str(number), str(seconds)]
    told = subprocess.run([sys.executable, "-m", "bench.http.load", *words], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def memory_mb(pid: int) -> float:
    """What a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def measured(at: PORT, rounds: int, seconds: float, overload_s: float) -> list[bool]:
    """Print each figure, and whether it is what is wanted."""
    number = 0

    def name() -> str:
        nonlocal number
        number += 1
        return f"r{number}"

    def run(path: str, mode: str, value: float, length: float = seconds) -> dict[str, Any]:
        return load(at, path, name(), mode, value, length)

    run("/orders", "closed", AT_A_TIME, 2), run("/nothing", "closed", AT_A_TIME, 2)
    pairs = [(run("/orders", "closed", AT_A_TIME), run("/nothing", "closed", AT_A_TIME)) for _ in range(rounds)]
    ratio = median(orders["rate"] / nothing["rate"] for orders, nothing in pairs)
    full = median(orders["rate"] for orders, _ in pairs)
    beside = median(nothing["rate"] for _, nothing in pairs)
    print(f"POST /orders {full:.0f}/s, a handler that does nothing {beside:.0f}/s: {ratio:.2f}, wanted {NEEDED_RATE}")
    half = full / 2
    halves = [(run("/orders", "paced", half), run("/nothing", "paced", half)) for _ in range(rounds)]
    tails = median(orders["p99"] / nothing["p99"] for orders, nothing in halves)
    words = ", ".join(f"{1000 * median(each[at]['p99'] for each in halves):.1f} ms" for at in (0, 1))
    print(f"p99 at half load, {half:.0f}/s: {words}: {tails:.1f} times, wanted {NEEDED_P99:g} at most")
    listening = with_listeners(at, lambda: run("/orders", "paced", half))
    alone = median(orders["p50"] for orders, _ in halves)
    slower = listening["p50"] / alone
    print(f"p50 beside {LISTENERS} listeners, one stuck: {slower:.2f} times, wanted {NEEDED_LISTENING} at most")
    before = memory_mb(at[2])
    over = run("/orders", "flood", 10 * full, overload_s)
    after = memory_mb(at[2])
    words = ", ".join(f"{code}: {count}" for code, count in sorted(over["codes"].items()))
    refused = f", refused within {1000 * over['refused_p99']:.0f} ms (p99)" if over["refused_p99"] else ""
    print(f"ten times too much, {words}{refused}, memory {before:.0f} -> {after:.0f} MB")
    again = run("/orders", "closed", AT_A_TIME)
    print(f"after it: {again['rate'] / full:.2f} of the rate before")
    return [ratio >= NEEDED_RATE, tails <= NEEDED_P99, slower <= NEEDED_LISTENING]


def with_listeners(at: PORT, run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Measure while so many hear what happens, one of which does not read."""

    async def listen(stuck: bool) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", at[0], limit=2**14)
        writer.write(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {at[1]}\r\n\r\n".encode())
        while not stuck:
            await reader.read(2**16)
        await asyncio.sleep(3600)

    async def all_of_it() -> dict[str, Any]:
        tasks = [asyncio.create_task(listen(stuck=number == 0)) for number in range(LISTENERS - 1)]
        await asyncio.sleep(2)
        try:
            return await asyncio.to_thread(run)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    return asyncio.run(all_of_it())


def main() -> int:
    """Start the server, stock it, and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--overload", type=float, default=60.0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="build") as folder:
        command = [sys.executable, "-m", "bench.http.server", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                port, key = server.stdout.readline().split()
                base, headers = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {key}"}
                with httpx.Client(base_url=base, headers=headers, timeout=30) as http:
                    http.put("/customers/ada", json={"credit_limit": 1_000_000}).raise_for_status()
                    http.put("/products/pen", json={"stock": 10_000, "price": 1}).raise_for_status()
                reached = measured((int(port), key, server.pid), wanted.rounds, wanted.seconds, wanted.overload)
            finally:
                server.terminate()
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
