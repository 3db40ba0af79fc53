"""The order system on an engine: the session of `amends.shop`, durable, and the runs of files that go through it.

`opening` opens it, `ledger` is the session's unit of work on the engine's, `runs` names the runs of files. `apart` is
what hosts and coordinators have of it where its services are apart, and `spread` the session that is their client.
"""

from __future__ import annotations

from amends.storefront.ledger import AT_HOME, AWAY, EngineLedger
from amends.storefront.opening import COMMANDS, Storefront, open_storefront
from amends.storefront.runs import contents_id, current_run
from amends.storefront.spread import open_spread

__all__ = [
    "AT_HOME",
    "AWAY",
    "COMMANDS",
    "EngineLedger",
    "Storefront",
    "contents_id",
    "current_run",
    "open_spread",
    "open_storefront",
]
