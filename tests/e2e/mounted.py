"""The console in another application, below a path of it: `uvicorn tests.e2e.mounted:app`."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.routing import Mount

import amends
from tests.e2e.trips import TRIP, VISIT, folder

app = Starlette(
    routes=[
        Mount(
            "/ours/sagas",
            amends.asgi(
                amends.connect(f"sqlite:///{folder / 'shop.db'}", sagas=[TRIP, VISIT]),
                authorize=lambda _: amends.Caller("the application", frozenset(("read", "operate", "cancel"))),
            ),
        )
    ]
)
