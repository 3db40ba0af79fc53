"""Each major version that the tests have is a place for a store; the suites run on one or the other, by chance."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

import amends
from amends import Completed
from amends.bootstrap import located
from tests.adapters.postgres.test_away_at_start import COUNT
from tests.postgres import WHEELS, own_server, url_of


def test_there_are_two_at_least() -> None:
    """As the documents say."""
    assert len(WHEELS) >= 2


@pytest.mark.parametrize("version", WHEELS)
def test_a_saga_runs_on_a_server_of_the_version(version: int) -> None:
    """It is the version that is asked for; nothing is wrong with the store then."""
    with own_server(version) as server:
        with psycopg.connect(server.conninfo) as database:
            assert database.info.server_version // 10_000 == version
        with amends.open(url_of(server.conninfo), sagas=[COUNT]) as engine:
            assert isinstance(engine.submit(COUNT, "x").result(timeout=60).state, Completed)
        with closing(located(url_of(server.conninfo)).records()) as store:
            assert [*store.problems()] == []
