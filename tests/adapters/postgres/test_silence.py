"""A connection on whose other end nobody answers any more, though TCP finds nothing wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amends.adapters.postgres import PostgresStore, address_of, settings
from amends.adapters.postgres.settings import Timeouts
from amends.errors import StoreBusy
from tests.chaos.lives import run_proxy
from tests.chaos.processes import ChaosProcess
from tests.chaos.proxy import DOWN, FOR_GOOD_S, UP, ProxyLife
from tests.contract.engines import SharedEngine
from tests.contract.rows import saga

BOUND_S = 60


@pytest.fixture
def proxy(url: str, tmp_path: Path) -> Iterator[ChaosProcess]:
    """Return a proxy before the server."""
    life = ProxyLife(f"{address_of(url).connection['host']}/.s.PGSQL.5432")
    process = ChaosProcess("proxy", run_proxy, life, tmp_path / "stderr.txt")
    yield process
    process.end()


@pytest.fixture
def one(url: str, proxy: ChaosProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedEngine]:
    """Return an engine that comes by way of the proxy, and waits for an answer for a quarter of a second."""
    monkeypatch.setattr(settings, "WAY_MS", 150)
    assert proxy.link.poll(BOUND_S)
    ((_, port),) = proxy.hear()
    schema = address_of(url).schema
    store = PostgresStore(f"postgresql://postgres@127.0.0.1:{port}/postgres?schema={schema}", Timeouts(100, 100, 100))
    store.ownership.enter("one", 600_000)
    yield SharedEngine("one", store)
    store.close()


@pytest.mark.parametrize("way", [UP, DOWN])
def test_a_server_that_falls_silent_counts_as_away(one: SharedEngine, proxy: ChaosProcess, way: str) -> None:
    """The call ends, and the next one goes on by another connection."""
    one.commit(saga("S1"))
    proxy.say("swallow", way, FOR_GOOD_S)
    assert proxy.link.poll(BOUND_S), "the proxy answers once it swallows"
    with pytest.raises(StoreBusy, match=r"the database is away: no answer for 0.25 s"):
        one.store.sagas(["S1"])
    assert one.store.sagas(["S1"]) == {"S1": saga("S1")}


def test_a_commit_whose_answer_is_swallowed_is_found_in_its_chain(one: SharedEngine, proxy: ChaosProcess) -> None:
    """It counts as what it is: written."""
    one.commit(saga("S1"))
    proxy.say("commit", "swallowed")
    one.commit(saga("S2"))
    assert one.store.head("one").number == 2
