"""What helps against what sagas do to each other, in the words of an answer.

The countermeasures have names in the field: L. Frank, T. U. Zahle, "Semantic ACID properties in multidatabases using
remote procedure calls and update propagations", Software: Practice and Experience 28, 1998.
"""

from __future__ import annotations

from typing import Final

COMMUTE: Final = "Make action and undo commutative (add and subtract)"
READ_AGAIN: Final = "check a version and read again"
LOOK_AND_TAKE: Final = "Look and take in one step (hold first), or look again where it is taken"
GIVE_OUT_LATE: Final = "Hold first: give out only after the pivot what an undo may take back"
