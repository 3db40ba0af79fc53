"""Servers with something to see: the demo's shop, and trips in every state that a saga can be in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from tests.http.serving import Served, serving

TRIPS: Final = "tests.e2e.trips:engine"
NO: Final = {"outcome": {"refused": "too dear"}, "reason": "above the limit"}
YES: Final = {"outcome": {"done": "yes"}, "reason": "within the limit"}


@contextmanager
def demo(folder: Path) -> Iterator[Served]:
    """The order shop, with payments and shipments that take most of a second."""
    with serving(folder, code="--demo", is_open=False) as served:
        yield served


@contextmanager
def trips(folder: Path, *options: str, is_open: bool = True) -> Iterator[Served]:
    """Trips, with a bank and a manager."""
    with serving(folder, *options, code=TRIPS, is_open=is_open) as served:
        yield served


def start(http: httpx.Client, key: str, *, traveller: str = "ada", definition: str = "trip") -> str:
    """Start a saga; its id."""
    body = {"definition": definition, "request": {"traveller": traveller, "cents": 49_900}}
    started = http.post("/sagas", json=body, headers={"Idempotency-Key": key})
    assert started.status_code in (200, 202), started.text
    return str(started.json()["saga_id"])


def seen(http: httpx.Client, saga_id: str, *statuses: str, waits_for: str = "") -> Any:
    """A saga, once it has one of these statuses, and waits for that."""
    for _ in range(60):
        saga = http.get(f"/sagas/{saga_id}").json()
        if saga["status"] in statuses and waits_for in saga["waits_for"]:
            return saga
        http.get(f"/sagas/{saga_id}", headers={"Prefer": "wait=1"})
    raise AssertionError(f"{saga_id} is not {statuses}: {saga}")


def asked(http: httpx.Client, key: str, *, traveller: str = "ada") -> str:
    """A trip that waits for its manager; its id."""
    saga_id = start(http, key, traveller=traveller)
    seen(http, saga_id, "forward", waits_for="ada@travel.example")
    return saga_id


def answer(http: httpx.Client, saga_id: str, said: dict[str, Any]) -> None:
    """Answer for the manager."""
    answered = http.post("/answers", json={"key": f"{saga_id}/MANAGER_APPROVED/do", **said})
    assert answered.status_code < 300, answered.text


def stuck(http: httpx.Client, folder: Path, key: str) -> str:
    """A trip that needs an operator, since the bank refuses its refund; its id."""
    (folder / "closed").touch()
    saga_id = asked(http, key)
    answer(http, saga_id, NO)
    seen(http, saga_id, "needs operator")
    return saga_id
