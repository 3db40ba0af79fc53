"""examples/foreign_participant.py: a program that does not import amends takes part in sagas, and may be killed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import psycopg
import pytest

import amends
from amends import Compensated, Completed, Done, Refused, Saga, external, local
from amends.adapters.postgres import address_of
from amends.adapters.postgres.wire_location import PostgresWireLocation
from amends.storage.location import DatabaseRoles
from tests.acceptance.command import ROOT, environment
from tests.engine.test_engine import PATIENCE_S
from tests.postgres import database, schema

PROGRAM = ROOT / "examples" / "foreign_participant.py"
LINES_MAX = 100


class Order(NamedTuple):
    """What a saga is asked."""

    account: str
    cents: int
    address: str


def charge(card: Any, order: Order, call: Any) -> Done:
    """Never be called: the service is elsewhere."""
    raise AssertionError("it is elsewhere")


def send(parcels: int | None, order: Order) -> int | Refused:
    """Send a parcel."""
    return (parcels or 0) + 1 if order.address else Refused("no address")


ORDER = Saga(
    "foreign orders",
    Order,
    [
        external("CARD_CHARGED", charge, undo=charge, undone="CARD_REFUNDED", timeout_s=2.0, remembers_refusals=True),
        local("PARCEL_SENT", send, pivot=True, entity=lambda order: "all"),
    ],
)


class Surroundings(NamedTuple):
    """A wire, and the database of the participant."""

    wire: str
    own: str

    @contextmanager
    def participant(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run it; it is killed at the end."""
        address = address_of(self.wire)
        conninfo = psycopg.conninfo.make_conninfo(**address.connection)
        words = [sys.executable, str(PROGRAM), self.own, conninfo, address.schema]
        with subprocess.Popen(words, env=environment()) as process:
            try:
                yield process
            finally:
                process.kill()

    def said(self, query: str, *values: Any) -> list[Any]:
        """Return what a query of its database finds."""
        with psycopg.connect(self.own, autocommit=True) as own:
            cursor = own.execute(query.encode(), values)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def around() -> Iterator[Surroundings]:
    """Return a wire, and a database in which ada has ten euros."""
    with schema() as wire, database() as own:
        PostgresWireLocation(wire).migrate(DatabaseRoles())
        around = Surroundings(wire, own)
        around.said("CREATE TABLE accounts (owner text PRIMARY KEY, cents bigint NOT NULL CHECK (cents >= 0))")
        around.said("INSERT INTO accounts VALUES ('ada', 1000)")
        yield around


def test_it_knows_nothing_of_amends_and_is_short() -> None:
    """What it needs are the documents of the wire, and a driver."""
    text = PROGRAM.read_text("utf-8")
    assert len(text.splitlines()) < LINES_MAX
    nodes = [*ast.walk(ast.parse(text))]
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} == {"__future__", "json", "psycopg", "sys", "time", "typing"}


def test_it_takes_part_in_sagas(around: Surroundings) -> None:
    """It charges, refuses and gives back; killed in between, it loses and doubles nothing."""
    with amends.open("memory:", sagas=[ORDER], wire=around.wire, elsewhere=["CARD"]) as engine:
        with around.participant():
            sent = engine.submit(ORDER, Order("ada", 400, "Row 1"))
            assert engine.result(sent.saga_id, PATIENCE_S).state == Completed()
            poor = engine.result(engine.submit(ORDER, Order("ada", 700, "Row 1")).saga_id, PATIENCE_S)
            assert (poor.state, poor.reason) == (Compensated(), "ada cannot pay 700 cents")
        waiting = [engine.submit(ORDER, Order("ada", 100, "")) for _ in range(5)]
        with around.participant():
            for handle in waiting:
                ended = engine.result(handle.saga_id, PATIENCE_S)
                assert (ended.state, ended.reason) == (Compensated(), "no address")
    assert around.said("SELECT cents FROM accounts") == [(600,)]
    assert around.said("SELECT says, count(*) FROM inbox GROUP BY 1 ORDER BY 1") == [("done", 11), ("refused", 1)]


def test_what_comes_again_or_backwards_is_answered_and_does_nothing(around: Surroundings) -> None:
    """By the rules of docs/wire.md; what nobody can act on is parked with its reason, and blocks nothing."""
    late: dict[str, Any] = {"deadline_ms": 1, "key": "S2/CARD_CHARGED/do", "saga_id": "S2"}
    asked: list[dict[str, Any]] = [
        {}, {"attempt": 2}, {"kind": "probe"}, {"kind": "undo", "key": "S1/CARD_CHARGED/undo"},
        {"kind": "undo", "key": "S1/CARD_CHARGED/undo"}, {"kind": "probe", **late}, {**late},
        {"kind": "undo", **late, "key": "S2/CARD_CHARGED/undo", "deadline_ms": 10**15}, {**late, "deadline_ms": 10**15},
        {"step": "CARD_FOUND"},
    ]  # fmt: skip
    with around.participant():
        _post(around.wire, b"no JSON", *(_message(**each) for each in asked))
        answers = _answers(around.wire, len(asked))
    assert [(each["kind"], each["says"], each.get("value")) for each in answers] == [
        ("do", "done", {"left": 900}), ("do", "done", {"left": 900}), ("probe", "done", {"left": 900}),
        ("undo", "done", None), ("undo", "done", None), ("probe", "refused", "nothing is to be found"),
        ("do", "unknown", "the request came too late"), ("undo", "done", None),
        ("do", "refused", "undone before it came"), ("do", "unknown", "a step that is not CARD_CHARGED"),
    ]  # fmt: skip
    assert around.said("SELECT cents FROM accounts") == [(1000,)]
    ((reason,),) = _on(around.wire, "SELECT reason FROM parked")
    assert reason.startswith("JSONDecodeError(")


def _message(**different: Any) -> bytes:
    request: dict[str, Any] = {
        "saga_id": "S1", "step": "CARD_CHARGED", "kind": "do", "attempt": 1, "key": "S1/CARD_CHARGED/do",
        "deadline_ms": 10**15, "body": ["ada", 100, "Row 1"], **different,
    }  # fmt: skip
    return json.dumps({"v": 1, "reply_to": ">test", "saga": "any/1/0", "requests": [request]}).encode()


def _post(wire: str, *messages: bytes) -> None:
    _on(wire, "SELECT post('CARD', %s)", [*messages])


def _answers(wire: str, number: int) -> list[dict[str, Any]]:
    """Return so many answers, in their order."""
    found = list[dict[str, Any]]()
    until_s = time.monotonic() + PATIENCE_S
    while len(found) < number and time.monotonic() < until_s:
        for (body,) in _on(wire, "SELECT taken_body FROM take('>test', 100, 60000000)"):
            found += json.loads(body)["answers"]
    return found


def _on(wire: str, query: str, *values: Any) -> list[Any]:
    address = address_of(wire)
    with psycopg.connect(
        **address.connection, autocommit=True, options=f"-c search_path={address.schema}"
    ) as connection:
        return connection.execute(query.encode(), values).fetchall()
