"""What an engine writes into its database of how it runs, as those read it who look at the store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from amends.storage.ports import WORRIED_AFTER_MS

WARNING: Final = "warning"  # the name of what is wrong with the engine
WORRIED_AFTER: Final = "worried_after_ms"  # the name of how long a step has failed that counts as failing


def worried_after_ms(in_force: Mapping[str, str]) -> int:
    """For how long a step has failed that counts as failing, as the engine said; milliseconds."""
    said = in_force.get(WORRIED_AFTER, "")
    return int(said) if said.isdecimal() else WORRIED_AFTER_MS
