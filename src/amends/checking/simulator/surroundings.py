"""Where a process runs: its site, and the ways from there."""

from __future__ import annotations

from typing import NamedTuple

from amends.checking.simulator.broker import SimulatedBroker
from amends.checking.simulator.environment import Environment
from amends.checking.simulator.sightings import Sightings
from amends.checking.simulator.site import Site
from amends.checking.simulator.wire import SimulatedWire


class Surroundings(NamedTuple):
    """The surroundings of one process.

    Attributes:
        world: everything.
        site: whose store it is on.
        wire: the way to participants outside.
        broker: carries messages between services that are apart.
        sightings: of its site.
    """

    world: Environment
    site: Site
    wire: SimulatedWire
    broker: SimulatedBroker
    sightings: Sightings
