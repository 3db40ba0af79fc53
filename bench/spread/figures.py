"""The spread shop over each wire: against bare rows, all orders for one product, what an order takes at a rate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from amends.entrypoints.spread import WireKind
from amends.errors import UnusableInput
from bench.measure import Figure
from bench.postgres.figures import ratio_figure
from bench.postgres.raw import raw_rate
from bench.spread.shop import MeasuredShop, SpreadRun, measured_shop

ORDERS: Final = 8_000
ROUNDS: Final = 3
NEEDED: Final = {WireKind.nats: 0.18, WireKind.postgresql: 0.14}
HOT_NEEDED: Final = 0.8
LOADS: Final = {"a tenth": 0.1, "half": 0.5, "all": 1.0}
PACED_S: Final = 5
MICROSECONDS: Final = 1e6


def spread_lines(below: Path, wire: WireKind, orders: int = ORDERS) -> Iterator[Figure | str]:
    """What is to be printed, as it is taken; figures that must reach something are figures."""
    try:
        with measured_shop(below, wire) as shop:
            yield from _of_shop(shop, wire, orders)
    except UnusableInput as reason:
        yield f"the shop over {wire.value} is not measured: {reason}"


def _of_shop(shop: MeasuredShop, wire: WireKind, orders: int) -> Iterator[Figure | str]:
    raw_rate(shop.server, orders)  # the shop is warm, and this is now
    seen = list[tuple[SpreadRun, float, SpreadRun]]()
    for _ in range(ROUNDS):
        seen.append((shop.run(orders), raw_rate(shop.server, orders), shop.run(orders, "many", 1)))
    spread, raw, hot = zip(*seen, strict=True)
    rates = [run.ran.rate for run in spread]
    what = f"spread over {wire.value}"
    yield ratio_figure(f"{what} / bare rows by UNNEST", NEEDED[wire], [*zip(rates, raw, strict=True)])
    yield from _spent(spread)
    of_hot = [*zip((run.ran.rate for run in hot), rates, strict=True)]
    yield ratio_figure(f"{what}, all for one product / for a thousand", HOT_NEEDED, of_hot)
    yield from _at_rates(shop, median(rates))


def _spent(seen: Sequence[SpreadRun]) -> Iterator[str]:
    """What an order costs, and whom."""
    log = median(run.ran.wal_bytes for run in seen) / 1024
    yield f"  an order: {log:.1f} KiB of the server's log, {median(run.ran.syncs for run in seen):.3f} syncs of it"
    taken = {kind: median(run.cpu_s[kind] for run in seen) * MICROSECONDS for kind in sorted(seen[-1].cpu_s)}
    whole = sum(taken.values())
    parts = "; ".join(f"{kind} {each:.0f}" for kind, each in taken.items() if each >= 1)
    yield f"  CPU time an order: {whole:.0f} us: {parts}"


def _at_rates(shop: MeasuredShop, full: float) -> Iterator[str]:
    """How long an order takes where so many come in a second."""
    for words, share in LOADS.items():
        each = max(1, int(full * share / shop.coordinators))
        rate = each * shop.coordinators
        p50, p99 = (took * 1e3 for took in shop.run(rate * PACED_S, "paced", each).ran.took_s)
        yield f"  at {words} of the full rate, {rate:,} a second: p50 {p50:.0f} ms, p99 {p99:.0f} ms"
