"""A person answers from another process: by a client, who is told when the answer does not count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

import amends
from amends import Call, Completed, Done, RequestRefused, Saga, external, wait_for

PATIENCE_S = 120.0  # a test that waits longer has failed; none of them asserts a time


@dataclass(frozen=True)
class Approval:
    """What a manager says."""

    cents: int


def ship(client: Any, request: Any, call: Call) -> None:
    """SHIPPED."""


def test_a_client_answers_a_wait_and_is_told_when_it_comes_too_late() -> None:
    """What is no answer changes nothing; one that is right is taken; after a cancel none is."""
    approved = wait_for("MANAGER_APPROVED", limit_s=3600, answer=Approval)
    saga = Saga("purchases", dict, [approved, external("SHIPPED", ship, pivot=True)])
    url = "memory:waits"
    with amends.open(url, sagas=[saga]), amends.connect(url, sagas=[saga]) as client:
        handle = client.submit(saga, {})
        handle.started(PATIENCE_S)
        (waits,) = client.pending()
        assert waits.assignee == "MANAGER"
        for wrong, words in ((Done("yes"), "is none of the step's"), (Done(), "of the type Approval")):
            with pytest.raises(RequestRefused, match=words):
                client.answer(waits.key, wrong)
        client.answer(waits.key, Done({"cents": 7}))
        ended = handle.result(PATIENCE_S)
        assert isinstance(ended.state, Completed)
        assert ended.answers["MANAGER_APPROVED"] == Approval(7)
        other = client.submit(saga, {})
        other.started(PATIENCE_S)
        client.cancel(other.saga_id, by="ann", reason="no need")
        with pytest.raises(
            RequestRefused, match="not waited for any more, the saga turned back: cancel by ann: no need"
        ):
            client.answer(f"{other.saga_id}/MANAGER_APPROVED/do", Done(Approval(1)))
