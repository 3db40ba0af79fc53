"""The order system on an engine: the session of `amends.shop`, durable, and the files that are run through it.

Who is where: the unit of work on an engine's in `ledger`, what runs are called in `runs`, the opening in `opening`.
"""

from __future__ import annotations

from amends.storefront.ledger import EngineLedger
from amends.storefront.opening import Desk, open_desk
from amends.storefront.runs import contents_id

__all__ = ["Desk", "EngineLedger", "contents_id", "open_desk"]
