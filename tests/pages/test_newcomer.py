"""A newcomer copies a page, and runs it by its words: servers of four workers, an engine beside them, and trouble."""

from __future__ import annotations

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest

import amends
from tests.pages.project import text_of
from tests.pages.serving import Answer, Site, running, served, until
from tests.postgres import database, own_server

ORDERS: Final = 30
FEW: Final = 10
CLIENTS: Final = 4
TASKS: Final = 8
HAMLET: Final = {"show": "Hamlet", "seats": 2}
TYPED: Final = re.compile(r"^\$ (.*)$", re.MULTILINE)
FOLDERS: Final = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "control"}


def placed(site: Site, key: str, **wanted: Any) -> str:
    """Post an order until it is taken, as the page says: the same again, under the same key. The order's id."""
    answers: list[Answer] = []

    def is_taken() -> bool:
        answers.append(site.ask("POST", "/orders", wanted or HAMLET, **{"Idempotency-Key": key}))
        assert answers[-1].status in (0, 202, 429, 503), answers[-1]
        return answers[-1].status == 202

    until(is_taken, f"order {key}")
    order: str = answers[-1].body["order"]
    return order


def status(site: Site, order: str) -> str:
    """Return how an order stands, as the server says."""
    answer = site.ask("GET", f"/orders/{order}")
    return str(answer.body["status"]) if answer.status == 200 else ""


def stored(site: Site, **wanted: Any) -> int:
    """Return how many orders there are."""
    with amends.connect(f"sqlite:///{site.folder}/shop.db") as client:
        return len(client.list(limit=1_000, **wanted).sagas)


def test_an_engine_that_is_killed_under_load_and_an_order_that_is_stuck(tmp_path: Path) -> None:
    """Nothing is lost or doubled, and the order is found and mended from the command line, by the page's own words."""
    page = "with-fastapi.md"
    with served(page, tmp_path) as site, ThreadPoolExecutor(CLIENTS) as pool:
        stuck = placed(site, "stuck", customer="closed", **HAMLET)
        asked = [pool.submit(placed, site, f"key {n % ORDERS}", customer="ada", **HAMLET) for n in range(2 * ORDERS)]
        until(lambda: sum(each.done() for each in asked) > ORDERS // 2, "a part of the orders is placed")
        site.kill(site.worker)
        site.start(site.worker)
        orders = [each.result() for each in asked]
        assert orders[:ORDERS] == orders[ORDERS:], "one key, one order"
        until(lambda: stored(site, status="completed") == ORDERS, "the orders are completed")

        until(lambda: status(site, stuck) == "needs operator", "one is stuck")
        listed, *others = TYPED.findall(text_of(page))
        assert stuck in site.shell(listed)
        for command in others:
            site.shell(command.replace("SAGA_ID", stuck), given="y\n")
        until(lambda: status(site, stuck) == "compensated", "it is mended")
        assert stuck not in site.shell(listed)
        assert stored(site) == ORDERS + 1


@pytest.mark.parametrize(
    ("page", "accounts"),
    [
        ("with-fastapi-postgres.md", "account"),
        pytest.param("with-django-postgres.md", "shop_account", marks=pytest.mark.torture),  # its own tests run always
    ],
)
def test_an_engine_and_the_database_under_it_are_killed(page: str, accounts: str, tmp_path: Path) -> None:
    """Rows and sagas are of one database: nothing is lost or doubled, money is exact, and what is stuck is mended."""
    with own_server() as server, database(server.conninfo) as url, ThreadPoolExecutor(CLIENTS) as pool:
        site = Site(page, tmp_path, {"AMENDS_DB": url})
        *set_up, listed, shown, mended = TYPED.findall(text_of(page))
        for command in set_up:
            site.shell(command)
        with running(site):
            stuck = placed(site, "stuck", customer="closed", seats=1)
            asked = [pool.submit(placed, site, f"key-{n % FEW}", customer="ada", seats=2) for n in range(2 * FEW)]
            until(lambda: sum(each.done() for each in asked) > FEW // 2, "a part of the orders is placed")
            site.kill(site.worker)
            server.crash()
            server.start()
            orders = [each.result() for each in asked]
            assert orders[:FEW] == orders[FEW:], "one key, one order"
            until(lambda: all(status(site, order) == "completed" for order in {*orders}), "the orders are completed")
            with psycopg.connect(url) as db:
                left = db.execute(f"TABLE {accounts}".encode()).fetchall()
            assert ("ada", 10_000 - FEW * 40) in left, "each is charged once"
            until(lambda: status(site, stuck) == "needs operator", "one is stuck")
            assert stuck in site.shell(listed)
            for command in (shown, mended):
                site.shell(command.replace("SAGA_ID", stuck), given="y\n")
            until(lambda: status(site, stuck) == "compensated", "it is mended")


def all_placed_once(site: Site, keys: Sequence[str]) -> None:
    """Place orders twice each, at once, and wait until all are completed."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        orders = [*pool.map(partial(placed, site), [*keys, *keys])]
    assert orders[: len(keys)] == orders[len(keys) :]
    until(lambda: all(status(site, order) == "completed" for order in orders), "all are completed")


def test_workers_that_are_forked_share_one_engine(tmp_path: Path) -> None:
    """Each of the four connects for itself."""
    with served("with-flask.md", tmp_path) as site:
        all_placed_once(site, [f"key {n}" for n in range(10)])


def test_a_server_that_reloads_itself_begins_no_engine(tmp_path: Path) -> None:
    """Neither of its two processes does, nor the one that comes after a change."""
    with served("with-django.md", tmp_path) as site:
        all_placed_once(site, ["before the change"])
        (tmp_path / "shop" / "views.py").touch()
        until(lambda: "changed, reloading" in site.log(), "it has seen the change")
        all_placed_once(site, ["before the change", "after the change"])
        assert stored(site) == 2


def test_tasks_of_forked_children_are_orders(tmp_path: Path) -> None:
    """Each task is one order, whichever child takes it; the broker is a folder, in place of Redis."""
    for folder in {*FOLDERS.values()}:
        (tmp_path / folder).mkdir()
    (tmp_path / "celeryconfig.py").write_text(f"broker_transport_options = {FOLDERS!r}", "utf-8")
    with served("with-celery.md", tmp_path, BROKER_URL="filesystem://", CELERY_LOADER="default") as site:
        site.shell(f"python -c 'import tasks; [tasks.place.delay(show=\"Hamlet\", seats=2) for _ in range({TASKS})]'")
        until((tmp_path / "shop.db").exists, "the engine runs")
        until(lambda: stored(site, status="completed") == TASKS, "each task is an order")
