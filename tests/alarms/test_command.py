"""Alarms to a program: what it gets, and what holds where it fails or hangs."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from amends.alarms.command import CommandPlace
from amends.alarms.notices import AlarmNotice, NotTold

BOUND_S = 60.0
MOMENT = datetime(2026, 12, 1, tzinfo=UTC)
NOTICE = AlarmNotice(
    "1-began-disk", "began", "disk", "", "; rm -rf $HOME `id`", ("s1",), MOMENT, MOMENT, "shop.db", "x"
)
TAKE = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
HANG = "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(600)"


def told(code: str, *arguments: str, timeout_s: float = BOUND_S) -> None:
    """Tell a program of Python."""
    asyncio.run(CommandPlace([sys.executable, "-I", "-c", code, *arguments], timeout_s).tell(NOTICE))


def test_it_gets_the_alarm_on_its_standard_input(tmp_path: Path) -> None:
    """As JSON, whatever is in it: no shell reads that."""
    file = tmp_path / "a file"
    told(TAKE, str(file))
    document = json.loads(file.read_bytes())
    assert (document["alarm"], document["text"], document["saga_ids"]) == ("disk", NOTICE.text, ["s1"])
    assert document["began"] == "2026-12-01T00:00:00Z"


def test_it_need_not_read() -> None:
    """It has been told all the same."""
    told("")


def test_another_code_than_0_is_no_success() -> None:
    """It is told again."""
    with pytest.raises(NotTold, match="ended with code 3"):
        told("raise SystemExit(3)")


def test_what_cannot_be_run_is_said() -> None:
    """By its name."""
    with pytest.raises(NotTold, match="/no/such/program cannot be run"):
        asyncio.run(CommandPlace(["/no/such/program"], BOUND_S).tell(NOTICE))


def test_one_that_hangs_is_killed(tmp_path: Path) -> None:
    """And is not left behind."""
    file = tmp_path / "pid"
    with pytest.raises(NotTold, match="had not ended after 2 s"):
        told(HANG, str(file), timeout_s=2)
    if file.exists():  # it had begun
        with pytest.raises(OSError, match="No such process"):
            __import__("os").kill(int(file.read_text()), 0)
