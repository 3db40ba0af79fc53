"""Settings: a file, the environment above it, options above both; each is documented, and a wrong one is named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from amends.entrypoints.cli.settings import Settings, every_setting, settings_of
from amends.errors import UnusableInput
from tests.house.source import ROOT

ROW = re.compile(r"^\| `([\w.]+)` \| `(AMENDS_\w+)` \| `([^`]*)` \| (.*) \|$", re.MULTILINE)
GIVEN = """
log = "json"
[serve]
port = 9000
host = "10.0.0.1"
[alarms]
every_s = 30
command = ["/bin/page", "--team", "shop"]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file of settings."""
    path = tmp_path / "amends.toml"
    path.write_text(GIVEN)
    return str(path)


def test_options_win_over_the_environment_over_the_file(file: str) -> None:
    """Each setting for itself; what is nowhere has its default."""
    environment = {"AMENDS_SERVE_PORT": "9001", "AMENDS_SERVE_HOST": "10.0.0.2", "AMENDS_ALARMS_LOG": "false"}
    options = {"serve.port": 9002, "serve.host": "", "serve.engine": None, "log": None}
    found = settings_of(file, environment, options)
    assert (found.serve.port, found.serve.host, found.log) == (9002, "10.0.0.2", "json")
    assert (found.alarms.every_s, found.alarms.log, found.alarms.timeout_s) == (30, False, 10)
    assert found.alarms.command == ("/bin/page", "--team", "shop")


def test_lists_of_the_environment_are_written_as_in_the_file() -> None:
    """And text as it is."""
    found = settings_of("", {"AMENDS_ALARMS_COMMAND": "['a', 'b c']", "AMENDS_DB": "a 'b'.db"}, {})
    assert (found.alarms.command, found.serve.db) == (("a", "b c"), "a 'b'.db")


def test_what_is_empty_is_not_set() -> None:
    """As shells have it."""
    assert settings_of("", {"AMENDS_SERVE_PORT": ""}, {}) == Settings()


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ("[serve]\nprot = 1", {}, r"amends.toml has them: Object contains unknown field `prot` - at `\$.serve`"),
        ("[serve]\nport = 70000", {}, r"`int` <= 65535 - at `\$.serve.port`"),
        ("serve = 5", {}, r"at `\$.serve`"),
        ("[serve", {}, "cannot be read"),
        ("", {"AMENDS_SERVE_PORT": "many"}, r"AMENDS_SERVE_PORT is 'many'; write it as TOML does"),
        ("", {"AMENDS_SERVE_PORT": "'80'"}, r"AMENDS_SERVE_PORT has them: Expected `int`, got `str`"),
        ("", {"AMENDS_LOG": "xml"}, r"AMENDS_LOG has them: Invalid enum value 'xml'"),
        ("[alarms]\nevery_s = 0", {}, r"at `\$.alarms.every_s`"),
    ],
)
def test_a_wrong_setting_is_named_with_where_it_stands(
    text: str, environment: Mapping[str, str], said: str, tmp_path: Path
) -> None:
    """And what it has to be."""
    path = tmp_path / "amends.toml"
    path.write_text(text)
    with pytest.raises(UnusableInput, match=said):
        settings_of(str(path), environment, {})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """It was asked for."""
    with pytest.raises(UnusableInput, match=r"no.toml cannot be read: No such file"):
        settings_of(str(tmp_path / "no.toml"), {}, {})


def documented() -> list[tuple[str, ...]]:
    """Return the rows of the table in docs/serve.md."""
    return ROW.findall((ROOT / "docs" / "serve.md").read_text("utf-8"))


def in_words(value: Any) -> str:
    """A default, as TOML writes it; nothing for none."""
    match value:
        case None:
            return " "
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case float() | int():
            return f"{value:g}" if value < 1e6 else str(value)
        case dict():
            return "{}"
        case _:
            return str([*value])


def test_each_setting_is_documented() -> None:
    """With its variable, its default and its words; the table is that of the code."""
    wanted = [(one.name, one.variable, in_words(one.default), one.description) for one in every_setting()]
    lines = [f"| `{name}` | `{variable}` | `{default}` | {words} |" for name, variable, default, words in wanted]
    assert documented() == wanted, "docs/serve.md is to have:\n" + "\n".join(lines)
