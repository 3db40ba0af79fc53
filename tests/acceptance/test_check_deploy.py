"""``amends check-deploy``: what becomes of all that waits, under other code."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest

import amends as package
from amends import DefinitionError
from amends.bootstrap import located
from amends.entrypoints.cli.definitions import load_opening
from tests.acceptance.command import Ran, amends
from tests.postgres import schema

PATIENCE_S = 60.0
CODE = """
from typing import NamedTuple
import amends
from amends import Child, Done, Saga, external, local, wait_for

class Order(NamedTuple):
    item: str
    count: int
{fields}
class Shelf(NamedTuple):
    {left}: int = 0

def put(shelf: Shelf | None, order):
    return Shelf((shelf or Shelf())[0] + order.count)

def take(shelf: Shelf, order):
    return Shelf(shelf[0] - order.count)

def send(_, order, call):
    return Done()

bills = Saga("bills", Order, [external("BILLED", send, pivot=True)], version={version})
{name} = Saga("{name}", Order, [
    local("PUT", put, undo=take, undone="TAKEN", entity=lambda order: order.item),
    wait_for("AGREED", assignee="ada", limit_s=3600),
    external("{sent}", send, service="POST", pivot=True),
])
engine = amends.open("{url}", sagas=[{name}, bills], upcasts={upcasts})
"""
SAME = {"fields": "", "left": "left", "version": 1, "name": "orders", "sent": "SENT", "upcasts": "{}"}


class Shop:
    """A store with orders that wait for a person, and code for it.

    Attributes:
        db: the path of the store, or its URL.
        ids: of the orders.
    """

    def __init__(self, folder: Path, url: str = "") -> None:
        self.db, self._folder = url or str(folder / "shop.db"), folder
        self._url = url or f"sqlite:///{self.db}"
        first = self.code()
        opening = load_opening(f"{first}:engine")
        module = sys.modules[f"definition_{first.stem}"]
        with opening as engine, package.connect(opening.url, sagas=opening.given.sagas) as client:
            handles = [client.submit(module.orders, module.Order("tea", number)) for number in range(1, 6)]
            self.ids = [handle.started(timeout=PATIENCE_S) for handle in handles]
            assert engine.entity("PUT", "tea") == module.Shelf(15)
        self.post(module)

    def code(self, **changed: object) -> Path:
        """Write the code as it was, or changed."""
        file = self._folder / f"code_{self._folder.name.replace('-', '_')}_{len([*self._folder.iterdir()])}.py"
        file.write_text(CODE.format(url=self._url, **{**SAME, **changed}))
        return file

    def post(self, module: ModuleType) -> None:
        """Have a client ask for a bill, which nobody starts."""
        with package.connect(self._url, sagas=[module.bills]) as client:
            client.submit(module.bills, module.Order("tea", 1), key="bill 1")

    def check(self, *words: str, **changed: object) -> Ran:
        """Check a deploy of changed code."""
        return amends("check-deploy", f"{self.code(**changed)}:engine", "--db", self.db, *words, columns=200)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return a store with five orders that wait."""
    return Shop(tmp_path)


def verdicts(ran: Ran) -> dict[tuple[str, str], tuple[str, int]]:
    """Return what becomes of each kind, by the document."""
    seen = json.loads(ran.out)["foreseen"]
    return {(each["kind"], each["name"].partition("/")[0]): (each["verdict"], each["number"]) for each in seen}


def test_the_same_code_goes_on(shop: Shop) -> None:
    """Each line says of what, how many, and names some."""
    ran = shop.check()
    assert (ran.code, ran.err) == (0, "")
    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["what", "definition,", "service", "number", "verdict", "which"]
    assert [(words[0], words[2], " ".join(words[3:5])) for words in lines[1:]] == [
        ("sagas", "5", "goes on"), ("letters", "1", "goes on"), ("entities", "1", "goes on")
    ]  # fmt: skip
    assert sum(saga_id in ran.out for saga_id in shop.ids) == 3
    assert "bill 1" in ran.out
    ran = shop.check("--json")
    assert json.loads(ran.out)["is_safe"] is True
    assert json.loads(ran.out)["form"] == 1


