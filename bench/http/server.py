"""The server that is measured: the shop's, with one more route that is let in and read alike, and does nothing."""

from __future__ import annotations

import asyncio
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.params import JSONBody

import amends
from amends.entrypoints.cli.serve.offering import offering_of
from amends.entrypoints.cli.serve.running import _listening, _server
from amends.entrypoints.http.access.gate import Access
from amends.entrypoints.http.access.keys import KeyFile
from amends.entrypoints.http.access.rates import RequestRates
from amends.entrypoints.http.app import application
from amends.entrypoints.http.preferences import idempotency_key_of
from amends.entrypoints.http.scopes import GRANTED, Scope
from amends.entrypoints.http.shop import OrderWanted
from amends.entrypoints.http.starting import StartAccepted

UNBOUNDED = 1e9


@post("/nothing", scope=Scope.start, whole_numbers=True, status_code=HTTPStatus.ACCEPTED)
async def do_nothing(request: Request[Any, Any, State], data: JSONBody[OrderWanted]) -> Response[StartAccepted]:
    """Read what an order is read from, and answer as an order is answered."""
    key = idempotency_key_of(request)
    where = f"/orders/{key}"
    return Response(
        StartAccepted(key, data.customer_id, where), status_code=HTTPStatus.ACCEPTED, headers={"Location": where}
    )


async def main(folder: Path) -> None:
    """Serve until it is ended; the first line says the port and the key."""
    offering = offering_of("shop", str(folder / "shop.db"), None)
    keys = KeyFile(folder / "keys")
    _, shown = keys.add("bench", sorted(GRANTED))
    assert offering.opening is not None
    async with offering.opening, amends.connect(offering.at.url, sagas=offering.given.sagas) as client:
        access = Access(keys=keys, rates=RequestRates(UNBOUNDED, int(UNBOUNDED)))
        served = application(client, access, offering.shop)
        served.register(do_nothing)
        with _listening("127.0.0.1", 0) as listening:
            print(listening.getsockname()[1], shown, flush=True)
            await _server(served).serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
