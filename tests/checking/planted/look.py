"""Explore one scenario in a process of its own: ``python -m tests.checking.planted.look SCENARIO FAULTS``."""

from __future__ import annotations

import sys

from amends.checking.explore import explore
from tests.checking.drawn import drawn
from tests.checking.planted.sagas import SCENARIOS

if __name__ == "__main__":
    sys.stdout.write(drawn(explore(SCENARIOS[sys.argv[1]](), faults=int(sys.argv[2]), timeout_s=60)))
