"""The handler that Restate's server calls; hypercorn serves it: ``hypercorn bench.peers.restate_service:app``."""

from __future__ import annotations

import restate  # type: ignore[import-not-found] # only in the peers' own environment

from bench.peers.driving import STEPS


async def nothing() -> None:
    """What each step does."""


async def saga(context: restate.Context, number: int) -> int:
    """Four steps that do nothing: the result of each is in Restate's log before the next begins."""
    for event in STEPS:
        await context.run_typed(event, nothing)
    return number


service = restate.Service("Saga")
service.handler()(saga)
app = restate.app(services=[service])
