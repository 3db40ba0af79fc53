"""Killing an engine, at random moments and at every named point, and looking whether its promises held.

One process has loaded everything and forks; each life costs little more than it lives.
"""

from __future__ import annotations

import asyncio
import os
import random
import select
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import apsw

from amends.adapters.sqlite.reader import SqliteReader
from amends.shop.outside import BooksInFile
from tests.torture.broken import BrokenPromise, demand
from tests.torture.carrier import Carrier
from tests.torture.checks import World, check_rest, restocked
from tests.torture.child import Child, Life
from tests.torture.journal import Journal
from tests.torture.points import OPENING, POINTS

POINT_PATIENCE_S: Final = 0.6  # how long a process may take until it comes to the point
REST_PATIENCE_S: Final = 90.0
END_PATIENCE_S: Final = 10.0  # docs/promises.md: so long may an engine take to end when it is asked to
AT_RARE_POINTS: Final = 0.7  # so many are killed at a point, while there are points where too few were
AT_POINTS: Final = 0.3  # and afterwards
CHOICE: Final = 5  # points from which one is drawn: one that cannot be reached now is not waited for
GENTLE: Final = 0.1  # so many are asked to end, and not killed
CLOCKS_S: Final = (*[0] * 17, -315_576_000, -3600, 3600)  # mostly right; ten years behind, an hour behind or ahead
FILES_MAX: Final = 10  # so many times as many files as were meant, before points count as never reached
READ_BYTES: Final = 1 << 16

Say = Callable[[str], None]
Main = Callable[[Life, Journal, int], None]


class Kills(NamedTuple):
    """What a run of kills came to.

    Attributes:
        kills: how many processes were killed.
        at_random: so many of them at a random moment.
        ended: so many were asked to end (SIGTERM), and did.
        slowest_s: how long the slowest of these took.
        points: point to how often one was killed there.
        files: how many files.
        sagas: how many sagas ran.
        answers: how many answers clients remembered.
        seconds: how long it took.
    """

    kills: int
    at_random: int
    ended: int
    slowest_s: float
    points: Counter[str]
    files: int
    sagas: int
    answers: int
    seconds: float


class Hits(Counter[str]):
    """How many were killed at each point."""

    def __init__(self, each: int, points: Sequence[str]) -> None:
        """Nobody yet.

        Args:
            each: so many are wanted at each.
            points: which.
        """
        super().__init__()
        self._each = each
        self._points = points

    def rare(self) -> list[str]:
        """Return the points at which too few were killed."""
        return [point for point in self._points if self[point] < self._each]

    def drawn(self, chance: random.Random) -> str:
        """Draw where to kill, one of those where it happened least; empty for any moment."""
        if chance.random() >= (AT_RARE_POINTS if self.rare() else AT_POINTS):
            return ""
        return chance.choice(sorted(self._points, key=lambda point: (self[point], chance.random()))[:CHOICE])


