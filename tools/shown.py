"""Print what a document shows and no command prints: the counterexample that begins ``amends demo``, by itself.

Usage: python tools/shown.py counterexample
"""

from __future__ import annotations

import sys

from amends import check
from amends.checking import CheckFailed
from amends.entrypoints.tickets import one_sale, tickets


def main() -> None:
    """Print it."""
    if sys.argv[1:] != ["counterexample"]:
        sys.exit("usage: python tools/shown.py counterexample")
    try:
        check(one_sale(tickets()))
    except CheckFailed as failed:
        print(failed.answer)


if __name__ == "__main__":
    main()
