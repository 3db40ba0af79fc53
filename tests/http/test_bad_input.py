"""What strangers send: each is refused with what was wrong, and nothing is started (promise P13)."""

from __future__ import annotations

import asyncio
import gzip
import json

import httpx
import pytest

from tests.http.api import served

GOOD = '{"definition": "tickets", "request": 2}'
MALFORMED = {
    "no JSON": "{",
    "NaN": '{"definition": "tickets", "request": NaN}',
    "infinity": '{"definition": "tickets", "request": 1e400}',
    "twice the same key": '{"definition": "tickets", "request": 2, "request": 3}',
    "twice the same key, deep": '{"definition": "tickets", "request": [{"a": 1, "a": 2}]}',
    "too deep": '{"definition": "tickets", "request": ' + "[" * 40 + "]" * 40 + "}",
    "very deep": "[" * 100_000,
    "a long number": '{"definition": "tickets", "request": ' + "9" * 5000 + "}",
    "half a surrogate": '{"definition": "tickets", "request": "\\ud800"}',
    "more behind it": GOOD + "1",
    "a byte order mark": "\ufeff" + GOOD,
}
WRONG = {
    "true for a number": '{"definition": "tickets", "request": true}',
    "text for a number": '{"definition": "tickets", "request": "2"}',
    "a whole number as a fraction": '{"definition": "tickets", "request": 2.0}',
    "a fraction": '{"definition": "tickets", "request": 2.5}',
    "beyond 2**53": '{"definition": "tickets", "request": 9007199254740993}',
    "another field": '{"definition": "tickets", "request": 2, "role": "admin"}',
    "no request": '{"definition": "tickets"}',
    "another definition": '{"definition": "../tickets", "request": 2}',
    "a list": "[]",
    "null": "null",
    "nothing": "",
}


async def _posted(content: bytes, headers: dict[bytes, bytes]) -> httpx.Response:
    async with served() as api:
        kind = {b"Content-Type": b"application/json", b"Idempotency-Key": b"a"}
        answer = await api.http.post("/sagas", content=content, headers=kind | headers)
        assert (await api.client.list()).sagas == ()
        return answer


def posted(content: bytes, **headers: str) -> httpx.Response:
    """Post it; nothing is started."""
    named = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return asyncio.run(_posted(content, named))


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_strict_json_is_a_bad_request(text: str) -> None:
    """400, as a problem document (I1)."""
    answer = posted(text.encode())
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 400


def test_another_encoding_is_a_bad_request() -> None:
    """JSON is UTF-8 (RFC 8259)."""
    assert posted(GOOD.encode("utf-16")).status_code == 400


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_what_is_of_another_form_is_unprocessable(text: str) -> None:
    """422, with the field and the rule (I2, I3, I8)."""
    answer = posted(text.encode())
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é", '"'])
def test_a_key_is_printable_and_short(key: str) -> None:
    """400, and which rule says so (I9)."""
    answer = posted(GOOD.encode(), Idempotency_Key=key)
    assert (answer.status_code, answer.json()["field"]) == (400, "Idempotency-Key")


def test_a_body_is_bounded_plain_and_json() -> None:
    """Too large, compressed, or of another type (I6)."""
    assert posted(json.dumps({"definition": "x" * 300_000}).encode()).status_code == 413
    assert posted(gzip.compress(GOOD.encode()), Content_Encoding="gzip").status_code == 415
    assert posted(GOOD.encode(), Content_Type="text/plain").status_code == 415


def test_a_number_that_overflows_a_page_is_refused() -> None:
    """The limits of a page are told."""

    async def run() -> None:
        async with served() as api:
            for limit in ("0", "201", "-1", "x", "1e9"):
                answer = await api.http.get("/sagas", params={"limit": limit})
                assert (answer.status_code, answer.json()["field"]) == (422, "limit")
            assert (await api.http.get("/sagas", params={"after": "none"})).status_code == 422
            assert (await api.http.get("/sagas", params={"status": "well"})).status_code == 422
            assert (await api.http.get("/sagas", params={"started_from": "yesterday"})).status_code == 422

    asyncio.run(run())
