"""Which file is the store: a path, or the URL that `amends.open` takes, for every command alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from amends.entrypoints.cli.databases import path_of
from amends.errors import UnusableInput
from tests.acceptance.command import EXAMPLES, Ran, amends

LOOKS: Sequence[Sequence[str]] = (
    ["sagas"],
    ["show", "O001"],
    ["status"],
    ["audit", "verify"],
    ["audit", "head"],
    ["audit", "export"],
)
OTHERS = (
    "sqlite:///",
    "sqlite://shop.db",
    "sqlite:///:memory:",
    "sqlite:///sqlite:///shop.db",
    "memory:",
    ":memory:",
    "HTTP://host/shop.db",
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be in a folder with a store of an order."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AMENDS_DB", raising=False)
    assert amends("run", "--db", "sqlite:///shop.db", EXAMPLES[0]).code == 0
    return tmp_path


def test_a_run_keeps_its_orders_in_the_file_that_a_url_names(here: Path) -> None:
    """And goes on with it by its path."""
    assert sorted(path.name for path in here.iterdir()) == ["shop.db", "shop.db.lock"]
    assert "had been carried out before" in amends("run", "--db", "shop.db", EXAMPLES[0]).err


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
def test_each_command_takes_a_url(command: Sequence[str], here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an option and as a variable, relative and absolute; what it says is what it says of the path."""
    expected = amends(*command, "--db", "shop.db")
    assert expected.code == 0
    assert timeless(amends(*command, "--db", "sqlite:///shop.db")) == timeless(expected)
    monkeypatch.setenv("AMENDS_DB", f"sqlite:///{here / 'shop.db'}")
    assert timeless(amends(*command)) == timeless(expected)


def timeless(ran: Ran) -> tuple[int, list[str], str]:
    """Return what a command left, without how long ago something was, nor how wide a column that makes."""
    lines = [line for line in ran.out.splitlines() if " ago" not in line and "minute" not in line]
    return ran.code, [" ".join(line.split()) for line in lines], ran.err


@pytest.mark.usefixtures("here")
def test_other_files_are_named_by_urls_as_well() -> None:
    """A copy, and an archive."""
    url = "sqlite:///shop.db"
    assert amends("backup", "sqlite:///copy.db", "--db", url).code == 0
    assert (
        amends("archive", "--before", "0s", "--to", "sqlite:///old.db", "--db", url).out == "1 saga moved to old.db\n"
    )
    assert amends("audit", "verify", "--db", url, "--archive", "sqlite:///old.db").code == 0
    assert {path.name for path in Path().iterdir()} >= {"copy.db", "old.db"}


@pytest.mark.parametrize("name", OTHERS)
def test_what_names_no_file_is_one_line(name: str, here: Path) -> None:
    """2, with what to give; no file of that name is made."""
    before = sorted(here.iterdir())
    calls: list[list[str | Path]] = [[*command, "--db", name] for command in LOOKS]
    calls += [
        ["run", "--db", name, EXAMPLES[0]],
        ["backup", "copy.db", "--db", name],
        ["backup", name, "--db", "shop.db"],
    ]
    for call in calls:
        said = f"amends: {name!r} names no store file; give its path, such as shop.db, or sqlite:///shop.db\n"
        assert amends(*call) == Ran(2, "", said)
    assert sorted(here.iterdir()) == before


def test_paths_stay_what_they_are() -> None:
    """Also those of a drive, and of a file with a strange name."""
    for path in ("shop.db", "/var/shop.db", "C:/shop.db", "C:\\shop.db", "my:shop.db", "./sq:/x", ""):
        assert path_of(path) == path
    assert path_of("sqlite:////var/shop.db") == "/var/shop.db"
    with pytest.raises(UnusableInput):
        path_of("memory:")
