"""Run as a process of its own by `amends.checking.another_process`: asks each function again, and says what it answers.

It reads where modules are found, by path and by file, and the calls from standard input, and writes the answers to
standard output: both pickled, by the parent that trusts it and is trusted.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location


class ByFile(MetaPathFinder):
    """Finds what nothing else does: a module that the parent loaded from a file, by another name than the file's.

    Attributes:
        files: by the name of the module.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 - as asked
        """Where a module is; `None` for a module that the parent did not load from a file."""
        return spec_from_file_location(fullname, self.files[fullname]) if fullname in self.files else None


def answer(call: bytes) -> bytes:
    """What one function says now: whether it could be asked, and its answer, or why not."""
    try:
        function, given = pickle.loads(call)  # noqa: S301 - from the parent
    except Exception as error:  # noqa: BLE001 - a module that cannot be imported here
        return pickle.dumps((False, f"{type(error).__name__}: {error}"))
    try:
        return pickle.dumps((True, function(*given)))
    except Exception as error:  # noqa: BLE001 - a function that raises here only
        return pickle.dumps((True, f"raised {type(error).__name__}: {error}"))


def main() -> None:
    """Answer everything; what the functions print is no answer."""
    out, sys.stdout = sys.stdout.buffer, sys.stderr
    places, files, calls = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - from the parent
    sys.path[:] = places
    sys.meta_path.append(ByFile(files))
    pickle.dump([answer(each) for each in calls], out)


if __name__ == "__main__":
    main()
