"""`amends.open(..., store_wait_s=...)`: the new process starts before the old one has ended, and waits for it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import amends
from tests.adapters.sqlite.test_lock import held_elsewhere

PATIENCE_S = 60.0  # a test that waits longer has failed; none of them asserts a time


def test_the_store_is_taken_when_the_other_engine_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at again and again meanwhile."""
    file = tmp_path / "store.db"
    with held_elsewhere(file) as other:

        def end_the_other(_pause_s: float) -> None:
            other.kill()
            other.wait()

        monkeypatch.setattr("amends.bootstrap.time.sleep", end_the_other)
        with amends.open(f"sqlite:///{file}", sagas=[], store_wait_s=PATIENCE_S):
            assert other.returncode is not None


def test_a_loop_is_free_while_its_engine_waits(tmp_path: Path) -> None:
    """What else runs on it goes on, and may be what ends the other engine."""
    file = tmp_path / "store.db"

    async def wait() -> None:
        with held_elsewhere(file) as other:

            async def end_the_other() -> None:
                other.kill()

            ending = asyncio.create_task(end_the_other())
            async with amends.open(f"sqlite:///{file}", sagas=[], store_wait_s=PATIENCE_S):
                await ending

    asyncio.run(asyncio.wait_for(wait(), PATIENCE_S))


def test_waiting_can_be_given_up(tmp_path: Path) -> None:
    """By whoever waits: nothing holds the loop meanwhile."""
    file = tmp_path / "store.db"

    async def wait() -> None:
        async with amends.open(f"sqlite:///{file}", sagas=[], store_wait_s=PATIENCE_S):
            pass

    with held_elsewhere(file), pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(wait(), 0.2))
    with amends.open(f"sqlite:///{file}", sagas=[]):
        pass


@pytest.mark.parametrize(("store_wait_s", "waited"), [(0.0, ""), (0, ""), (0.1, "; waited 0.1 s for it")])
def test_who_waited_in_vain_is_told(tmp_path: Path, store_wait_s: float, waited: str) -> None:
    """Who has the store, and how long it was waited for."""
    file = tmp_path / "store.db"
    opening = amends.open(f"sqlite:///{file}", sagas=[], store_wait_s=store_wait_s)
    with held_elsewhere(file) as other, pytest.raises(amends.StoreInUse) as refusal, opening:
        pass
    assert str(refusal.value) == f"{file}: in use by the engine of process {other.pid}{waited}"


@pytest.mark.parametrize("value", [-1, -0.5, float("nan"), float("inf"), 3601, "5", True, [], 1j])
def test_what_is_no_time_to_wait_is_refused(value: Any) -> None:
    """Before anything is opened, for any store."""
    for url in ("memory:", "sqlite:///store.db"):
        with pytest.raises(amends.UnusableInput, match=r"store_wait_s is .*; give seconds, 0 to 3600"):
            amends.open(url, sagas=[], store_wait_s=value)


def test_a_store_in_memory_is_nobody_else_s() -> None:
    """There is nothing to wait for."""
    with amends.open("memory:", sagas=[], store_wait_s=PATIENCE_S):
        pass
