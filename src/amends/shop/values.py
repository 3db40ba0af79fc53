"""How the shop makes its values on the hot path.

A NamedTuple's own constructor is written in Python; making the tuple directly takes two thirds of its time, and an
order makes several. ``new(Account, (...))`` takes all fields, in their order.
"""

from __future__ import annotations

from typing import Final

new: Final = tuple.__new__
