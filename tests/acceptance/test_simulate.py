"""`amends simulate`: its exit codes, what it prints, what it writes, and what it says when it cannot."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from amends.entrypoints.cli.check import reproducers
from tests.acceptance.command import ROOT, amends, environment

TICKETS = f"{ROOT / 'examples' / 'tickets.py'}:tickets"
MENDED = f"{ROOT / 'examples' / 'tickets.py'}:mended"


def test_the_order_saga_holds() -> None:
    """In all its scenarios; few schedules are not judged by what they have seen."""
    ran = amends("simulate", "shop", "--seeds", "4", "--processes", "1")
    assert (ran.code, ran.err) == (0, "")
    assert "── shop ─" in ran.out
    assert "✔ checkout holds in these schedules" in ran.out
    assert "seeds 1 to 4 of ONE_ORDER, TWO_ORDERS_ONE_STOCK," in ran.out
    assert "(which takes about 1000 schedules)" in " ".join(ran.out.split())


def test_a_broken_rule_is_1() -> None:
    """Told, with the way to see it again; which shows the same."""
    ran = amends("simulate", TICKETS, "--seeds", "200", "--processes", "1")
    assert (ran.code, ran.err) == (1, "")
    assert "✘ broken: V03 all or nothing is left" in ran.out
    again = ran.out.strip().splitlines()[-1].split()
    assert again[:3] == ["amends", "simulate", TICKETS]
    shown = amends(*again[1:])
    assert shown.code == 1
    told, _, _ = ran.out.partition(" ✘ broken")
    assert told in shown.out
    other = amends("simulate", MENDED, "--replay", again[-1])
    assert (other.code, other.out) == (2, "")
    assert "the token is about scenario 'ada'" in other.err


def test_one_seed_is_told_in_full() -> None:
    """Line by line, failing or not, and the same every time."""
    ran = amends("simulate", "shop", "--seed", "7")
    assert ran.code == 0
    assert ran.out.count("all rules hold; digest ") == 3
    assert "engine 1     starts" in ran.out
    assert amends("simulate", "shop", "--seed", "7").out == ran.out


@pytest.mark.parametrize(("definition", "seeds"), [(MENDED, "40"), (TICKETS, "60")])
def test_the_document_is_the_same_for_the_same_seeds(definition: str, seeds: str) -> None:
    """With any number of processes, but for the time it took."""
    documents = []
    for processes in ("1", "2"):
        ran = amends("simulate", definition, "--seeds", seeds, "--json", "--processes", processes)
        document = json.loads(ran.out)
        assert document.pop("seconds") >= 0
        documents.append(document)
    assert documents[0] == documents[1]
    assert documents[0]["form"] == 1
    assert documents[0]["verdict"] == ("holds" if definition == MENDED else "broken")
    assert (documents[0]["failure"] is None) == (definition == MENDED)


def test_the_test_that_it_writes_is_red_until_the_saga_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It replays the failing schedule; what somebody else wrote is left alone."""
    monkeypatch.setattr(reproducers, "SEEDS", 20)
    source, file = tmp_path / "sale.py", tmp_path / "test_sale.py"
    source.write_text((ROOT / "examples" / "tickets.py").read_text("utf-8"))
    ran = amends("simulate", f"{source}:tickets", "--seeds", "200", "--processes", "1", "--pytest", file)
    assert ran.code == 1
    assert f"wrote {file}" in ran.err
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(file)]
    red = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert red.returncode == 1
    assert "V03 all or nothing is left" in red.stdout
    found = re.search(r"seed (\d+) of (\w+): ", ran.out)
    assert found is not None
    assert f"def test_{found[2]}_seed_{found[1]}_V03() -> None:" in file.read_text("utf-8")
    text = source.read_text("utf-8").replace(
        'ticket_saga("tickets")', 'ticket_saga("tickets", probe=find_charge, settles_within_s=60)'
    )
    source.write_text(text)
    green = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert green.returncode == 0, green.stdout
    file.write_text("mine")
    token = re.search(r"--replay (\S+)", ran.out)
    assert token is not None
    ran = amends("simulate", TICKETS, "--replay", token[1], "--pytest", file)
    assert ran.code == 2
    assert "left alone" in ran.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere:saga"], "cannot be loaded"),
        (["shop", "--replay", "amends1-abc"], "is no token of a schedule"),
        (["shop", "--seeds", "0"], "seeds"),
    ],
)
def test_what_cannot_be_used_is_2(arguments: list[str], said: str) -> None:
    """One line says why."""
    ran = amends("simulate", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1
