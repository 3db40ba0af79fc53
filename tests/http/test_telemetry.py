"""What monitoring asks for: the figures, and whether the process lives and is ready."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from amends.entrypoints.http.telemetry import ServerHealth, ServerMetrics
from amends.errors import StoreFailed
from amends.metrics import CONTENT_TYPE, LABELS
from tests.http.api import Api, on_api
from tests.metrics import parsed


@on_api
async def test_metrics_are_text_for_prometheus(api: Api) -> None:
    """Its parser reads them; nothing in them is an id, an entity or a text."""
    await api.start("tickets", 2, "a-key", Prefer="wait=30")
    answer = await api.http.get("/metrics")
    assert answer.headers["content-type"] == f"{CONTENT_TYPE}; charset=utf-8"
    families = parsed(answer.text)
    (ended,) = families["amends_sagas"]
    assert (ended.labels, ended.value) == ({"definition": "tickets", "version": "1", "status": "completed"}, 1)
    assert all({*sample.labels} <= LABELS for samples in families.values() for sample in samples)


@on_api
async def test_no_number_of_scrapes_makes_more_looks(api: Api) -> None:
    """The store is looked at once in some seconds."""
    looks = []
    connection: Any = api.client.connection
    look_apart = connection.look_apart

    async def counted(look: Callable[..., Any]) -> Any:
        looks.append(look)
        return await look_apart(look)

    connection.look_apart = counted
    metrics = ServerMetrics(api.client, str)
    texts = await asyncio.gather(*(metrics.text() for _ in range(50)))
    assert (len(looks), len({*texts})) == (1, 1)


@on_api
async def test_live_and_ready_tell_what_a_commit_survives(api: Api) -> None:
    """Without a key, kept by no cache."""
    for path in ("/live", "/ready"):
        answer = await api.http.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        report = answer.json()
        assert (report["state"], report["store"], report["durability"]) == ("ready", "answers", "none: in memory")


@on_api
async def test_a_process_that_ends_lives_and_is_not_ready(api: Api) -> None:
    """So that nothing new is sent to it, and nothing starts it anew."""
    health = ServerHealth(api.client)
    health.is_ending = True
    report = await health.report()
    assert (report.state, report.health.is_live, report.health.is_ready) == ("ending", True, False)


@on_api
async def test_a_store_that_is_away_makes_it_unready_and_is_no_reason_to_start_anew(api: Api) -> None:
    """It says why."""

    async def away(_: object) -> None:
        raise StoreFailed("the disk is gone")

    connection: Any = api.client.connection
    connection.look = away
    assert (await api.http.get("/live")).status_code == 200
    answer = await api.http.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the store: StoreFailed: the disk is gone"]


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics"])
def test_the_document_has_them(path: str) -> None:
    """With what each answers."""

    @on_api
    async def look(api: Api) -> None:
        document = (await api.http.get("/docs/openapi.json")).json()
        assert {"200", "503"} <= document["paths"][path]["get"]["responses"].keys()

    look()
