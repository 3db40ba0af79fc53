"""A participant that answers later, by a webhook that it signs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from amends.entrypoints.http.access.gate import Access
from amends.entrypoints.http.webhooks import signature_of
from tests.http.api import CHARGED as SAGA
from tests.http.api import Api, served
from tests.http.test_store import a_question

SECRET = b"a secret of the bank, which has it, too"


def headers_of(body: bytes, secret: bytes = SECRET, at_s: float | None = None) -> dict[str, str]:
    """A signature of now."""
    at = str(int(time.time() if at_s is None else at_s))
    signature = signature_of(secret, f"msg_1.{at}.".encode() + body)
    return {"webhook-id": "msg_1", "webhook-timestamp": at, "webhook-signature": f"v1,other {signature}"}


async def answered(api: Api, change: Callable[[dict[str, str]], Any] = dict, service: str = "BANK") -> httpx.Response:
    """Answer the one question, with headers as they are changed."""
    (question,) = await api.client.pending()
    body = json.dumps({"key": question.key, "outcome": {"done": "receipt 7"}}).encode()
    headers = {**change(headers_of(body)), "Content-Type": "application/json"}
    return await api.http.post(f"/webhooks/{service}", content=body, headers=headers)


def test_a_signed_answer_is_taken_once() -> None:
    """The saga goes on, the record says who answered; once more, nothing is left to answer."""

    async def run() -> None:
        async with served(access=Access(webhooks={"BANK": SECRET})) as api:
            await api.engine.submit(SAGA, 1)
            await a_question(api)
            (question,) = await api.client.pending()
            assert (await answered(api)).status_code == 204
            result = await api.client.result(question.saga_id, 60)
            assert result.answers["MONEY_CHARGED"] == "receipt 7"
            body = json.dumps({"key": question.key, "outcome": {"done": "receipt 7"}}).encode()
            again = await api.http.post(
                "/webhooks/BANK", content=body, headers={**headers_of(body), "Content-Type": "application/json"}
            )
            assert again.status_code == 409

    asyncio.run(run())


@pytest.mark.parametrize(
    "change",
    [
        lambda headers: {},
        lambda headers: {**headers, "webhook-signature": "v1,x"},
        lambda headers: {**headers, "webhook-id": "msg_2"},
        lambda headers: {**headers, "webhook-timestamp": "yesterday"},
        lambda headers: {**headers, "webhook-timestamp": "9" * 400},
        lambda headers: headers_of(b"another body"),
    ],
    ids=["none", "another", "another id", "no time", "a long time", "another body"],
)
def test_what_is_not_signed_is_refused(change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    """401, and nothing is answered."""

    async def run() -> None:
        async with served(access=Access(webhooks={"BANK": SECRET})) as api:
            await api.engine.submit(SAGA, 1)
            await a_question(api)
            assert (await answered(api, change)).status_code == 401
            assert len(await api.client.pending()) == 1

    asyncio.run(run())


def test_an_old_one_another_services_and_an_unknown_one_are_refused() -> None:
    """A recorded message is of no use after five minutes; a service answers for itself alone."""

    async def run() -> None:
        async with served(access=Access(webhooks={"BANK": SECRET, "POST": SECRET})) as api:
            await api.engine.submit(SAGA, 1)
            await a_question(api)
            (question,) = await api.client.pending()
            body = json.dumps({"key": question.key, "outcome": {"refused": "no"}}).encode()
            for at_s, service, status in [
                (time.time() - 400, "BANK", 401), (time.time(), "POST", 409), (time.time(), "SHOP", 401),
            ]:  # fmt: skip
                headers = {**headers_of(body, at_s=at_s), "Content-Type": "application/json"}
                answer = await api.http.post(f"/webhooks/{service}", content=body, headers=headers)
                assert answer.status_code == status
            assert len(await api.client.pending()) == 1

    asyncio.run(run())
