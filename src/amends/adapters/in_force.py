"""What an engine writes into its database of how it runs, as those read it who look at the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from amends.storage.moving import MoveMark
from amends.storage.ports import WORRIED_AFTER_MS

WARNING: Final = "warning"  # the name of what is wrong with the engine
WORRIED_AFTER: Final = "worried_after_ms"  # the name of how long a step has failed that counts as failing
MOVES_TO: Final = "moves_to"  # the name of where its shop is about to go
MOVED_TO: Final = "moved_to"  # the name of where its shop is


def worried_after_ms(in_force: Mapping[str, str]) -> int:
    """For how long a step has failed that counts as failing, as the engine said; milliseconds."""
    said = in_force.get(WORRIED_AFTER, "")
    return int(said) if said.isdecimal() else WORRIED_AFTER_MS


def move_mark(in_force: Mapping[str, str]) -> MoveMark | None:
    """What a store says of its move; ``None`` where it is not to move."""
    for name in (MOVED_TO, MOVES_TO):
        if to := in_force.get(name):
            return MoveMark(to, is_over=name == MOVED_TO)
    return None
