"""A database that is of an earlier moment than its engines, as after a failover to a replica that was behind."""

from __future__ import annotations

import psycopg
import pytest

import amends
from amends import Completed, EngineStopped
from amends.adapters.postgres import address_of
from tests.acceptance.command import amends as command
from tests.adapters.postgres.transfers import TRANSFER
from tests.postgres import server

PATIENCE_S = 60
LOSE = """
WITH lost AS (DELETE FROM heads WHERE number = (SELECT max(number) FROM heads) RETURNING chain, number)
DELETE FROM blocks USING lost WHERE blocks.chain = lost.chain AND blocks.number = lost.number
"""


def test_an_engine_whose_commits_are_lost_stops(url: str) -> None:
    """It would be refused for ever, and keep its shards: another one goes on, and a line of heads tells the loss."""
    with amends.open(url, sagas=[TRANSFER]) as engine:
        for number in (1, 2):
            assert isinstance(engine.submit(TRANSFER, number).result(PATIENCE_S).state, Completed)
        kept = command("audit", "head", "--db", url).out
        with psycopg.connect(server(), autocommit=True) as database:
            database.execute(f"SET search_path = {address_of(url).schema}".encode())
            assert database.execute(LOSE.encode()).rowcount == 1
        with pytest.raises(EngineStopped, match=r"the database has lost commits: chain '.*' ends with block "):
            engine.submit(TRANSFER, 3)
    with amends.open(url, sagas=[TRANSFER]) as engine:
        assert isinstance(engine.submit(TRANSFER, 4).result(PATIENCE_S).state, Completed)
    verified = command("audit", "verify", "--db", url, "--head", kept)
    assert verified.code == 1
    assert ": it was cut" in verified.out
