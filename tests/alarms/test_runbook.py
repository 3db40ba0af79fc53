"""docs/runbook.md has a section for each alarm, and for no other; its commands are there."""

from __future__ import annotations

import re

import pytest
from typer.main import get_command

from amends.alarms.rules import RULES, STORE_AWAY
from amends.entrypoints.cli.app import app
from tests.house.source import ROOT

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
SECTIONS = {section.partition("\n")[0]: section for section in RUNBOOK.split("\n## ")[1:]}


def test_each_alarm_has_a_section() -> None:
    """Under its name, to which its notices lead."""
    assert sorted(SECTIONS) == sorted((*RULES, STORE_AWAY))


@pytest.mark.parametrize("alarm", sorted((*RULES, STORE_AWAY)))
def test_a_section_says_what_it_means_what_to_look_at_and_what_to_do(alarm: str) -> None:
    """In this order."""
    assert re.findall(r"^\*\*(\w+)\*\*", SECTIONS[alarm], re.MULTILINE) == ["Means", "Look", "Do"]


def test_its_commands_are_there() -> None:
    """With their options."""
    commands = getattr(get_command(app), "commands")  # noqa: B009 - of a group
    for line in re.findall(r"`amends (.*?)`", RUNBOOK):
        words = line.split()
        command = commands[words[0]]
        if hasattr(command, "commands"):
            command = command.commands[words[1]]
        options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= options, line
