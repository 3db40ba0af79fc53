"""An engine whose process may open few files: it runs, or says why not, and gives back what it took (A9)."""

from __future__ import annotations

import asyncio
import os
import resource
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import amends
from amends import Completed
from amends.errors import StoreUnusable
from tests.engine.world import Buy, tickets
from tests.torture.broken import demand

SPARE_MAX: Final = 12  # files: more than an engine on one store needs

Say = Callable[[str], None]


def run(folder: Path, say: Say) -> Counter[str]:
    """Open an engine with no file to spare, with one, with two, ...; how often it ran, and how often it refused.

    Raises:
        BrokenPromise: it failed in another way, or kept a file.
    """
    outcomes: Counter[str] = Counter()
    with asyncio.Runner() as runner:
        runner.run(asyncio.sleep(0))  # the loop has its files
        runner.run(_one(folder / "before.db"))  # and the libraries theirs
        for spare in range(SPARE_MAX):
            before = len(_open_files())
            outcome = runner.run(_with_few(folder / f"few-{spare}.db", spare))
            outcomes[outcome] += 1
            demand(len(_open_files()) == before, f"with {spare} to spare it kept a file")
            runner.run(_one(folder / f"few-{spare}.db"))
    demand(outcomes["ran"] and outcomes["refused"], f"too many files, or too few: {outcomes}")
    say(f"few files: {dict(outcomes)}")
    return outcomes


async def _with_few(path: Path, spare: int) -> str:
    with _limited(spare):
        try:
            await _one(path)
        except StoreUnusable as error:
            demand("\n" not in str(error) and path.name in str(error), f"unclear: {error}")
            return "refused"
    return "ran"


async def _one(path: Path) -> None:
    saga = tickets()
    async with amends.open(f"sqlite:///{path}", sagas=[saga]) as engine:
        result = await (await engine.submit(saga, Buy("Hamlet", 1))).result()
        demand(isinstance(result.state, Completed), f"it ended as {result}")


@contextmanager
def _limited(spare: int) -> Iterator[None]:
    """Whoever opens one file more than so many gets none; a number is free where one was closed before."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = _open_files()
    free = (number for number in range(limits[0]) if number not in used)
    last = [next(free) for _ in range(spare + 1)][-1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (last, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def _open_files() -> set[int]:
    found = set[int]()
    for number in range(256):
        try:
            os.fstat(number)
        except OSError:
            continue
        found.add(number)
    return found
