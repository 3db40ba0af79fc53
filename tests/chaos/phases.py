"""What is done to a world: one fault after the other, while clients ask."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any, Final, NamedTuple

from tests.chaos.disks import cut_power, fill, image_disk, small_disk
from tests.chaos.engine import BEHIND_COMMIT, LEASE_MS, TERMINATE
from tests.chaos.processes import ChaosProcess
from tests.chaos.proxy import DOWN, FOR_GOOD_S, UP
from tests.chaos.wishes import AT_THE_DESK, KINDS
from tests.chaos.world import Seen, Shop, world
from tests.postgres import Server
from tests.torture.broken import BrokenPromise, demand

LEASE_S: Final = LEASE_MS / 1000
AT: Final = (
    "begin", "settings", "sagas", "keys", "hold_keys", "entities", "insert_block", "insert_sagas", "update_sagas",
    "put_standings", "remove_standings", "insert_entities", "update_entities", "insert_keys", "insert_subjects",
    "insert_counts", "delete_letters", "commit", BEHIND_COMMIT,
)  # fmt: skip
"""The statements of a turn: the session ends before each of them, and behind the last one."""
COMES_WITHIN_S: Final = (
    5.0  # a statement of a turn, with clients that ask for everything, and an engine that does not end
)
TRIES: Final = 10

Fault = Callable[[Any, random.Random, int], None]
"""Does something to a `Shop`, or to one of its kinds."""
World = Callable[[Path, Server, int, Any], AbstractContextManager[tuple[Any, Callable[[], Seen]]]]
"""Makes a shop for a phase; see `world`."""


class Phase(NamedTuple):
    """A kind of fault.

    Attributes:
        name: for the command line.
        what: in words, for the table.
        fault: does one of them, and waits for a moment.
        faults: how many belong to a whole run.
        a_world: how many of them in one world.
        world: makes the shop.
        disk: has a server on a file system of its own; ``None`` for one that all other phases share.
        least: how many belong to a part of a run, however small.
        engines: how many of them share the work.
        clients: how many ask.
        kinds: for what, and how much of each.
        is_proxied: whether there is a proxy before the server.
        has_server: whether there is a server at all times.
    """

    name: str
    what: str
    fault: Fault
    faults: int
    a_world: int
    least: int = 2
    engines: int = 3
    clients: int = 2
    kinds: Mapping[str, int] = KINDS
    is_proxied: bool = False
    has_server: bool = True
    world: World = world
    disk: Callable[[Path], AbstractContextManager[Server]] | None = None


def kill_one(shop: Shop, chance: random.Random, number: int) -> None:
    """Kill an engine, or a client, wherever it is; also one that is about to start."""
    engines, clients = [*shop.fleet.engines.values()], [*shop.fleet.clients.values()]
    process = chance.choice(engines if chance.random() < 0.75 else clients)
    shop.falls_silent(process)
    shop.fleet.kill(process)
    shop.tend(chance.random() * 1.4)


def kill_all(shop: Shop, chance: random.Random, number: int) -> None:
    """Kill all engines and clients at once, and every other time the server with them."""
    for process in (*shop.fleet.engines.values(), *shop.fleet.clients.values()):
        shop.fleet.kill(process)
    if number % 2:
        shop.server.crash()
        shop.server.start()
    shop.tend(2 * LEASE_S + chance.random() * 2)


def crash_server(shop: Shop, chance: random.Random, number: int) -> None:
    """Crash the server, and leave it away for a moment."""
    shop.server.crash()
    shop.tend(chance.random() * 2)
    shop.server.start()
    shop.watch.forget()
    shop.tend(LEASE_S + chance.random() * 2)


def stop_one(shop: Shop, chance: random.Random, number: int) -> None:
    """Let an engine stand still for longer than its lease; sometimes a client."""
    engines = [process for process in shop.fleet.engines.values() if process in shop.fleet.names]
    process = chance.choice(engines if chance.random() < 0.85 else [*shop.fleet.clients.values()])
    name = shop.fleet.names.get(process, "")
    process.signal(SIGSTOP)
    shop.falls_silent(process)
    shop.tend(LEASE_S * (1.4 + chance.random()))
    process.signal(SIGCONT)
    shop.watch.woke(name)
    shop.tend(chance.random())


def kill_or_stop(shop: Shop, chance: random.Random, number: int) -> None:
    """Kill one, and every fourth time let one stand still."""
    (stop_one if number % 4 == 3 else kill_one)(shop, chance, number)


def end_session(shop: Shop, chance: random.Random, number: int) -> None:
    """End an engine's session at a statement of its turn (``pg_terminate_backend``)."""
    at = AT[number % len(AT)]
    for _ in range(TRIES):
        engine = _running(shop, chance)
        engine.say(TERMINATE, at)
        if shop.tend_until(lambda engine=engine: ["severed", at] in shop.fleet.said(engine, "severed"), COMES_WITHIN_S):  # type: ignore[misc]
            break
    else:
        raise BrokenPromise(f"no turn came to {at}, of any of {TRIES} engines, within {COMES_WITHIN_S:.0f} s each")
    shop.tend(chance.random() * 0.3)


