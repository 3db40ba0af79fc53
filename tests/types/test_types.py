"""What a type checker sees of a definition: a wrong request, and a function of the wrong arity or request.

Looked at by mypy, which is at hand; pyright is not, and reads the same annotations.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT

RIGHT = '''
"""Whatever is right is taken."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import amends
from amends import Call, Changed, Done, Engine, Refused, Saga, Scenario, Step, check, external, local, parallel, run


class Buy(NamedTuple):
    who: str


class Gift(NamedTuple):
    to: str


@dataclass
class Receipt:
    id: str


class Seats(NamedTuple):
    free: int


def hold(seats: Seats | None, buy: Buy) -> Changed[Seats, Receipt] | Refused:
    return Changed(Seats(1), Receipt("r"))


def free(seats: Seats, buy: Buy, call: Call) -> Seats:
    return Seats(seats.free + 1)


def charge(bank: Any, buy: Buy, call: Call) -> Done[Receipt] | Refused:
    return Done(Receipt("r"))


async def refund(bank: Any, buy: Buy, call: Call) -> Done:
    return Done()


def whatever(entity: Any, asked: Any) -> Any:
    return entity


def build(entities: Any, saga_id: str, asked: Gift) -> Buy | Refused:
    return Buy(asked.to)


HELD: Step[Buy] = local("SEATS_HELD", hold, undo=free, undone="SEATS_FREED", entity=lambda buy: buy.who)
PAID = external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED")
LAST = local("NOTED", whatever, entity=lambda buy: buy.who, pivot=True)

tickets = Saga("tickets", Buy, [HELD, parallel(PAID), LAST])
gifts = Saga("gifts", Buy, [HELD, PAID, LAST], prepare=build)
plain: Saga = Saga("plain", dict[str, Any], [local("NOTED", whatever, entity=str)])
either: Saga[Buy | Gift] = Saga("either", Buy | Gift, [local("NOTED", whatever, entity=str)])
anything: Saga = Saga("anything", Any, [local("NOTED", whatever, entity=str)])


async def submit(engine: Engine) -> None:
    await engine.submit(tickets, Buy("ann"))
    await engine.submit_many(tickets, [Buy("ann")])
    await engine.submit(gifts, Gift("ann"))
    await engine.submit(either, Gift("ann"))
    await engine.submit(anything, 7)
    with amends.open("memory:", sagas=[tickets, gifts, plain]) as blocking:
        blocking.submit(tickets, Buy("ann"))


run(tickets, Buy("ann"))
check(Scenario(tickets, {}, [Buy("ann")]))
'''
WRONG = {
    "a request of another type": 'run(tickets, Gift("ann"))',
    "submitted": 'with amends.open("memory:", sagas=[tickets]) as engine: engine.submit(tickets, Gift("ann"))',
    "what prepare does not get": "with amends.open('memory:', sagas=[gifts]) as engine:\n"
    '    engine.submit(gifts, Buy("ann"))',
    "a decider of another request": "def other(seats: Any, gift: Gift) -> Any: ...\n"
    'Saga("s", Buy, [local("NOTED", other, entity=lambda gift: gift.to)])',
    "an undo of another request": "def other(seats: Any, gift: Gift) -> Any: ...\n"
    'local("SEATS_HELD", hold, undo=other, undone="X", entity=lambda buy: buy.who)',
    "a decider that takes one value": 'def one(seats: Any) -> Any: ...\nlocal("NOTED", one, entity=lambda buy: "x")',
    "a participant that takes two": 'external("CARD_CHARGED", whatever, pivot=True)',
    "an id that is no text": 'local("NOTED", hold, entity=lambda buy: 7)',
    "an answer of another type": 'def wrong(bank: Any, buy: Buy, call: Call) -> Done[Receipt]: return Done("r")',
    "an entity of another type": "def wrong(seats: Seats, buy: Buy) -> Changed[Seats, Receipt]:\n"
    '    return Changed(1, Receipt("r"))',
    "a prepare that builds another request": "def wrong(entities: Any, saga_id: str, asked: Gift) -> Gift: ...\n"
    'Saga("s", Buy, [HELD, PAID, LAST], prepare=wrong)',
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what mypy says of each file; it looks at all of them at once, since it takes its time."""
    folder = tmp_path_factory.mktemp("types")
    files = {"right": RIGHT} | {name: f"{RIGHT}\n\n{more}\n" for name, more in WRONG.items()}
    for number, text in enumerate(files.values()):
        (folder / f"case_{number}.py").write_text(text, "utf-8")
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--cache-dir",
        str(folder / "cache"),
        ".",
    ]
    environment = {**os.environ, "MYPYPATH": str(ROOT / "src")}
    ran = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert ran.stderr == ""
    lines = ran.stdout.splitlines()
    return {
        name: "\n".join(line for line in lines if line.startswith(f"case_{number}.py"))
        for number, name in enumerate(files)
    }


def test_a_definition_that_is_right_is_taken(said: dict[str, str]) -> None:
    """Strictly; whoever says no type need say nothing."""
    assert said["right"] == ""


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_seen_by_a_type_checker(name: str, said: dict[str, str]) -> None:
    """Where it is written."""
    (line,) = [line for line in said[name].splitlines() if ": error: " in line][:1]
    assert int(line.split(":")[1]) > RIGHT.count("\n")


def test_the_package_is_typed() -> None:
    """A checker reads its annotations, and the variables that have defaults."""
    assert (Path(ROOT) / "src" / "amends" / "py.typed").exists()
    assert (Path(ROOT) / "src" / "amends" / "generic.pyi").exists()
