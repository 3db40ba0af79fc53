"""What is told of a process in a file: while it starts, runs, stands still and ends."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import amends
from amends import Saga, UnusableInput, local
from amends.health import teller
from amends.health.places import taken_places
from amends.health.report import HealthReport, report_in
from amends.health.teller import NO_LOOP, STANDS_STILL, HealthTeller

BOUND_S = 60
KEPT = Saga("kept", int, [local("KEPT", lambda before, _: before, entity=lambda _: "x", pivot=True)])


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often, so that the tests are quick."""
    monkeypatch.setattr(teller, "LOOK_S", 0.01)


def until(file: Path, is_so: Callable[[HealthReport], bool]) -> HealthReport:
    """Wait until a file tells so, in a thread that does nothing else."""
    end = time.monotonic() + BOUND_S
    while True:
        assert time.monotonic() < end
        if file.exists():
            report = report_in(file.read_bytes())
            if is_so(report):
                return report
        time.sleep(0.005)


def test_a_file_tells_how_an_engine_does_and_goes_with_it(tmp_path: Path) -> None:
    """It is whole at each moment; since when it is ready stays, and when it was looked at moves on."""
    file = tmp_path / "shop.json"
    with amends.open("memory:", sagas=[KEPT], health=file):
        first = until(file, lambda report: report.state == "ready")
        second = until(file, lambda report: report.at > first.at)
        assert second.since == first.since
        assert (second.store, second.wire, second.reasons) == ("answers", "none", ())
    assert [*tmp_path.iterdir()] == []


def test_it_is_told_beside_an_event_loop_that_stands_still(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That it does; and it is ready again once the loop goes on."""
    file = tmp_path / "shop.json"

    async def test() -> None:
        async with amends.open("memory:", sagas=[KEPT], health=str(file)):
            await asyncio.to_thread(until, file, lambda report: report.state == "ready")
            monkeypatch.setattr(teller, "ANSWER_S", 0.05)
            said = until(file, lambda report: report.state == "not ready")  # and so the loop is held up
            assert said.reasons == (STANDS_STILL,)
            monkeypatch.setattr(teller, "ANSWER_S", BOUND_S)
            await asyncio.to_thread(until, file, lambda report: report.state == "ready")

    asyncio.run(test())
    assert not file.exists()


def test_the_end_waits_for_no_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look asks the event loop that waits for the end of the thread; it is cancelled, whenever that is."""
    monkeypatch.setattr(teller, "LOOK_S", 0)
    monkeypatch.setattr(teller, "ANSWER_S", 10 * BOUND_S)

    async def test() -> None:
        for _ in range(30):
            async with amends.open("memory:", sagas=[KEPT], health=tmp_path / "shop.json"):
                await asyncio.sleep(0.002)

    asyncio.run(test())
    assert [*tmp_path.iterdir()] == []


def test_a_loop_that_was_closed_under_its_engine_is_told(tmp_path: Path) -> None:
    """Such an engine answers nothing any more."""
    file, opening = tmp_path / "shop.json", amends.open("memory:", sagas=[KEPT], health=tmp_path / "shop.json")
    loop = asyncio.new_event_loop()
    engine = loop.run_until_complete(opening.__aenter__())
    loop.run_until_complete(asyncio.to_thread(until, file, lambda report: report.state == "ready"))
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    said = until(file, lambda report: report.reasons == (NO_LOOP,))  # before: that its own task was cancelled
    assert said.state == "stopped"
    asyncio.run(opening.__aexit__())
    assert engine._loop.stopped is not None
    assert not file.exists()


def test_what_is_waited_for_at_the_start_is_told(tmp_path: Path) -> None:
    """A store that another engine has: the second one says so until it is given back."""
    url, file = f"sqlite:///{tmp_path}/shop.db", tmp_path / "shop.json"

    async def test() -> None:
        first = amends.open(url, sagas=[KEPT])
        await first.__aenter__()
        second = amends.open(url, sagas=[KEPT], health=file, store_wait_s=BOUND_S)
        entering = asyncio.create_task(second.__aenter__())
        said = await asyncio.to_thread(until, file, lambda report: "in use by" in report.store)
        assert (said.state, said.reasons) == ("starting", (said.store,))
        await first.__aexit__()
        await entering
        await asyncio.to_thread(until, file, lambda report: report.state == "ready")
        await second.__aexit__()

    asyncio.run(test())
    assert not file.exists()


def test_a_wait_that_is_given_up_takes_the_file_along(tmp_path: Path) -> None:
    """And the port, as the next one shows."""
    url, port = f"sqlite:///{tmp_path}/shop.db", free_port()
    with amends.open(url, sagas=[KEPT]):
        for _ in range(2):
            with pytest.raises(amends.StoreInUse), amends.open(url, sagas=[KEPT], health=[port, tmp_path / "a"]):
                pass
    assert not (tmp_path / "a").exists()


def test_a_file_that_cannot_be_written_for_a_while_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and the file is there again by itself."""
    folder = tmp_path / "run"
    folder.mkdir()
    file = folder / "shop.json"
    with amends.open("memory:", sagas=[KEPT], health=file) as engine:
        until(file, lambda report: report.state == "ready")
        folder.rename(tmp_path / "away")
        end = time.monotonic() + BOUND_S
        while not caplog.records:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert engine.health().is_ready
        (tmp_path / "away").rename(folder)
        seen = report_in(file.read_bytes()).at
        until(file, lambda report: report.at > seen)
    (record,) = caplog.records
    assert record.getMessage() == f"health is not told in {file} for now: No such file or directory"


@pytest.mark.parametrize("place", ["none/shop.json", "."])
def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path, place: str) -> None:
    """Before the store is opened."""
    opening = amends.open(f"sqlite:///{tmp_path}/shop.db", sagas=[KEPT], health=tmp_path / place)
    with pytest.raises(UnusableInput, match="health cannot be told in"), opening:
        pass
    assert [*tmp_path.iterdir()] == []


def test_a_port_that_is_taken_is_refused_at_the_start(tmp_path: Path) -> None:
    """Also where another place was fine; that is told no longer then."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        opening = amends.open("memory:", sagas=[KEPT], health=[tmp_path / "a", port])
        with pytest.raises(UnusableInput, match=f"health cannot be told on 127.0.0.1:{port}: "), opening:
            pass
    assert not (tmp_path / "a").exists()


def test_where_nothing_is_told_there_is_no_thread() -> None:
    """An engine has no more threads than before."""
    with HealthTeller(taken_places(None)) as nothing:
        assert not nothing._thread.is_alive()


def free_port() -> int:
    """Return a port that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
