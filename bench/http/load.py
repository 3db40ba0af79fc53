"""Requests over raw sockets, by a process of its own: so many at a time, or so many a second."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter

ANSWER_END = b"\r\n\r\n"
REFUSED = 400


class Load:
    """Requests to one route, and what became of them."""

    def __init__(self, port: int, key: str, path: str, name: str) -> None:
        self.port, self.path, self.name = port, path, name
        body = b'{"customer_id": "ada", "product_id": "pen", "quantity": 0}'
        self.head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nIdempotency-Key: {name}-"
        ).encode()
        self.tail = ANSWER_END + body
        self.count = 0
        self.codes: Counter[int] = Counter()
        self.took: list[float] = []
        self.refused: list[float] = []

    async def one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, due: float) -> None:
        """Make a request, whose time counts from when it was due."""
        self.count += 1
        writer.write(self.head + str(self.count).encode() + self.tail)
        head = await reader.readuntil(ANSWER_END)
        lines = head.split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        code = int(lines[0].split()[1])
        self.codes[code] += 1
        (self.took if code < REFUSED else self.refused).append(time.perf_counter() - due)

    async def closed(self, workers: int, seconds: float) -> None:
        """So many at a time, each after the one before it."""
        until = time.perf_counter() + seconds

        async def work() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            while (now := time.perf_counter()) < until:
                await self.one(reader, writer, now)
            writer.close()

        await asyncio.gather(*(work() for _ in range(workers)))

    async def flood(self, rate: float, seconds: float, workers: int) -> None:
        """So many a second in all, each worker by itself, however slow the answers are."""
        until, pause = time.perf_counter() + seconds, workers / rate

        async def work(number: int) -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            due = time.perf_counter() + pause * number / workers
            while due < until:
                await asyncio.sleep(max(due - time.perf_counter(), 0))
                try:
                    await self.one(reader, writer, time.perf_counter())
                except (asyncio.IncompleteReadError, OSError):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                due += pause
            writer.close()

        await asyncio.gather(*(work(number) for number in range(workers)))

    async def paced(self, rate: float, seconds: float, workers: int) -> None:
        """So many a second, whatever became of those before; as many connections as there are workers."""
        begun, total = time.perf_counter() + 0.2, int(rate * seconds)
        queue: asyncio.Queue[float] = asyncio.Queue()

        async def work() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            while (due := await queue.get()) > 0:
                await self.one(reader, writer, due)
            writer.close()

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        for number in range(total):
            due = begun + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            queue.put_nowait(due)
        for _ in tasks:
            queue.put_nowait(-1)
        await asyncio.gather(*tasks)


async def main(port: int, key: str, path: str, name: str, mode: str, number: float, seconds: float) -> None:
    """Make them, and print what became of them."""
    load = Load(port, key, path, name)
    begun = time.perf_counter()
    if mode == "closed":
        await load.closed(int(number), seconds)
    elif mode == "flood":
        await load.flood(number, seconds, 900)
    else:
        await load.paced(number, seconds, 256)
    spent = time.perf_counter() - begun
    took, refused = sorted(load.took), sorted(load.refused)
    print(
        json.dumps({
            "rate": len(took) / spent, "codes": load.codes,
            "p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)], "last": took[-1],
            "refused_p99": refused[int(len(refused) * 0.99)] if refused else 0,
        })
    )  # fmt: skip


if __name__ == "__main__":
    port, key, path, name, mode, number, seconds = sys.argv[1:]
    asyncio.run(main(int(port), key, path, name, mode, float(number), float(seconds)))
