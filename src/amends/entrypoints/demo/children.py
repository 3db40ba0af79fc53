"""Commands of ours as processes of their own: what is to be killed, and what is shown as it was printed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from amends.errors import AmendsError

LIMIT_S: Final = 120.0  # how long a command may take; what is run here takes a second or two
OUT: Final = "out"
ERR: Final = "err"


@contextmanager
def started(folder: Path, *words: str, **surroundings: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command under way; it is over when the block is, however that ends.

    Args:
        folder: where it runs, and what it prints is kept, in the files `OUT` and `ERR`: a pipe would hold it up.
        words: behind ``amends``.
        surroundings: what its environment has beside ours.
    """
    with (
        (folder / OUT).open("wb") as out,
        (folder / ERR).open("wb") as err,
        subprocess.Popen(  # noqa: S603 - our own command, without a shell
            [sys.executable, "-m", "amends", *words],
            cwd=folder,
            env=os.environ | _path() | surroundings,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        ) as child,
    ):
        try:
            yield child
        finally:
            child.kill()


def check_ended_well(child: subprocess.Popen[bytes], folder: Path, *words: str) -> None:
    """Look at how a command ended.

    Raises:
        AmendsError: with anything but 0; the message has what it said last.
    """
    if child.returncode:
        said = lines_of(folder, ERR)
        why = f": {said[-1]}" if said else ""
        raise AmendsError(f"`amends {' '.join(words)}` ended with {child.returncode}{why}")


def lines_of(folder: Path, what: str, encoding: str = "utf-8") -> list[str]:
    """The lines of what a command printed.

    Args:
        folder: where it ran.
        what: `OUT` or `ERR`.
        encoding: in which it printed.
    """
    return (folder / what).read_text(encoding, "replace").splitlines()


def printed(folder: Path, *words: str, encoding: str = "utf-8", **surroundings: str) -> list[str]:
    """The lines that a command prints on standard output.

    Raises:
        AmendsError: it did not end well, or in time.
    """
    with started(folder, *words, PYTHONIOENCODING=encoding, **surroundings) as child:
        try:
            child.wait(LIMIT_S)
        except subprocess.TimeoutExpired as error:
            raise AmendsError(f"`amends {' '.join(words)}` took longer than {LIMIT_S:.0f} s") from error
    check_ended_well(child, folder, *words)
    return lines_of(folder, OUT, encoding)


def _path() -> dict[str, str]:
    """Where Python looks for modules, also from another folder."""
    places = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, places.split(os.pathsep)))} if places else {}
