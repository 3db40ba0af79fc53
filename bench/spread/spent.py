"""CPU time that the processes of the spread shop have taken by now, as Linux counts it; by kind of process."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")
OF_BACKEND: Final = 3  # words of the title "postgres: ROLE DATABASE ..." that say whose it is


class ProcessSeen(NamedTuple):
    """A process, as Linux shows it.

    Attributes:
        pid: of it.
        parent: its parent's.
        title: its command line, as it has it now.
        cpu_s: what it and its children that are gone took.
    """

    pid: int
    parent: int
    title: str
    cpu_s: float


def cpu_by_kind(named: Mapping[str, Iterable[int]], data: Path) -> dict[str, float]:
    """Seconds by kind.

    Args:
        named: process ids, by kind.
        data: of the server, whose processes are told by the database that they serve.
    """
    server = int((data / "postmaster.pid").read_text().split()[0])
    kind_of = {pid: kind for kind, pids in named.items() for pid in pids}
    seconds = defaultdict[str, float](float)
    for process in _processes():
        if server in (process.pid, process.parent):
            seconds[_part_of_server(process.title)] += process.cpu_s
        elif process.parent == os.getpid() and "nats-server" in process.title:
            seconds["NATS"] += process.cpu_s
        elif kind := kind_of.get(process.pid):
            seconds[kind] += process.cpu_s
    return seconds


def _part_of_server(title: str) -> str:
    words = title.split()
    is_backend = len(words) > OF_BACKEND and words[0] == "postgres:" and "[local]" in words
    return f"server for {words[2]}" if is_backend else "server itself"


def _processes() -> Iterator[ProcessSeen]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # What is behind the name in parentheses begins with the third field of proc_pid_stat(5).
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            title = (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
        except OSError:  # it has ended
            continue
        ticks = sum(map(int, fields[11:15]))
        yield ProcessSeen(int(folder.name), int(fields[1]), title, ticks / TICKS_A_SECOND)
