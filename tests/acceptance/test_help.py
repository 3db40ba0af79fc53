"""The help teaches, and the documents say what it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from amends.entrypoints.cli.app import app
from tests.acceptance.command import ROOT, amends
from tools.docs import SHOWN, documents, renewed

GROUP: Any = get_command(app)
TOP = sorted(GROUP.commands)


def commands_of(group: Any, before: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return every command by its words, those of groups included."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        words = (*before, name)
        found[" ".join(words)] = command
        found |= commands_of(command, words) if hasattr(command, "commands") else {}
    return found


ALL = commands_of(GROUP)
COMMANDS = sorted(ALL)
GUIDE = SHOWN.sub("", (ROOT / "docs" / "cli.md").read_text("utf-8"))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str) -> None:
    """Each command shows how it is called."""
    out = amends(*command.split(), "--help").out
    assert re.search(rf"Examples\n +amends {command}", re.sub(" +\n", "\n", out))
    assert amends(*command.split(), "-h").out == out


def test_help_of_the_whole_names_every_command() -> None:
    """And what the exit codes mean."""
    out = amends("--help").out
    assert all(re.search(rf"│ {command} ", out) for command in TOP)
    assert all(f"   {code}  " in out for code in range(4))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_part_of_the_guide(command: str) -> None:
    """Under a heading of its own, with its help."""
    assert f"\n{'#' * (1 + len(command.split()))} amends {command}\n" in GUIDE
    assert f"<!-- $ amends {command} --help -->" in (ROOT / "docs" / "cli.md").read_text("utf-8")


@pytest.mark.parametrize(
    "name",
    sorted({name for command in [GROUP, *ALL.values()] for it in command.params for name in it.opts}),
)
def test_every_option_is_in_the_guide(name: str) -> None:
    """In words, not only in the help that stands there too."""
    argument = {
        "code": "MODULE:NAME",
        "files": "FILE",
        "key_id": "ID",
        "modules": "MODULE",
        "definition": "DEFINITION",
        "engine": "ENGINE",
        "name": "NAME",
        "place": "PORT",
        "saga_id": "SAGA_ID",
        "source": "SOURCE",
        "target": "FILE",
    }.get(name, name)
    assert f"`{argument}`" in GUIDE


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_documents_show_what_the_commands_print(path: Path) -> None:
    """`make docs` renews them."""
    text = path.read_text("utf-8")
    assert renewed(text) == text
