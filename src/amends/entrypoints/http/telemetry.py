"""What monitoring asks for: whether the process lives and is ready, and its figures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from amends.client.client import Client
from amends.engine.health import ANSWERS, NO_WIRE, NOT_KNOWN, Health, Probe
from amends.entrypoints.http.documents import OPEN_TO_ALL
from amends.entrypoints.http.problems import documented
from amends.entrypoints.http.scopes import Scope
from amends.entrypoints.http.shared import SharedLook
from amends.health.report import HealthReport, report_of
from amends.metrics import CONTENT_TYPE, exposed
from amends.storage.ports import ClientRecords
from amends.views.owed import OwedReader
from amends.views.sagas import AsOf
from amends.views.store_metrics import look_at_metrics

METRICS_FRESH_S: Final = 5.0
"""For which figures of the store are as good as new: a third of how often Prometheus comes by default."""
ENDING: Final = Health("ending", reasons=("it was told to end",))


class ServerMetrics:
    """The figures that a process tells that serves a store."""

    def __init__(self, client: Client, own_metrics: Callable[[], str]) -> None:
        """Look at nothing yet.

        Args:
            client: that is served.
            own_metrics: gives those of the engine that runs in the process, as text; empty for none.
        """
        look = partial(look_at_metrics, reader=OwedReader(client.definitions.sagas))
        self._of_store = SharedLook(client, look, METRICS_FRESH_S)
        self._own_metrics = own_metrics

    async def text(self) -> str:
        """All of them, for Prometheus; those of the store are at most `METRICS_FRESH_S` old.

        Raises:
            AmendsError: the store cannot be read now.
        """
        return exposed(await self._of_store.seen()) + self._own_metrics()


class ServerHealth:
    """Looks how a process does that serves a store: it is ready where the store answers.

    Attributes:
        is_ending: whether it was told to end: it takes nothing new then.
    """

    def __init__(self, client: Client) -> None:
        """Look at nothing yet.

        Args:
            client: that is served.
        """
        self.is_ending = False
        self._client = client
        self._store = Probe(self._ask)
        self._durability = NOT_KNOWN
        self._last: HealthReport | None = None

    async def report(self) -> HealthReport:
        """How it does now; within some seconds, also where the store does not answer."""
        self._last = report_of(ENDING if self.is_ending else await self._look(), self._last)
        return self._last

    async def _look(self) -> Health:
        store = await self._store.answer()
        if store == ANSWERS:
            return Health("ready", store, NO_WIRE, self._durability)
        return Health("not ready", store, NO_WIRE, self._durability, (f"the store: {store}",))

    async def _ask(self) -> None:
        self._durability = await self._client.connection.look(_durability)


def _durability(records: ClientRecords, _: AsOf) -> str:
    records.block_numbers()
    return records.durability()


TheHealth = NamedDependency[ServerHealth]
NOT_WELL: Final = {HTTPStatus.SERVICE_UNAVAILABLE.value: ResponseSpec(HealthReport, description="It is not.")}


@get("/live", scope=Scope.public, security=OPEN_TO_ALL, summary="ask whether it lives", responses=NOT_WELL)
async def see_live(health: TheHealth) -> Response[HealthReport]:
    """Whether the process works, or will by itself; else only a new start helps."""
    report = await health.report()
    return _told(report, is_well=report.health.is_live)


@get("/ready", scope=Scope.public, security=OPEN_TO_ALL, summary="ask whether it is ready", responses=NOT_WELL)
async def see_ready(health: TheHealth) -> Response[HealthReport]:
    """Whether it can be given work; what a commit of its store survives, `full`, or `reduced: ` and why."""
    report = await health.report()
    return _told(report, is_well=report.health.is_ready)


def _told(report: HealthReport, *, is_well: bool) -> Response[HealthReport]:
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return Response(report, status_code=status, headers={"Cache-Control": "no-store"})


@get("/metrics", scope=Scope.read, summary="read the figures", responses=documented(), media_type=CONTENT_TYPE)
async def read_metrics(metrics: NamedDependency[ServerMetrics]) -> Response[str]:
    """The figures of the store, and of the engine that runs here, for Prometheus; see docs/telemetry.md."""
    return Response(await metrics.text(), headers={"Cache-Control": "no-store"})
