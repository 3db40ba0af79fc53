"""Who wakes whom on a database in memory."""

from __future__ import annotations

import asyncio

from amends.adapters.memory.database import MemoryDatabase
from amends.adapters.memory.wakeup import MemoryWakeup


def test_an_engine_wakes_its_clients_and_the_other_engines_where_it_wrote_to_them() -> None:
    """Not itself; a client wakes every engine."""

    async def heard() -> list[list[str]]:
        database, loop, rings = MemoryDatabase(), asyncio.get_running_loop(), list[str]()
        ends = {
            name: MemoryWakeup(database, is_engine=name.startswith("engine"))
            for name in ("engine 1", "engine 2", "client")
        }
        for name, end in ends.items():
            assert end.listen(loop, lambda name=name: rings.append(name))  # type: ignore[misc]  # the name of now
        told = []
        for name, engines in (("engine 1", False), ("engine 1", True), ("client", False)):
            ends[name].ring(engines=engines)
            await asyncio.sleep(0)
            told.append(sorted(rings))
            rings.clear()
        for end in ends.values():
            end.close()
        return told

    assert asyncio.run(heard()) == [["client"], ["client", "engine 2"], ["engine 1", "engine 2"]]
