"""`amends run` with orders that only an operator can end: the others go on, and each is said, with what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from amends import Retry
from amends.entrypoints.drawing.paper import paper
from amends.entrypoints.drawing.timeline import draw_timeline
from amends.storefront import open_storefront
from amends.views.story import UNDONE, StepSeen
from tests.acceptance.command import amends, batch
from tests.storefront.storefronts import Closed, refusing_refunds

GOODS = (["CREATE_CUSTOMER", "C001", 1000], ["ADD_PRODUCT", "P001", 100, 10])
WAITS = "waits for an operator: the account is closed"
WENT_ON = "waits for an operator, and the others went on"
GUIDE = "what to do: docs/cli.md, 'An order that waits for an operator'"


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> type[Closed]:
    """Refuse refunds."""
    return refusing_refunds(monkeypatch)


def orders(path: Path, count: int, fail: range) -> Path:
    """Write orders of which some are canceled when they are paid for already."""
    placed = [["PLACE_ORDER", "C001", "P001", 1]] * count
    return batch(path, *GOODS, *placed, *[["INJECT_FAILURE", "SHIPPING", f"O{number:03}"] for number in fail])


def test_each_is_said_and_the_others_go_on(tmp_path: Path, services: type[Closed]) -> None:
    """Where to look, and what to do; 4. Once it is told to go on, the same files end as if nothing had been."""
    file, store = orders(tmp_path / "b.jsonl", 3, range(2, 3)), tmp_path / "my shop.db"
    words: list[str | Path] = ["run", "--participants", "simulated", "--db", store, file]
    ran = amends(*words)
    see = f"see: amends sagas --status needs-operator --db '{store}'"
    said = [f"{file}: O002 {WAITS}; see: amends show O002 --db '{store}'", f"amends: 1 order {WENT_ON}; {see}; {GUIDE}"]
    assert (ran.code, ran.err.splitlines()) == (4, said)
    assert [line.split()[:2] for line in ran.out.splitlines() if line.startswith("O0")] == [
        ["O001", "SHIPPED"], ["O002", "PROCESSING"], ["O003", "SHIPPED"],
    ]  # fmt: skip
    assert "\n3 orders: 2 shipped, 1 not at an end\n" in ran.out
    assert "the account is closed" in amends("show", "O002", "--db", store).out
    assert amends("sagas", "--status", "needs-operator", "--db", store).out.splitlines()[1].startswith("O002 ")

    again = amends(*words)
    assert (again.code, again.out) == (4, ran.out)
    assert again.err.splitlines()[1:] == said

    services.is_mended = True
    with open_storefront(str(store), simulated=True) as storefront:
        storefront.engine.tell("O002", Retry("PAYMENT_PROCESSED"))
    ended = amends(*words, "--json")
    assert (ended.code, ended.out) == (0, amends("run", "--json", file).out)
    assert "operator" not in ended.err


@pytest.mark.usefixtures("services")
def test_many_are_counted(tmp_path: Path) -> None:
    """After twenty of a file, a line says how many more there are; one that another file asks for is not said again."""
    file, store = orders(tmp_path / "b.jsonl", 24, range(2, 25)), tmp_path / "shop.db"
    other = batch(tmp_path / "c.jsonl", ["QUERY_ORDER", "O002"])
    ran = amends("run", "--json", "--participants", "simulated", "--db", store, file, other)
    said = ran.err.splitlines()
    assert (ran.code, len(said)) == (4, 22)
    assert [line.split()[1] for line in said[:20]] == [f"O{number:03}" for number in range(2, 22)]
    assert said[20] == f"{file}: 3 more wait for an operator"
    assert said[21].startswith("amends: 23 orders wait for an operator, and the others went on; see: ")
    first, second = (json.loads(line) for line in ran.out.splitlines())
    assert [order["status"] for order in first["orders"].values()].count("PROCESSING") == 23
    assert second["orders"]["O002"]["status"] == "PROCESSING"


@pytest.mark.usefixtures("services")
def test_without_a_store_it_says_that_nothing_is_kept(tmp_path: Path) -> None:
    """There is nothing to look at afterwards."""
    ran = amends("run", "--participants", "simulated", orders(tmp_path / "b.jsonl", 1, range(1, 2)))
    assert ran.code == 4
    assert ran.err.splitlines() == [
        f"{tmp_path / 'b.jsonl'}: O001 {WAITS}",
        f"amends: 1 order {WENT_ON}; what waits is gone with this run, --db keeps it",
    ]


@pytest.mark.parametrize(
    ("outcomes", "undone", "lines"),
    [
        (["", ""], "", [" · CREATED     · SHIPPED", " ╰ unreadable"]),
        (["done", ""], "", [" ✔ CREATED     · SHIPPED", " ╰ unreadable"]),
        (["done", "unknown"], "", [" ✔ CREATED ─── ? SHIPPED", "               ╰ unreadable"]),
        (["done", "done", "refused"], "FREED",
         [" ✔ CREATED ─── ✔ HELD ──── ✘ SHIPPED", "               ↩ FREED ←───╯ unreadable"]),
    ],
)  # fmt: skip
def test_it_is_drawn_as_far_as_it_came(outcomes: list[str], undone: str, lines: list[str]) -> None:
    """No arrow leads further back than it went; the reason stands where it stopped."""
    events = ["CREATED", "SHIPPED"] if len(outcomes) == 2 else ["CREATED", "HELD", "SHIPPED"]
    steps = tuple(
        StepSeen(event, outcome, *((undone, UNDONE) if undone and event == "HELD" else ()))
        for event, outcome in zip(events, outcomes, strict=True)
    )
    assert [line.plain for line in draw_timeline(paper(), steps, "unreadable")] == lines
