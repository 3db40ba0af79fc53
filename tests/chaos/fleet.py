"""The processes of a world: engines and clients, which are started again however they end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from multiprocessing.connection import wait
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any, Final

from tests.chaos.client import ClientLife
from tests.chaos.engine import DRAIN_S
from tests.chaos.lives import run_client
from tests.chaos.processes import ChaosProcess, Line, Main
from tests.torture.broken import BrokenPromise, demand
from tests.torture.journal import Journal

CLOSES_WITHIN_S: Final = 10.0 + DRAIN_S  # docs/promises.md: so long may an engine take to end when it is asked to
LOOK_S: Final = 0.05
TAKEN_OVER: Final = "its sagas go on there"
"""In what an engine says that lost its lease: the one reason for which it may end by itself."""
DISK_FAILED: Final = "the storage failed"
"""In what one says whose server has a disk that fails: the other one, where disks do."""

Role = tuple[Main, Any]
"""What an engine's process does, and how its life goes."""


class ClientRecord:
    """What is known of a client, whoever plays it.

    Attributes:
        name: of the client.
        asked: so many wishes it uttered.
        pending: the numbers of those of which not everything was answered.
        lives: so many processes played it.
        rests: whether everything was answered, and every end was heard.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = 0
        self.pending: dict[int, None] = {}
        self.lives = 0
        self.rests = False


class Fleet:
    """Engines and clients.

    Attributes:
        journal: what clients were told.
        engines: slot to process.
        clients: name to process.
        names: engine process to the name under which its engine is known, once it runs.
        counted: what happened to processes by themselves.
        has_disk: whether the server's disk never fails.
        has_server: whether there is a server at all times: else a process may end before it has begun.
    """

    def __init__(
        self, folder: Path, roles: Mapping[str, Role], url: str, services: str, seed: int, kinds: Mapping[str, int]
    ) -> None:
        """Have none yet.

        Args:
            folder: for what they complain of.
            roles: slot to what an engine does there.
            url: of the store, for clients.
            services: the socket of the services; empty for none.
            seed: of what clients ask.
            kinds: of what, and how much of each.
        """
        self.journal = Journal(seed)
        self.engines: dict[str, ChaosProcess] = {}
        self.clients: dict[str, ChaosProcess] = {}
        self.names: dict[ChaosProcess, str] = {}
        self.counted = Counter[str]()
        self.has_disk = self.has_server = True
        self._records: dict[str, ClientRecord] = {}
        self._roles, self._url, self._services, self._log = roles, url, services, folder / "stderr.txt"
        self._kinds = kinds
        self._said: dict[ChaosProcess, list[Line]] = {}
        self._expected = set[ChaosProcess]()  # that may end: they were killed, or asked to
        self._rests = False

    def start(self, clients: int) -> None:
        """Start an engine in each slot, and so many clients."""
        for slot in self._roles:
            self.start_engine(slot)
        for number in range(clients):
            self.start_client(f"client {number}")

    def start_engine(self, slot: str) -> ChaosProcess:
        """Start an engine in a slot."""
        self.engines[slot] = process = ChaosProcess(slot, *self._roles[slot], self._log)
        return process

    def start_client(self, name: str) -> ChaosProcess:
        """Start a client, which goes on where the one before it of the same name was ended."""
        record = self._records.setdefault(name, ClientRecord(name))
        record.lives += 1
        life = ClientLife(
            self._url, self._services, name, record.lives, self.journal.seed, self._kinds,
            record.asked, [*record.pending], self._rests,
        )  # fmt: skip
        self.clients[name] = process = ChaosProcess(name, run_client, life, self._log)
        return process

    def kill(self, process: ChaosProcess) -> None:
        """Kill one; another one takes its place at the next look."""
        self._expected.add(process)
        process.signal(SIGKILL)

    def is_up(self, process: ChaosProcess) -> bool:
        """Whether an engine runs, as far as is known, and was not killed."""
        return process in self.names and process not in self._expected

    def tend(self, seconds: float = LOOK_S) -> None:
        """Hear what is said for a time, and start again whoever has ended.

        Raises:
            BrokenPromise: a client was told what contradicts what was said before; or one ended that had no reason to.
        """
        processes = [*self.engines.values(), *self.clients.values()]
        ready = wait([process.link for process in processes], seconds)
        for process in processes:
            if process.link in ready:
                self._hear(process)
        for slot, process in [*self.engines.items()]:
            if process.exit_code is not None:
                self._ended(process)
                self.start_engine(slot)
        for name, process in [*self.clients.items()]:
            if process.exit_code is not None:
                self._ended(process)
                self.start_client(name)

    def rest(self) -> None:
        """Have clients ask for nothing new."""
        self._rests = True
        for process in self.clients.values():
            process.say("rest")

    @property
    def is_at_rest(self) -> bool:
        """Whether every client was answered, and heard the end of all that it asked for."""
        return all(record.rests for record in self._records.values())

    def said(self, process: ChaosProcess, word: str) -> list[Line]:
        """The lines that a process has said which begin with a word."""
        return [line for line in self._said.get(process, []) if line[0] == word]

    def retire(self, process: ChaosProcess) -> None:
        """Ask an engine to end, and wait until it has, which is in time and in order.

        Raises:
            BrokenPromise: it does not.
        """
        process.signal(SIGTERM)
        code = process.wait(CLOSES_WITHIN_S)
        self._hear(process)
        demand(code == 0, f"{process.name} was asked to end: exit code {code} after {CLOSES_WITHIN_S:.0f} s at most")
        process.end()

    def wait_for(self, process: ChaosProcess, word: str, tries: int = 600) -> bool:
        """Tend until a process has said something; whether it has, and has not ended before."""
        for _ in range(tries):
            if self.said(process, word):
                return True
            if process.exit_code is not None:
                return False
            self.tend()
        return False

    def end(self) -> None:
        """End all."""
        for process in (*self.engines.values(), *self.clients.values()):
            process.end()

    # ----------------------------------------------------------------------------------------------------------

    def _ended(self, process: ChaosProcess) -> None:
        self._hear(process)
        reasons = [reason for _, _, reason in self.said(process, "stopped")]
        for reason in reasons:
            is_known = TAKEN_OVER in reason or (DISK_FAILED in reason and not self.has_disk)
            demand(is_known, f"{process.name} stopped: {reason}; see {self._log}")
        self.counted["stopped"] += len(reasons)
        is_fine = process in self._expected or reasons or not (self.has_server or self._began(process))
        demand(is_fine, f"{process.name} ended by itself: exit code {process.exit_code}; see {self._log}")
        self._expected.discard(process)
        self._said.pop(process, None)
        self.names.pop(process, None)
        process.end()

    def _began(self, process: ChaosProcess) -> bool:
        return bool(self.said(process, "runs") or self.said(process, "connected"))

    def _hear(self, process: ChaosProcess) -> None:
        lines = process.hear()
        for line in lines:
            match line:
                case ["broken", why]:
                    raise BrokenPromise(f"{process.name}: {why}")
                case ["runs", name]:
                    self.names[process] = name
                case [("answered" | "ended" | "canceled" | "heard"), *_]:
                    self.journal.hear(json.dumps(line))
                    continue
                case [("asked" | "settled" | "rests"), *_]:
                    self._note(self._records[process.name], line)
                    continue
            self._said.setdefault(process, []).append(line)

    def _note(self, record: ClientRecord, line: Line) -> None:
        match line:
            case ["asked", number]:
                record.asked = max(record.asked, number)
                record.pending[number] = None
            case ["settled", number]:
                record.pending.pop(number, None)
            case ["rests"]:
                record.rests = not record.pending
