"""`amends tail`: what happens to sagas, for people and as CloudEvents, until Ctrl-C ends it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

import amends as package
from amends.engine.blocking import BlockingEngine
from tests.acceptance.command import amends, command_line, environment
from tests.engine.test_engine import PATIENCE_S
from tests.engine.test_verbs import ORDER, Bank, stuck
from tests.postgres import schema

PLACES = ("sqlite", "postgres")


class Shop(NamedTuple):
    """An engine that runs, its store, and a saga that waits for an operator."""

    engine: BlockingEngine
    bank: Bank
    url: str
    saga_id: str


@pytest.fixture(params=PLACES)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """Return a shop of each kind."""
    with schema() if request.param == "postgres" else _file(tmp_path) as url:
        bank = Bank()
        with package.open(url, sagas=[ORDER], clients={"CARD": bank, "PARCEL": None}) as engine:
            yield Shop(engine, bank, url, stuck(engine))


class _file:  # noqa: N801 - a context as `schema` is
    def __init__(self, folder: Path) -> None:
        self._url = f"sqlite:///{folder / 'shop.db'}"

    def __enter__(self) -> str:
        return self._url

    def __exit__(self, *_: object) -> None:
        pass


def test_each_record_is_a_line(shop: Shop) -> None:
    """Its time, its saga, what happened and what became of it."""
    ran = amends("tail", "--db", shop.url)
    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert re.fullmatch(rf"20\d\d-\d\d-\d\d [\d:.]+Z  {shop.saga_id}  started  CARD_CHARGED sent", lines[0])
    assert lines[-1].endswith("  CARD_CHARGED/undo refused: the account is closed  CARD_CHARGED stuck")


def test_as_cloudevents_each_is_one_document(shop: Shop) -> None:
    """Numbered in its saga; of one saga alone where that is asked for."""
    saga_id = stuck(shop.engine)
    found = [json.loads(line) for line in amends("tail", "--db", shop.url, "--json").out.splitlines()]
    of_one = [each for each in found if each["subject"] == saga_id]
    assert {each["subject"] for each in found} == {shop.saga_id, saga_id}
    assert [each["data"]["number"] for each in of_one] == [*range(1, len(of_one) + 1)]
    ran = amends("tail", "--db", shop.url, "--json", "--saga", saga_id, "--source", "//shop.example/orders")
    alone = [json.loads(line) for line in ran.out.splitlines()]
    assert alone == [{**each, "source": "//shop.example/orders"} for each in of_one]


def test_it_begins_when_it_is_told(shop: Shop) -> None:
    """At a day, or an age; of a saga that is named at its start, if nothing is said."""
    every = amends("tail", "--db", shop.url).out
    assert amends("tail", "--db", shop.url, "--since", "2h").out == every
    assert amends("tail", "--db", shop.url, "--saga", shop.saga_id).out == every
    assert amends("tail", "--db", shop.url, "--since", "2200-01-01") == (0, "", "")
    wrong = amends("tail", "--db", shop.url, "--since", "soon")
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err.startswith("amends: 'soon' is no moment: give 2026-01-31")


def test_a_saga_that_is_not_there_is_told(shop: Shop) -> None:
    """One that may come, or has left, is no error."""
    ran = amends("tail", "--db", shop.url, "--saga", "nobody")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no saga 'nobody'; --since shows what is on record of it" in ran.err
    assert amends("tail", "--db", shop.url, "--saga", "nobody", "--since", "1h") == (0, "", "")


def test_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    """In one line."""
    ran = amends("tail", "--db", tmp_path / "none.db")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_it_goes_on_until_one_interrupt_ends_it(shop: Shop) -> None:
    """With what is committed meanwhile, at once where it is read; that is no failure."""
    words = command_line("tail", "--db", shop.url, "--json", "--follow", "--saga", shop.saga_id)
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as following:
        assert following.stdout is not None
        try:
            first = json.loads(following.stdout.readline())
            shop.bank.is_open = True
            shop.engine.retry(shop.saga_id, "CARD_CHARGED")
            shop.engine.result(shop.saga_id, PATIENCE_S)
            later = [first]
            while "ended" not in later[-1]:
                later.append(json.loads(following.stdout.readline()))
            following.send_signal(signal.SIGINT)
            out, err = following.communicate(timeout=PATIENCE_S)
        finally:
            following.kill()
    assert [each["data"]["number"] for each in later] == [*range(1, len(later) + 1)]
    assert (later[-1]["ended"], following.returncode, out, err) == ("compensated", 0, b"", b"")


def test_what_is_damaged_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    """For people in a line, for programs as an event; the exit code says so."""
    file = tmp_path / "shop.db"
    bank = Bank()
    with package.open(f"sqlite:///{file}", sagas=[ORDER], clients={"CARD": bank, "PARCEL": None}) as engine:
        saga_id = stuck(engine)
    with_all = [json.loads(line) for line in amends("tail", "--db", file, "--json").out.splitlines()]
    connection = apsw.Connection(str(file))
    connection.execute("DELETE FROM blocks WHERE number = 2")
    connection.close()
    ran = amends("tail", "--db", file, "--json")
    found = [json.loads(line) for line in ran.out.splitlines()]
    assert ran.code == 1
    assert [each["id"] for each in found] == [
        f":{each['data']['block']}" if each["data"]["block"] == 2 else each["id"] for each in with_all
    ]
    people = amends("tail", "--db", file)
    assert (people.code, people.out.count("block 2 cannot be read; `amends audit verify` says why")) == (1, 1)
    assert saga_id in people.out
