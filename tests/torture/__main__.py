"""The whole torture: ``python -m tests.torture [part ...]`` (docs/torture.md)."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.torture import boundaries, disk, kill, limits, planted, power
from tests.torture.broken import BrokenPromise

PARTS = ("kill", "power", "disk", "boundaries", "limits", "planted")


class Given(NamedTuple):
    """What was asked for; see the options."""

    folder: Path
    seed: int
    kills: int
    per_file: int
    each: int
    cuts: int


def say(line: str) -> None:
    """Say how far it is."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(part: str, given: Given) -> Any:
    """Run a part, and give what it came to.

    Raises:
        BrokenPromise: what was found.
    """
    folder = given.folder / part
    folder.mkdir(parents=True, exist_ok=True)
    match part:
        case "kill":
            return kill.run(folder, given.seed, given.kills, given.per_file, given.each, say)._asdict()
        case "power":
            return power.run(folder, given.seed, given.cuts, say)._asdict()
        case "disk":
            return disk.run(folder, 1, say)._asdict()
        case "boundaries":
            return [crossed._asdict() for crossed in boundaries.run_all(folder, say)]
        case "limits":
            return limits.run(folder, say)
    return planted.run(folder, given.seed, say)


def main() -> int:
    """Run the parts that are named, or all of them."""
    given = _parser().parse_args()
    began = time.monotonic()
    logging.disable()  # what an engine logs when its disk fails is what is wanted here
    with tempfile.TemporaryDirectory() as folder:
        wanted = Given(given.folder or Path(folder), *(getattr(given, name) for name in Given._fields[1:]))
        for part in given.parts or PARTS:
            say(f"{part}, seed {wanted.seed}")
            try:
                say(json.dumps({part: run(part, wanted)}, indent=1))
            except BrokenPromise as error:
                say(f"BROKEN: {error}")
                return 1
    say(f"all promises held; {time.monotonic() - began:.0f} s")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.torture")
    parser.add_argument("parts", nargs="*", help=f"some of: {', '.join(PARTS)}; all by default")
    parser.add_argument("--folder", type=Path, help="where files are, and are left when something is broken")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn")
    parser.add_argument("--kills", type=int, default=1000, help="at least so many processes are killed")
    parser.add_argument("--per-file", type=int, default=50, help="so many of them on one file")
    parser.add_argument("--each", type=int, default=10, help="at least so many of them at each named point")
    parser.add_argument("--cuts", type=int, default=5000, help="so often the power is cut")
    return parser


if __name__ == "__main__":
    sys.exit(main())