def disturb(shop: Shop, chance: random.Random, number: int) -> None:
    """Let something go wrong on the way to the server."""
    assert shop.proxy is not None
    kinds = ("delay", "cut", "swallow", "commit")
    kind = kinds[number % len(kinds)]
    match kind:
        case "delay":
            shop.proxy.say(kind, chance.uniform(0.02, 0.4), 1.5)
        case "cut":
            shop.proxy.say(kind)
        case "swallow":
            seconds = chance.choice([0.5, 2 * LEASE_S, FOR_GOOD_S])
            shop.proxy.say(kind, chance.choice([UP, DOWN]), seconds)
        case "commit":
            shop.proxy.say(kind, chance.choice(["before", "within", "behind", "swallowed"]))
    shop.tend(1.0 + chance.random() * 2)


def deploy(shop: Shop, chance: random.Random, number: int) -> None:
    """Replace every engine: the new one comes up, and the old one is asked to end."""
    shop.prints_once = True
    for slot, old in [*shop.fleet.engines.items()]:
        new = shop.fleet.start_engine(slot)
        demand(shop.tend_until(lambda new=new: new in shop.fleet.names, 30), f"{new.name} does not come up")  # type: ignore[misc]
        shop.fleet.retire(old)
        shop.tend(chance.random() * 0.5)


def fill_disk(shop: Shop, chance: random.Random, number: int) -> None:
    """Let the server's disk be full for a moment; one that ended for it is started when there is space."""
    ballast = fill(shop.server, chance.choice([0, 1 << 14, 1 << 20]))
    shop.tend(1 + chance.random() * 2)
    ballast.unlink()
    shop.server.revive()
    shop.watch.forget()
    shop.tend(LEASE_S + chance.random() * 2)


def lose_power(shop: Shop, chance: random.Random, number: int) -> None:
    """Cut the power of the server's disk, in the middle of whatever it does."""
    cut_power(shop.server)
    shop.watch.forget()
    shop.tend(2 * LEASE_S + chance.random() * 2)


def _running(shop: Shop, chance: random.Random) -> ChaosProcess:
    shop.await_ready()
    return chance.choice([*shop.fleet.engines.values()])


PHASES: Final = (
    Phase("kill", "kill -9 of any engine or client", kill_one, 1000, 100, least=8),
    Phase("all", "kill -9 of all at once, and of the server", kill_all, 50, 25, has_server=False),
    Phase("server", "crash of the server", crash_server, 50, 25, has_server=False),
    Phase("session", "pg_terminate_backend at each statement of a turn", end_session, 5 * len(AT), 5 * len(AT)),
    Phase("stop", "SIGSTOP for longer than the lease", stop_one, 100, 50),
    Phase("places", "both, while sagas wait for places", kill_or_stop, 100, 50, least=4, kinds=AT_THE_DESK),
    Phase(
        "proxy", "delays, cuts, silence, cuts in a COMMIT", disturb, 200, 50, least=5, is_proxied=True, has_server=False
    ),
    Phase("deploy", "rolling deploys under load", deploy, 20, 20, engines=2),
    Phase("full", "no space on the server's disk", fill_disk, 20, 20, has_server=False, disk=small_disk),
    Phase("power", "power cuts of the server", lose_power, 20, 20, has_server=False, disk=image_disk),
)