@pytest.mark.parametrize(
    ("changed", "kind", "verdict", "why"),
    [
        ({"name": "parcels"}, ("sagas", "orders"), "is orphaned", "no definition of that name and version is given"),
        ({"sent": "POSTED"}, ("sagas", "orders"), "has another shape", "give the changed saga a version of its own"),
        (
            {"fields": "    price: int\n"},
            ("sagas", "orders"),
            "has another shape",
            "the request.price is new in Order, and nothing stored has it",
        ),
        ({"version": 2}, ("letters", "bills"), "is orphaned", "no definition of that name and version is given"),
        ({"left": "free"}, ("entities", "PUT"), "has another shape", "upcasts={'PUT': function}"),
    ],
)
def test_what_would_be_lost_is_named(
    shop: Shop, changed: dict[str, object], kind: tuple[str, str], verdict: str, why: str
) -> None:
    """What becomes of it, of how many, and why; the exit code is 1, and what `open` says is the same."""
    ran = shop.check("--json", **changed)
    assert ran.code == 1
    seen = json.loads(ran.out)
    assert seen["is_safe"] is False
    number = {"sagas": 5, "letters": 1, "entities": 1}[kind[0]]
    assert verdicts(ran)[kind] == (verdict, number)
    assert why in " ".join(each["why"] for each in seen["foreseen"])
    if kind[0] != "letters":
        with pytest.raises(DefinitionError):
            load_opening(f"{shop.code(**changed)}:engine").__enter__()


def test_a_default_and_an_upcaster_are_safe(shop: Shop) -> None:
    """As `open` reads them."""
    assert shop.check(fields="    note: str = ''\n").code == 0
    upcasts = "{'PUT': lambda stored: Shelf(stored['left'])}"
    assert shop.check(left="free", upcasts=upcasts).code == 0
    assert shop.check(left="free", upcasts="{'PUT': lambda stored: Shelf(stored['lost'])}").code == 1


def test_a_store_in_postgresql_is_judged_as_a_file_is(tmp_path: Path) -> None:
    """By its address."""
    with schema() as url:
        shop = Shop(tmp_path, url)
        assert shop.check().code == 0
        ran = shop.check("--json", name="parcels", version=2)
        orphaned = {("sagas", "orders"): ("is orphaned", 5), ("letters", "bills"): ("is orphaned", 1)}
        assert (ran.code, verdicts(ran)) == (1, orphaned | {("entities", "PUT"): ("goes on", 1)})


def test_it_reads_only_and_while_an_engine_runs(shop: Shop) -> None:
    """The store is what it was, to the last block."""
    file = shop.code()
    opening = load_opening(f"{file}:engine")
    module = sys.modules[f"definition_{file.stem}"]
    with (
        opening,
        package.connect(opening.url, sagas=[module.bills]) as client,
        closing(located(shop.db).records()) as store,
    ):
        client.submit(module.bills, module.Order("tea", 1), key="bill 1").result(timeout=PATIENCE_S)
        before = store.head()
        assert shop.check(name="parcels").code == 1
        assert store.head() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["nowhere.module"], "nowhere.module: cannot be loaded"),
        ([__file__], "it has no definition of a saga"),
        (["shop", "--db", "/nowhere/shop.db"], "/nowhere"),
        (["shop", "--db", "redis://shop"], "redis://shop"),
        (["shop", "--db", ""], "no store is named"),
    ],
)
def test_bad_input_is_told_in_a_line(shop: Shop, words: list[str], says: str) -> None:
    """With exit code 2."""
    db = [] if "--db" in words else ["--db", shop.db]
    ran = amends("check-deploy", *words, *db)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("amends: ")
    assert says in ran.err
    assert ran.err.count("\n") == 1


def test_a_store_without_anything_is_safe(tmp_path: Path) -> None:
    """Also a module by itself, whose definitions are all that it has."""
    path = tmp_path / "empty.db"
    with package.open(f"sqlite:///{path}", sagas=[]):
        pass
    ran = amends("check-deploy", "shop", "--db", path)
    assert (ran.code, ran.out) == (0, "nothing waits, and there are no entities\n")
