"""Run as a process of its own by `amends.checking.afresh`: asks each function again, and says what it answers.

It reads where modules are found and the calls from standard input, and writes the answers to standard output: both
pickled, by the parent that trusts it and is trusted.
"""

from __future__ import annotations

import pickle
import sys


def answer(asked: bytes) -> bytes:
    """What one function says now: whether it could be asked, and its answer, or why not."""
    try:
        function, given = pickle.loads(asked)  # noqa: S301 - from the parent
    except Exception as error:  # noqa: BLE001 - a module that cannot be imported here
        return pickle.dumps((False, f"{type(error).__name__}: {error}"))
    try:
        return pickle.dumps((True, function(*given)))
    except Exception as error:  # noqa: BLE001 - a function that raises here only
        return pickle.dumps((True, f"raised {type(error).__name__}: {error}"))


def main() -> None:
    """Answer everything; what the functions print is nobody's answer."""
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    places, asked = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - from the parent
    sys.path[:] = places
    pickle.dump([answer(each) for each in asked], out)


if __name__ == "__main__":
    main()
