"""The order shop over HTTP: customers, products, orders, and batches with the contract's report."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from amends.entrypoints.cli.serve.offering import _shop_sagas
from amends.entrypoints.http.operations import TAKEN
from amends.storefront.web import OF_WEB
from tests.house.source import ROOT
from tests.http.api import Api, served

EXAMPLES = [json.loads((ROOT / "examples" / f"example-{number}.json").read_text("utf-8")) for number in (1, 2)]


def on_shop(test: Callable[[Api], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test of the shop, in an event loop of its own."""

    async def run() -> None:
        async with served(tuple(_shop_sagas()), shop=OF_WEB) as api:
            await test(api)

    def plain() -> None:
        asyncio.run(run())

    plain.__name__, plain.__doc__ = test.__name__, test.__doc__
    return plain


async def stocked(api: Api) -> None:
    """A customer and a product."""
    assert (await api.http.put("/customers/ada", json={"credit_limit": 1000})).status_code == 200
    assert (await api.http.put("/products/pen", json={"stock": 10, "price": 3})).status_code == 200


async def placed(api: Api, key: str, **more: Any) -> Any:
    """An order, once it has ended, and where it is."""
    body = {"customer_id": "ada", "product_id": "pen", "quantity": 4, **more}
    answer = await api.http.post("/orders", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 202, answer.text
    await api.client.result(answer.json()["saga_id"], 60)
    return (await api.http.get(answer.headers["location"])).json()


@on_shop
async def test_an_order_ships(api: Api) -> None:
    """Money and stock are what it took."""
    await stocked(api)
    order = await placed(api, "a")
    assert (order["status"], order["total_amount"]) == ("SHIPPED", 12)
    assert (await api.http.get("/customers/ada")).json()["credit_used"] == 12
    assert (await api.http.get("/products/pen")).json() == {
        "product_id": "pen", "stock": 6, "reserved": 0, "price": 3, "status": "AVAILABLE",
    }  # fmt: skip


@pytest.mark.parametrize("service", ["ORDER", "PAYMENT", "INVENTORY", "SHIPPING"])
def test_a_failure_is_undone(service: str) -> None:
    """Everything is as it was before, and the order says why."""

    @on_shop
    async def run(api: Api) -> None:
        await stocked(api)
        order = await placed(api, "a", fail_at=service)
        assert (order["status"], order["reason"]) == ("CANCELED", "injected failure")
        assert (await api.http.get("/customers/ada")).json()["credit_used"] == 0
        assert (await api.http.get("/products/pen")).json()["stock"] == 10

    run()


@on_shop
async def test_equal_orders_at_once_are_one(api: Api) -> None:
    """64 posts with one key: one order, 64 equal answers."""
    await stocked(api)
    body, headers = {"customer_id": "ada", "product_id": "pen", "quantity": 1}, {"Idempotency-Key": "a"}
    answers = await asyncio.gather(*(api.http.post("/orders", json=body, headers=headers) for _ in range(64)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    await api.client.result(answers[0].json()["saga_id"], 60)
    assert (await api.http.get("/products/pen")).json()["stock"] == 9


@on_shop
async def test_what_the_contract_refuses_is_refused(api: Api) -> None:
    """Ids of 1 to 8 printable characters, its ranges, and who or what does not exist."""
    await stocked(api)
    good = {"customer_id": "ada", "product_id": "pen", "quantity": 4}
    wrong: list[tuple[str, str, Any]] = [
        ("PUT", "/customers/ninechars", {"credit_limit": 1}),
        ("PUT", "/customers/ada", {"credit_limit": 0}),
        ("PUT", "/customers/ada", {"credit_limit": 1_000_001}),
        ("PUT", "/customers/a%00b", {"credit_limit": 1}),
        ("PUT", "/products/pen", {"stock": -1, "price": 1}),
        ("PUT", "/products/pen", {"stock": 10_001, "price": 1}),
        ("PUT", "/products/pen", {"stock": 1, "price": 0}),
        ("POST", "/orders", {**good, "quantity": 1001}),
        ("POST", "/orders", {**good, "quantity": True}),
        ("POST", "/orders", {**good, "quantity": 1.0}),
        ("POST", "/orders", {**good, "fail_at": "BANK"}),
        ("POST", "/orders", {**good, "customer_id": "nobody"}),
        ("POST", "/orders", {**good, "product_id": "nothing"}),
        ("POST", "/orders", {**good, "total_amount": 1}),
    ]
    for number, (method, path, body) in enumerate(wrong):
        answer = await api.http.request(method, path, json=body, headers={"Idempotency-Key": f"a{number}"})
        assert answer.status_code == 422, (method, path, body, answer.text)
    assert (await api.http.get("/customers/bob")).status_code == 404
    assert (await api.http.get("/products/ink")).status_code == 404
    assert (await api.http.get("/orders/O001")).status_code == 404
    assert (await api.http.get("/products/pen")).json()["stock"] == 10


@on_shop
async def test_batches_give_the_reports_of_the_contract(api: Api) -> None:
    """Its examples, one after the other; each once more under its key gives the same bytes."""
    for key, example in enumerate(EXAMPLES):
        batch, headers = {"operations": example["operations"]}, {"Idempotency-Key": str(key)}
        first, second = [await api.http.post("/operations", json=batch, headers=headers) for _ in range(2)]
        assert first.json() == example["report"]
        assert (second.status_code, second.content) == (200, first.content)


@on_shop
async def test_equal_batches_at_once_are_one(api: Api) -> None:
    """One is carried out, and all are answered alike; another one under the key is refused."""
    headers = {"Idempotency-Key": "a"}
    posts = (api.http.post("/operations", json=EXAMPLES[0]["operations"], headers=headers) for _ in range(8))
    answers = await asyncio.gather(*posts)
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert (await api.http.post("/operations", json=[["NOTHING"]], headers=headers)).status_code == 422
    assert (await api.http.post("/operations", json={"a": 1}, headers={"Idempotency-Key": "b"})).status_code == 422


@on_shop
async def test_a_batch_that_was_cut_off_is_not_begun_anew(api: Api) -> None:
    """It was taken, and has no report: who sent it is told, and decides."""
    operations = EXAMPLES[0]["operations"]
    taken = await api.client.submit(TAKEN, operations, key="anyone on this machine a taken")
    await taken.result(60)
    answer = await api.http.post("/operations", json=operations, headers={"Idempotency-Key": "a"})
    assert (answer.status_code, "cut off" in answer.json()["detail"]) == (409, True)
