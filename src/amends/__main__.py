"""``python -m amends`` is the command ``amends``."""

from __future__ import annotations

from amends.entrypoints.cli import main

if __name__ == "__main__":
    main()
