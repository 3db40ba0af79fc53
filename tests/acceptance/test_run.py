"""`amends run`: what it draws, prints and says."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import IO, Any

import pytest

from amends.shop import Session
from tests.acceptance.command import EXAMPLES, amends, assert_drawn_as, batch, command_line, environment, process

GOODS = (["CREATE_CUSTOMER", "C001", 1000], ["ADD_PRODUCT", "P001", 10, 150])
MIXED = (
    *GOODS,
    ["PLACE_ORDER", "C001", "P001", 2],
    ["PLACE_ORDER", "C001", "P001", 6],
    ["PLACE_ORDER", "C001", "P001", 99],
    ["PLACE_ORDER", "C001", "P001", 1],
    ["INJECT_FAILURE", "SHIPPING", "O004"],
    ["PLACE_ORDER", "C001", "P001", 1],
    ["INJECT_FAILURE", "ORDER", "O005"],
)


def expected(path: Path) -> Any:
    """Return the report that an example says it gives."""
    return json.loads(path.read_text("utf-8"))["report"]


def test_the_examples_are_drawn() -> None:
    """Two files, one session: a heading each, timelines, customers and products."""
    ran = amends("run", *[path.relative_to(Path.cwd()) for path in EXAMPLES])
    assert (ran.code, ran.err) == (0, "")
    assert_drawn_as("examples", ran.out)


@pytest.mark.parametrize(("name", "columns"), [("narrow", 50), ("usual", 80), ("wide", 120)])
def test_every_way_to_fail_is_drawn(name: str, columns: int, tmp_path: Path) -> None:
    """Refused at each of the four services; in a row where there is room, else in a column."""
    ran = amends("run", batch(tmp_path / "b.jsonl", *MIXED), columns=columns)
    assert (ran.code, ran.err) == (0, "")
    assert_drawn_as(f"mixed-{name}", ran.out)
    assert max(map(len, ran.out.splitlines())) <= max(columns, 53)


def test_ascii_is_enough(tmp_path: Path) -> None:
    """A terminal that has ASCII alone gets all of it, also names that it cannot write."""
    path = batch(tmp_path / "b.jsonl", *MIXED, ["CREATE_CUSTOMER", "Zoë", 5])
    ran = process("run", path, LANG="C", PYTHONIOENCODING="ascii")
    assert (ran.code, ran.err) == (0, "")
    assert_drawn_as("mixed-ascii", ran.out)
    assert ran.out.isascii()


def test_many_orders_take_a_line_each(tmp_path: Path) -> None:
    """With more than six shipped orders, only those that went back are drawn as timelines."""
    orders = [["PLACE_ORDER", "C001", "P001", 0] for _ in range(8)]
    path = batch(tmp_path / "b.jsonl", *GOODS, *orders, ["PLACE_ORDER", "C001", "P001", 11])
    assert_drawn_as("many", amends("run", path).out)


def test_long_tables_are_cut(tmp_path: Path) -> None:
    """After fifty rows the drawing says how many are left; the report has them all."""
    customers = [["CREATE_CUSTOMER", f"C{number}", 9] for number in range(60)]
    path = batch(tmp_path / "b.jsonl", *customers)
    assert "… 10 more" in amends("run", path).out
    assert len(json.loads(amends("run", "--json", path).out)["customers"]) == 60


def test_credit_above_a_lowered_limit_is_drawn(tmp_path: Path) -> None:
    """The bar is full, and not longer."""
    operations = [*GOODS, ["PLACE_ORDER", "C001", "P001", 2], ["CREATE_CUSTOMER", "C001", 1]]
    assert "██████████   300   of 1 " in amends("run", batch(tmp_path / "b.jsonl", *operations)).out


def test_products_alone_are_drawn(tmp_path: Path) -> None:
    """A batch without customers and orders has a table and a sum."""
    ran = amends("run", batch(tmp_path / "b.jsonl", ["ADD_PRODUCT", "P001", 1, 2], ["ADD_PRODUCT", "P2", 3, 4]))
    assert ran.out.splitlines()[-1] == "0 orders"
    assert ran.out.startswith("product")


def test_text_from_outside_is_never_markup(tmp_path: Path) -> None:
    """An id that looks like a style or a smiley is shown as it is."""
    ran = amends("run", batch(tmp_path / "b.jsonl", ["CREATE_CUSTOMER", "[red]x", 5], ["CREATE_CUSTOMER", ":cat:", 5]))
    assert "[red]x" in ran.out
    assert ":cat:" in ran.out


def test_colours_where_they_are_wanted(tmp_path: Path) -> None:
    """Colours come with a terminal, or when asked for; not with NO_COLOR, nor in a pipe."""
    path = batch(tmp_path / "b.jsonl", *MIXED)
    assert "\x1b[" in process("run", path, FORCE_COLOR="1", NO_COLOR="", TERM="xterm-256color").out
    assert "\x1b[" not in process("run", path, NO_COLOR="", TERM="xterm-256color").out
    assert "\x1b[3" not in process("run", path, FORCE_COLOR="1", NO_COLOR="1", TERM="xterm-256color").out


def test_one_report_has_lines_of_its_own() -> None:
    """`--json` of a single file is for reading too."""
    ran = amends("run", "--json", EXAMPLES[0])
    assert ran.out.startswith('{\n  "customers": {\n')
    assert json.loads(ran.out) == expected(EXAMPLES[0])


def test_several_reports_are_one_a_line() -> None:
    """`--json` of several files is JSON Lines; the second file finds what the first one left."""
    ran = amends("run", "--json", *EXAMPLES)
    assert [json.loads(line) for line in ran.out.splitlines()] == [expected(path) for path in EXAMPLES]


def test_reports_are_utf8_whatever_the_terminal(tmp_path: Path) -> None:
    """JSON is exchanged in UTF-8 (RFC 8259, section 8.1)."""
    path = batch(tmp_path / "b.jsonl", ["CREATE_CUSTOMER", "Zoë", 5])
    ran = process("run", "--json", path, PYTHONIOENCODING="ascii", PYTHONUNBUFFERED="1")
    assert list(json.loads(ran.out)["customers"]) == ["Zoë"]


def test_standard_input_is_a_file_too() -> None:
    """`-` reads it, and remarks name it."""
    ran = amends("run", "--json", "-", given=b'["QUERY_ORDER", "O009"]')
    assert json.loads(ran.out) == Session().process([])
    assert ran.err == "standard input: line 1: note: QUERY_ORDER: 'O009': nothing has this id (yet)\n"


def test_refusals_and_notes_are_lines_on_standard_error(tmp_path: Path) -> None:
    """File, place, operation, value, rule; places of JSON Lines are lines, also past blank ones."""
    path = tmp_path / "b.jsonl"
    path.write_text('["CREATE_CUSTOMER", "C1", 0]\n\n["\\u001b[31m", 1]\n["INJECT_FAILURE", "SHIPPING", "O001"]\n[]\n')
    lines = [line.removeprefix(f"{path}: ") for line in amends("run", path).err.splitlines()]
    operations = "CREATE_CUSTOMER, ADD_PRODUCT, PLACE_ORDER, INJECT_FAILURE, QUERY_CUSTOMER, QUERY_ORDER, QUERY_PRODUCT"
    assert lines == [
        "line 1: refused: CREATE_CUSTOMER: 0: credit_limit is a whole number from 1 to 1000000",
        f"line 3: refused: '\\x1b[31m': '\\x1b[31m': the operations are {operations}",
        "line 5: refused: []: an operation is a list that begins with its name",
        "line 4: note: INJECT_FAILURE: 'O001': the batch places no order of this id",
    ]


def test_many_remarks_are_counted(tmp_path: Path) -> None:
    """Of a file, twenty refusals and twenty notes; a line for each kind says how many more there are."""
    refused = [["CREATE_CUSTOMER", f"C{number}", 0] for number in range(6_000)]
    noted = [["QUERY_ORDER", f"O{number}"] for number in range(21)]
    path = batch(tmp_path / "b.jsonl", *refused, *noted)
    said, every = amends("run", path).err.splitlines(), amends("run", "--all-remarks", path).err.splitlines()
    assert len(every) == 6_021
    assert said == [
        *every[:20],
        f"{path}: refused: 5 980 more; --all-remarks says each",
        *every[6_000:6_020],
        f"{path}: note: 1 more; --all-remarks says each",
    ]


def test_twenty_remarks_are_all_said(tmp_path: Path) -> None:
    """With nothing to count behind them; each file has its own twenty."""
    path = batch(tmp_path / "b.jsonl", *[["CREATE_CUSTOMER", "C", 0]] * 20)
    assert len(amends("run", path).err.splitlines()) == 20
    assert len(amends("run", "--json", path, path, path).err.splitlines()) == 60


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    """A remark is a line that can be read, whatever was refused; in a list the place is the index."""
    path = tmp_path / "b.json"
    path.write_text(json.dumps([["CREATE_CUSTOMER", "x" * 10_000, 5], ["y" * 100], {"a": [[[[[[[[[]]]]]]]]]}]))
    for index, line in enumerate(amends("run", path).err.splitlines()):
        assert line.startswith(f"{path}: index {index}: refused: ")
        assert len(line) < len(str(path)) + 300


def test_limits_are_those_of_the_function(tmp_path: Path) -> None:
    """`--limits` turns the three count limits on; without it there are none."""
    path = batch(tmp_path / "b.jsonl", *[["CREATE_CUSTOMER", f"C{number}", 9] for number in range(21)])
    assert amends("run", path).err == ""
    assert "line 21: refused: CREATE_CUSTOMER: 'C20': one call creates 20" in amends("run", "--limits", path).err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")
def test_a_long_way_has_a_bar_where_a_terminal_looks_on(tmp_path: Path) -> None:
    """It is drawn on standard error, and what is printed stays what it is."""
    path = tmp_path / "long.json"
    path.write_text(json.dumps([["QUERY_ORDER", "O001"]] * 30_000))
    terminal, its_other_end = os.openpty()
    with subprocess.Popen(
        command_line("run", "--json", path, path),
        env=environment(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=its_other_end,
    ) as running:
        os.close(its_other_end)
        with os.fdopen(terminal, "rb", buffering=0) as screen:
            seen = b"".join(iter(lambda: chunk_of(screen), b""))
        assert running.stdout
        assert [json.loads(line) for line in running.stdout] == [Session().process([])] * 2
    assert running.returncode == 0
    assert b"0 of 60000 operations" in seen
    assert b"30000 of 60000 operations" in seen


def chunk_of(screen: IO[bytes]) -> bytes:
    """Return what came to a screen; nothing when the other end is closed, which Linux tells as an error."""
    try:
        return screen.read(65_536)
    except OSError:
        return b""
