"""What a run of files is called, so that the same files, run again, go on where the last run of them stood.

The id of the files is a hash of their contents, in order. Their first run has this for its name, the next ones (which
must be asked for) have ``#2``, ``#3``, ... behind it. An operation's key is its run's name, the number of its
file from 1, and its index in the file: so the key tells the operation, and no two operations share one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial
from typing import Final

from amends.engine.blocking import BlockingEngine
from amends.engine.transaction import Transaction

ID_BYTES: Final = 16  # 128 bits: two lists have one hash by chance once in 2**64 lists of files
DIGEST: Final = "a run of files"
NEW: Final = object()  # recalled of a name that is new
LOOKED_UP: Final = 100  # names at a time, so that thousands of runs of the same files are found in no time


def contents_id(contents: Iterable[bytes]) -> str:
    """The id of some files, by what they contain and in which order: 32 hex digits.

    Args:
        contents: of each, all of it, or a digest of it.
    """
    digest = hashlib.blake2b(digest_size=ID_BYTES)
    for content in contents:
        digest.update(hashlib.blake2b(content).digest())  # each of one length, so that none runs into the next
    return digest.hexdigest()


def run_name(files_id: str, number: int) -> str:
    """The name of a run; they count from 1."""
    return files_id if number == 1 else f"{files_id}#{number}"


def current_run(engine: BlockingEngine, files_id: str, *, again: bool) -> str:
    """The name of the last run of these files; of a new one when there is none, or when one is asked for.

    Args:
        engine: keeps the runs' names as client keys.
        files_id: see `contents_id`.
        again: whether a new run is asked for.
    """
    first = 1
    while True:
        names = [run_name(files_id, first + place) for place in range(LOOKED_UP)]
        found: str = engine.transact(partial(_found, names=names, again=again), names)
        if found:
            return found
        first += LOOKED_UP - 1  # from the last one on, which may be the one


def _found(transaction: Transaction, *, names: list[str], again: bool) -> str:
    """The run, if it is among these names; else empty."""
    known = [transaction.recall(name, DIGEST, NEW) is not NEW for name in names]
    runs = known.index(False) if False in known else len(names)
    if runs == len(names):
        return ""
    if runs and not again:
        return names[runs - 1]
    transaction.remember(names[runs], DIGEST, None)
    return names[runs]