def run(
    folder: Path,
    seed: int,
    kills: int,
    per_file: int,
    each: int,
    say: Say,
    main: Main | None = None,
    points: Sequence[str] = POINTS,
) -> Kills:
    """Kill processes until enough were, at random and at each point.

    Args:
        folder: for the files; what is broken is left there.
        seed: of everything that is drawn; when the system switches between threads is not.
        kills: at least so many.
        per_file: so many on one file.
        each: at least so many at each point.
        say: told how far it is.
        main: what a child does; another function for a planted bug.
        points: the named ones; fewer for a planted bug that shows there.

    Raises:
        BrokenPromise: with the file's seed.
    """
    began, files, sagas = time.monotonic(), list[File](), 0
    hits = Hits(each, points)
    while (done := sum(one.kills for one in files)) < kills or hits.rare():
        demand(len(files) < FILES_MAX * (kills // per_file + 1), f"points that are never reached: {hits.rare()}")
        one = File(folder / f"file-{len(files)}", seed + len(files), hits, main or live)
        files.append(one)
        one.torture(per_file)
        sagas += one.check()
        say(f"{done + one.kills} kills on {len(files)} files, {sagas} sagas, {time.monotonic() - began:.0f} s")
    return Kills(
        done,
        sum(one.at_random for one in files),
        sum(len(one.ended_s) for one in files),
        max((seconds for one in files for seconds in one.ended_s), default=0.0),
        hits,
        len(files),
        sagas,
        sum(len(one.journal.answers) for one in files),
        time.monotonic() - began,
    )


def live(life: Life, journal: Journal, pipe: int) -> None:
    """Be a child, until all is at rest or somebody wants it to end."""
    asyncio.run(Child(life, journal, pipe).live())


class File:
    """One file, and the lives that are spent on it.

    Attributes:
        journal: what the clients know.
        kills: how many there were.
        at_random: so many of them at no point.
        ended_s: how long those took that were asked to end.
    """

    def __init__(self, folder: Path, seed: int, hits: Hits, main: Main) -> None:
        """Begin with no file.

        Args:
            folder: for this file alone.
            seed: of what is asked, and of when who is killed.
            hits: of the points, to be counted up.
            main: what a child does.
        """
        folder.mkdir(parents=True)
        self.journal = Journal(seed)
        self.kills = 0
        self.at_random = 0
        self.ended_s: list[float] = []
        self._folder = folder
        self._chance = random.Random(seed)
        self._hits = hits
        self._main = main
        self._lives = 0
        self._broken = ""

    def torture(self, kills: int) -> None:
        """Kill so many, and let the last one live until everything is at rest."""
        while self.kills < kills:
            if self.journal.said["ready"] and self._chance.random() < GENTLE:
                self._end_one()
            else:
                self._kill_one()
        self.rest()

    def rest(self) -> None:
        """Let one live until everything is at rest."""
        self._lives += 1
        life = Life(self._folder, self._lives, is_last=True)
        with self._child(life) as (pid, pipe):
            words = self._hear(pipe, time.monotonic() + REST_PATIENCE_S)
        status = self._status(pid)
        demand("at rest" in words and status == 0, f"{self._where()}: it came not to rest: {words}, exit {status}")

    def check(self) -> int:
        """Check everything; how many sagas there are."""
        reader = SqliteReader(self._folder / "shop.db")
        books = BooksInFile(self._folder / "books.db")
        try:
            world = World(reader, books, Carrier(self._folder / "carrier.txt"), self.journal, restocked(self.journal))
            demand(not self.journal.unanswered(), f"never answered: {self.journal.unanswered()}")
            sagas = check_rest(world)
            self._check_file()
        except BrokenPromise as error:
            raise BrokenPromise(f"{self._where()}: {error}") from error
        finally:
            books.close()
            reader.close()
        shutil.rmtree(self._folder)
        self._folder.mkdir()
        return sagas

    def _check_file(self) -> None:
        connection = apsw.Connection(str(self._folder / "shop.db"), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            found = connection.pragma("integrity_check")
        finally:
            connection.close()
        demand(found == "ok", f"integrity_check: {found}")

    # One life -------------------------------------------------------------------------------------------------

    def _kill_one(self) -> None:
        self._lives += 1
        life = self._drawn()
        patience_s = POINT_PATIENCE_S if life.point else self._moment_s()
        with self._child(life) as (pid, pipe):
            words = self._hear(pipe, time.monotonic() + patience_s)
            os.kill(pid, signal.SIGKILL)
            words += self._hear(pipe, time.monotonic() + 5)
        status = self._status(pid)
        demand(not self._broken, f"{self._where()}: {self._broken}")
        if life.closes and status == 0:
            return
        demand(status == -signal.SIGKILL, f"{self._where()}: it ended by itself: exit {status}, {words[-3:]}")
        self.kills += 1
        if "at" in words:
            self._hits[life.point] += 1
        else:
            self.at_random += 1

    def _end_one(self) -> None:
        """Ask one to end, in the middle of whatever it does (SIGTERM)."""
        self._lives += 1
        with self._child(Life(self._folder, self._lives)) as (pid, pipe):
            self._hear(pipe, time.monotonic() + REST_PATIENCE_S, "ready")
            self._hear(pipe, time.monotonic() + self._moment_s())
            os.kill(pid, signal.SIGTERM)
            asked = time.monotonic()
            words = self._hear(pipe, asked + END_PATIENCE_S)
            self.ended_s.append(time.monotonic() - asked)
            os.kill(pid, signal.SIGKILL)  # nothing, to one that has ended
        status = self._status(pid)
        demand(not self._broken, f"{self._where()}: {self._broken}")
        demand("closed" in words and status == 0, f"{self._where()}: asked to end, it did not: {words[-3:]}, {status}")

    def _drawn(self) -> Life:
        """Draw how one lives: until a random moment, or a point."""
        chance = self._chance
        point = self._hits.drawn(chance)
        if not self.journal.said["ready"]:
            point = chance.choice(["", OPENING])  # the file is being made
        return Life(
            self._folder, self._lives, point, chance.randrange(1, 70 if point == OPENING else 4),
            closes=point == "closing", checkpoint_pages=chance.choice([3, 30, 1000]),
            unsorted_max=chance.choice([5, 50, 65_536]), clock_s=chance.choice(CLOCKS_S),
        )  # fmt: skip

    def _moment_s(self) -> float:
        """Sometimes at once, while it opens; mostly at work."""
        return self._chance.random() * (0.05 if self._chance.random() < 0.25 else 0.35)

    @contextmanager
    def _child(self, life: Life) -> Iterator[tuple[int, int]]:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            self._be_child(life, writing)
        os.close(writing)
        try:
            yield pid, reading
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            raise
        finally:
            os.close(reading)

    def _be_child(self, life: Life, pipe: int) -> None:
        status = 1
        try:
            log = os.open(self._folder / "stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(log, 2)
            self._main(life, self.journal, pipe)
            status = 0
        except BaseException:  # noqa: BLE001 - nothing of the parent's may run in here
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def _hear(self, pipe: int, until: float, last: str = "at") -> list[str]:
        """Hear what is said until a time, until a word is said, or until nobody is there any more."""
        words: list[str] = []
        buffer = b""
        while (left := until - time.monotonic()) > 0 and last not in words:
            ready, _, _ = select.select([pipe], [], [], left)
            if not ready:
                break
            some = os.read(pipe, READ_BYTES)
            if not some:
                break
            *lines, buffer = (buffer + some).split(b"\n")
            for line in map(bytes.decode, lines):
                self._note(line, words)
        return words

    def _note(self, line: str, words: list[str]) -> None:
        try:
            self.journal.hear(line)
        except BrokenPromise as error:
            self._broken = self._broken or str(error)
        word = line.split('"')[1]
        if word == "broken":
            self._broken = self._broken or line
        words.append(word)

    def _status(self, pid: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def _where(self) -> str:
        return f"seed {self.journal.seed}, life {self._lives}, {self._folder}"
