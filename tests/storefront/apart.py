"""The shop's services apart, each an engine of its own within this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from tempfile import TemporaryDirectory

import amends
from amends import Saga
from amends.storefront.apart import SAGAS, SERVICES

NUMBERS = count()
"""Databases in memory last as long as the process: each shop has some of its own."""


@contextmanager
def apart(sagas: Mapping[str, Sequence[Saga]] | None = None) -> Iterator[str]:
    """Open a host for each service, in memory, and a coordinator in a file; give the URL of that one's store.

    Args:
        sagas: of hosts that have others than the shop's, by service.
    """
    name = f"memory:apart-{next(NUMBERS)}"
    with TemporaryDirectory() as folder, ExitStack() as engines:
        for service in SERVICES:
            given, others = (sagas or {}).get(service, SAGAS), [other for other in SERVICES if other != service]
            opening = amends.open(f"{name}-{service}", sagas=given, wire=name, hosts=[service], elsewhere=others)
            engines.enter_context(opening)
        url = f"sqlite:///{folder}/sagas.db"
        engines.enter_context(amends.open(url, sagas=SAGAS, wire=name, elsewhere=SERVICES))
        yield url
