"""An engine does not open where sagas wait that no engine would move, unless it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import amends
from amends import DefinitionError, Done, Saga, UnusableInput, external, wait_for
from amends.core.messages import Call
from tests.engine.test_engine import PATIENCE_S
from tests.postgres import schema


def nothing(_: object, name: str, call: Call) -> Done:
    """Nothing is done."""
    return Done()


ASKED = Saga("asked", str, [wait_for("AGREED", assignee=str, limit_s=3600), external("SENT", nothing, pivot=True)])
OTHER = Saga("other", str, [external("SENT", nothing, pivot=True)])


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a store that lasts, of each kind."""
    if request.param == "postgres":
        with schema() as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path / 'shop.db'}" if request.param == "sqlite" else f"memory:{tmp_path}"


def waiting(url: str) -> str:
    """Return a saga that waits in a store whose engine is gone."""
    with amends.open(url, sagas=[ASKED]) as engine, amends.connect(url, sagas=[ASKED]) as client:
        saga_id = client.submit(ASKED, "ada").started(timeout=PATIENCE_S)
        assert engine.describe(saga_id).saga_id == saga_id
    return saga_id


def test_orphans_are_refused_before_anything_is_done(url: str) -> None:
    """It is said how many there are, under what, and what to do; with the definition all goes on."""
    saga_id = waiting(url)
    with pytest.raises(DefinitionError, match=r"1 under asked/1/\w+; give open\(sagas=.*orphans='leave'"):
        amends.open(url, sagas=[OTHER]).__enter__()
    with amends.open(url, sagas=[OTHER, ASKED]), amends.connect(url, sagas=[ASKED]) as client:
        client.answer(f"{saga_id}/AGREED/do", Done())
        assert client.result(saga_id, timeout=PATIENCE_S).answers == {}


def test_orphans_are_left_where_that_is_said(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """They are named in the log, and wait as they are."""
    saga_id = waiting(url)
    with amends.open(url, sagas=[OTHER], orphans="leave"), amends.connect(url, sagas=[OTHER]) as client:
        assert client.submit(OTHER, "bob").result(timeout=PATIENCE_S).answers == {}
    assert "1 sagas run under asked/1/" in caplog.text
    assert "no engine that runs knows it" in caplog.text
    with amends.open(url, sagas=[ASKED]) as engine:
        assert [each.saga_id for each in engine.pending()] == [saga_id]


def test_what_another_engine_knows_is_no_orphan(caplog: pytest.LogCaptureFixture) -> None:
    """So that engines of before are started while a deploy lasts; it is named whose it is."""
    with ExitStack() as ends:
        url = ends.enter_context(schema())
        saga_id = waiting(url)
        both = ends.enter_context(amends.open(url, sagas=[ASKED, OTHER]))
        ends.enter_context(amends.open(url, sagas=[OTHER]))
        assert "which is not known here: they are left; engine " in caplog.text
        client = ends.enter_context(amends.connect(url, sagas=[ASKED]))
        client.answer(f"{saga_id}/AGREED/do", Done())
        assert both.result(saga_id, timeout=PATIENCE_S).answers == {}


def test_a_start_that_is_left_is_named_once(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """In the log; what comes after it is acted on."""
    with amends.open(url, sagas=[OTHER]), amends.connect(url, sagas=[OTHER, ASKED]) as client:
        client.submit_many(ASKED, ["ada", "bob"])
        for name in ("cid", "dan"):
            client.submit(OTHER, name).result(timeout=PATIENCE_S)
    assert caplog.text.count("sagas wait under asked/1/") == 1


def test_what_is_to_be_done_with_orphans_is_one_of_two() -> None:
    """Else it is said at once."""
    with pytest.raises(UnusableInput, match="orphans is 'kill'; give 'refuse' or 'leave'"):
        amends.open("memory:", sagas=[OTHER], orphans="kill")  # type: ignore[arg-type]  # what a caller may get wrong
