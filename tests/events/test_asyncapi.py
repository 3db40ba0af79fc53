"""`amends asyncapi`: a document whose references lead somewhere, and which real messages fit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from amends.core.messages import Call, Done, Kind, Request
from amends.shop.checkout import CHECKOUT
from amends.shop.purchase import Purchase
from amends.storage.codecs.sagas import definition_of
from amends.storage.packed import pack_answers, pack_requests, packed_answer, packed_request
from tests.acceptance.command import amends


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """Return that of the shop."""
    ran = amends("asyncapi", "shop")
    assert (ran.code, ran.err) == (0, "")
    found: dict[str, Any] = json.loads(ran.out)
    return found


def references(part: Any) -> Iterator[str]:
    """Yield where each reference of a part leads."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = [*part.values()]
    for each in part if isinstance(part, list) else ():
        yield from references(each)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """In the document itself; there is a channel of requests for each service."""
    found = {*references(document)}
    assert found
    for reference in found:
        part = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {None, "INVENTORY", "ORDER", "PAYMENT", "SHIPPING"}


def test_real_messages_fit_it(document: dict[str, Any]) -> None:
    """Each has what is required, and no key that is not there; a request is that of its definition."""
    purchase = Purchase("O1", "C1", "P1", 1, 10, short=False)
    asked = packed_request(Request("S1", "ORDER_CREATED", Kind.DO, purchase, Call("S1/ORDER_CREATED/do")), 9)
    requests = json.loads(pack_requests(">a", definition_of(CHECKOUT), [asked])[0])
    answers = json.loads(pack_answers("ORDER", [packed_answer(asked, Done({"n": 1}))])[0])
    schemas = document["components"]["schemas"]
    for name, message in (
        ("PackedRequests", requests), ("PackedRequest", requests["requests"][0]),
        ("PackedAnswers", answers), ("PackedAnswer", answers["answers"][0]),
    ):  # fmt: skip
        assert {*schemas[name]["required"]} <= {*message} <= {*schemas[name]["properties"]}
    (payload,) = (
        message["payload"]["allOf"][1]["properties"]
        for message in document["components"]["messages"].values()
        if message["title"] == "requests to ORDER"
    )
    assert requests["saga"] in payload["saga"]["enum"]
    assert "ORDER_CREATED" in payload["requests"]["items"]["anyOf"][0]["properties"]["step"]["enum"]
    assert [each["type"] for each in schemas["Purchase"]["items"]][:2] == ["string", "string"]
