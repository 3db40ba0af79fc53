"""What an engine tells of its sagas while it runs, in asyncio and without; on every kind of store."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import Done, Later, RequestRefused, Saga, external
from tests.engine.test_engine import PATIENCE_S
from tests.engine.world import nothing


async def ask_a_person(client: Any, request: int, call: Any) -> Later:
    """Leave the answer to a person."""
    return Later(3600)


ASKED = external("PERSON_ASKED", ask_a_person, undo=nothing, undone="PERSON_TOLD")
REVIEW = Saga("review", int, [ASKED, external("LETTER_SENT", nothing, pivot=True)])
KINDS = ["memory", "file"]


def url_of(kind: str, folder: Path) -> str:
    """Return the address of a store of a kind."""
    return "memory:" if kind == "memory" else f"sqlite:///{folder / 'review.db'}"


@pytest.mark.parametrize("kind", KINDS)
def test_an_engine_tells_how_its_sagas_stand(kind: str, tmp_path: Path) -> None:
    """At once after each commit, by id, by client key, in lists, and by what is waited for."""

    async def test() -> None:
        async with amends.open(url_of(kind, tmp_path), sagas=[REVIEW]) as engine:
            handle = await engine.submit(REVIEW, 7, key="article 7")
            while not (pending := await engine.pending(service="PERSON")):
                await asyncio.sleep(0.01)
            told = await handle.describe()
            assert told.waits_for.startswith("waits for an answer from PERSON, since ")
            assert [step.outcome for step in told.steps] == ["sent", ""]
            found = await engine.find("article 7")
            assert found
            assert found.saga_id == handle.saga_id
            assert [saga.saga_id for saga in (await engine.list(status="waiting")).sagas] == [handle.saga_id]
            await engine.answer(pending[0].key, Done("fine"))
            await handle.result(PATIENCE_S)
            assert (await engine.describe(handle.saga_id)).status == "completed"
            assert not await engine.pending()
            assert not (await engine.list(status=["failing", "owed"])).sagas

    asyncio.run(test())


@pytest.mark.parametrize("kind", KINDS)
def test_the_blocking_engine_tells_the_same(kind: str, tmp_path: Path) -> None:
    """Page by page, newest first."""
    with amends.open(url_of(kind, tmp_path), sagas=[REVIEW]) as engine:
        ids = [engine.submit(REVIEW, number).saga_id for number in range(5)]
        first = engine.list(limit=3)
        assert [saga.saga_id for saga in first.sagas] == ids[:1:-1]
        engine.submit(REVIEW, 5)
        second = engine.list(limit=3, after=first.after)
        assert ([saga.saga_id for saga in second.sagas], second.after) == (ids[1::-1], None)
        before = datetime.now(UTC) - timedelta(hours=1)
        assert not engine.list(started_before=before).sagas
        assert len(engine.list(started_from=before, definition="review").sagas) == 6
        assert engine.submit(REVIEW, 6).describe().request == "6"
        assert engine.describe(ids[0]).request == "0"
        assert engine.find("never given") is None


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"state": "waiting"}, "'state' is no filter; those are: status, definition, service, step, "),
        ({"status": "stuck"}, "status is 'stuck'; give one of forward, backward, needs-operator, "),
        ({"status": [None]}, "status is None"),
        ({"limit": 0}, "limit is 0; give a whole number, 1 to 10000"),
        ({"limit": True}, "limit is True"),
        ({"service": 5}, "service is 5; give printable text"),
        ({"started_before": datetime(2026, 1, 1)}, "give a datetime with a time zone"),  # noqa: DTZ001 - that is the fault
        ({"after": "nobody-1"}, "no saga 'nobody-1' is there to go on after"),
        ({"status": "owed", "after": "nobody-1"}, "no saga 'nobody-1' is there to go on after"),
    ],
)
def test_a_filter_that_is_none_is_refused(wanted: dict[str, Any], words: str) -> None:
    """By its name and its value, with what to give."""
    with amends.open("memory:", sagas=[REVIEW]) as engine:
        with pytest.raises(RequestRefused) as caught:
            engine.list(**wanted)
        assert words in str(caught.value)


def test_what_is_no_saga_and_no_key_is_refused() -> None:
    """As everywhere else."""
    with amends.open("memory:", sagas=[REVIEW]) as engine:
        for wrong in ("nobody-1", "", 5, None):
            with pytest.raises(RequestRefused, match="there is no saga"):
                engine.describe(wrong)  # type: ignore[arg-type]  # as a caller may
        with pytest.raises(RequestRefused, match="client key '' is not printable text"):
            engine.find("")
    with pytest.raises(amends.EngineStopped):
        engine.describe("a-1")


def test_nothing_is_left_open_by_who_looked(tmp_path: Path) -> None:
    """The log of the file is gone with the engine's own connection, and the next engine opens it as ever."""
    for _ in range(2):
        with amends.open(url_of("file", tmp_path), sagas=[REVIEW]) as engine:
            engine.submit(REVIEW, 1)
            assert engine.list().sagas
        assert sorted(file.name for file in tmp_path.iterdir()) == ["review.db", "review.db.lock"]
