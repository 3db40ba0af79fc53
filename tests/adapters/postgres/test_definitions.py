"""Engines with different definitions on one PostgreSQL: what a client asks for ends at one that knows it."""

from __future__ import annotations

import amends
from amends import Completed, Saga, local
from tests.engine.test_engine import PATIENCE_S

SAGAS = 40  # in nearly half of the shards, so that the old engine has some of them


def count(number: int | None, name: str) -> int:
    """Count a name."""
    return (number or 0) + 1


OLD = Saga("counting", str, [local("COUNTED", count, entity=str, pivot=True)])
NEW = Saga(
    "counting", str, [local("COUNTED", count, entity=str, pivot=True), local("TOLD", count, entity=str)], version=2
)


def test_letters_go_to_the_engine_that_knows_them(url: str) -> None:
    """Though the old engine had every shard, and keeps those in which nothing else waits."""
    with amends.open(url, sagas=[OLD]) as old, amends.connect(url, sagas=[OLD, NEW]) as client:
        client.submit(OLD, "first").result(timeout=PATIENCE_S)
        handles = [client.submit(NEW, f"new {number}") for number in range(SAGAS)]
        with amends.open(url, sagas=[OLD, NEW]):
            handles += [client.submit(OLD, f"old {number}") for number in range(SAGAS)]
            results = [handle.result(timeout=PATIENCE_S) for handle in handles]
        assert all(isinstance(result.state, Completed) for result in results)
        assert old.entity("TOLD", "new 1") == 1
        assert client.submit(OLD, "last").result(timeout=PATIENCE_S).answers == {}
