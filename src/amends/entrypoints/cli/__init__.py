"""The command ``amends``: `app` declares the commands, the rooms below carry them out.

`run` runs files of operations, `check` explores and simulates a definition, `store` looks at a store file and copies
it, `starter` writes a project to start from.
"""

from __future__ import annotations

from amends.entrypoints.cli.app import main

__all__ = ["main"]
