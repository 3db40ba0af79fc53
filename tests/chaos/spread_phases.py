"""What is done to the spread shop: to its processes, both servers, its messages, and the way between any two."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import Final

from tests.chaos.orders import KINDS_APART
from tests.chaos.phases import LEASE_S, Fault, Phase, disturb, kill_one, kill_or_stop, stop_one
from tests.chaos.spread_world import SpreadShop, spread_world
from tests.chaos.wires import WireInNats, WireOf, in_nats, in_postgres

COPIES: Final = 100


def kill_any(shop: SpreadShop, chance: random.Random, number: int) -> None:
    """Kill a coordinator, a host or a client, wherever it is; every tenth time a server."""
    if number % 10 != 9:
        kill_one(shop, chance, number)
    elif number % 20 == 9:
        kill_store(shop, chance, number)
    else:
        kill_wire(shop, chance, number)


def kill_store(shop: SpreadShop, chance: random.Random, number: int) -> None:
    """Kill the server of all stores, and leave it away for a moment."""
    shop.server.kill()
    shop.tend(chance.random())
    shop.server.start()
    shop.watch.forget()
    shop.tend(chance.random())


def kill_wire(shop: SpreadShop, chance: random.Random, number: int) -> None:
    """Kill the server of the wire, and leave it away for a moment."""
    shop.wire.kill()
    shop.tend(chance.random())
    shop.wire.start()
    shop.watch.forget()
    shop.tend(chance.random())


def kill_all(shop: SpreadShop, chance: random.Random, number: int) -> None:
    """Kill all processes at once, and every other time both servers with them."""
    for process in (*shop.fleet.engines.values(), *shop.fleet.clients.values()):
        shop.fleet.kill(process)
    if number % 2:
        shop.wire.kill()
        shop.server.kill()
        shop.server.start()
        if isinstance(shop.wire, WireInNats):
            shop.wire.start()
    shop.tend(2 * LEASE_S + chance.random() * 2)


def harm(shop: SpreadShop, chance: random.Random, number: int) -> None:
    """Take from the wire what it has."""
    shop.wire.harm(chance, number, shop.tend)
    shop.tend(chance.random() * 2)


def lose_folder(shop: SpreadShop, chance: random.Random, number: int) -> None:
    """Delete the broker's data folder, every other time while it runs."""
    assert isinstance(shop.wire, WireInNats)
    shop.wire.lose_folder(shop.tend, while_it_runs=bool(number % 2))
    shop.tend(1.0 + chance.random() * 2)


def disturb_any(shop: SpreadShop, chance: random.Random, number: int) -> None:
    """Let something go wrong between one process and its store, or the wire."""
    is_commit = number % 4 == 3
    shop.proxy = chance.choice(shop.links.stores if is_commit or chance.random() < 0.5 else shop.links.wires)
    disturb(shop, chance, number)


IN_TURN: Final[tuple[Fault, ...]] = (kill_one, harm, kill_store, kill_wire, stop_one)


def mix(shop: SpreadShop, chance: random.Random, number: int) -> None:
    """Do one after the other to one shop."""
    round_number, place = divmod(number, len(IN_TURN))
    IN_TURN[place](shop, chance, round_number)


_phase: Final = partial(Phase, kinds=KINDS_APART, has_server=False)


def _by(wire: WireOf, end: str, by: str) -> Iterator[Phase]:
    """What is done by each wire."""
    phase = partial(_phase, world=partial(spread_world, wire=wire))
    yield phase(f"mixed{end}", f"{by}: one fault after the other", mix, 50, 50, least=4)
    yield phase(f"any{end}", f"{by}: kill -9 of any process or server", kill_any, 450, 90)
    yield phase(f"every{end}", f"{by}: kill -9 of all, and of servers", kill_all, 50, 25)
    yield phase(f"pause{end}", f"{by}: SIGSTOP for longer than the lease", stop_one, 50, 25)
    yield phase(f"links{end}", f"{by}: a bad way between any two", disturb_any, 100, 25, is_proxied=True)
    manifold = partial(spread_world, wire=wire, copies=COPIES)
    yield _phase(f"copies{end}", f"{by}: all up to 100 times, shuffled; kills", kill_or_stop, 20, 20, world=manifold)


SPREAD_PHASES: Final = (
    *_by(in_postgres, "", "spread"),
    _phase("schema", "spread: truncated, dropped", harm, 42, 42, world=partial(spread_world, wire=in_postgres)),
    *_by(in_nats, "-nats", "by NATS"),
    _phase(
        "folder", "by NATS: its data folder deleted", lose_folder, 20, 20, world=partial(spread_world, wire=in_nats)
    ),
    _phase("streams", "by NATS: consumers, streams deleted", harm, 50, 50, world=partial(spread_world, wire=in_nats)),
)
