"""Amends spread over processes: orders through four hosts, each with a database of its own, in place of empty steps.

Its servers are started in the script's own directory. Each order is seen to its end, and money and stock are exact.
"""

from __future__ import annotations

import amends
from amends.entrypoints.spread import WireKind
from amends.entrypoints.spread.shop import COORDINATORS
from bench.orders import PRODUCTS
from bench.peers.driving import asked, say
from bench.spread.shop import measured_shop


def main() -> None:
    """Run the orders, over NATS, and answer."""
    wanted = asked("steps")
    wanted.directory.chmod(0o755)  # the server's user passes through it
    with measured_shop(wanted.directory, WireKind.nats) as shop:
        ran = shop.run(wanted.sagas, "many", PRODUCTS, wanted.concurrency // COORDINATORS).ran
    p50_s, p99_s = ran.took_s
    say(ran.rate, p50_s, p99_s, amends.__version__)


if __name__ == "__main__":
    main()
