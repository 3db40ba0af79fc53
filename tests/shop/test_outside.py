"""PAYMENT and SHIPPING in the world outside: the same orders as at home, whatever the services do.

Time is virtual (`tests/shop/virtual.py`), chance has a seed.
"""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from amends import Call, Compensated, Completed, Done, Refused, Scenario, UnusableInput, check
from amends.checking import adapter, explore
from amends.engine.round_trip import RoundTrip
from amends.entrypoints.cli.definitions import load_scenarios
from amends.shop import CHECKOUT, Session
from amends.shop.checkout import SERVICES
from amends.shop.inventory import INVENTORY
from amends.shop.operations import is_well_formed
from amends.shop.outside import (
    CHECKOUT_OUTSIDE,
    EVEN,
    FAILING_OUTSIDE_AT,
    ONE_ORDER_OUTSIDE,
    Books,
    BooksInFile,
    Fate,
    Providers,
    Temper,
    Timers,
)
from amends.shop.outside.temper import LATE_MS, SETTLES_MS, TIMEOUT_MS
from amends.shop.payments import PAYMENT, Account
from amends.shop.purchase import Purchase
from amends.shop.scenarios import TWO_ORDERS_ONE_STOCK
from amends.shop.shipping import SHIPPING
from tests.shop.batches import crowded_batch, random_batch, text_of
from tests.shop.outside_shop import OutsideShop
from tests.shop.virtual import at_once, now_ms

T = TypeVar("T")

ORDER = Purchase("O001", "C001", "P001", 2, 300, short=False)
PAY, GIVE_BACK, SHIP = "O001/PAYMENT_PROCESSED/do", "O001/PAYMENT_PROCESSED/undo", "O001/ORDER_SHIPPED/do"
ONLY = {Fate.LOST: Temper(lost=1000), Fate.LATE: Temper(late=1000), Fate.DOWN: Temper(down=1000)}
ROUGH = Temper(lost=200, late=200, down=200, latency_ms=range(1, 50))
WITHOUT_QUERIES = ("CREATE_CUSTOMER", "ADD_PRODUCT", "PLACE_ORDER", "INJECT_FAILURE")


@pytest.fixture(params=["memory", "file"])
def books(request: pytest.FixtureRequest, tmp_path: Path) -> Iterable[Books]:
    """Return new books of each kind."""
    if request.param == "memory":
        yield Books()
        return
    kept = BooksInFile(tmp_path / "outside.db")
    yield kept
    kept.close()


def plain(batch: list[Any]) -> list[Any]:
    """Return the operations that a small shop understands."""
    return [tuple(entry) for entry in batch if is_well_formed(entry) and entry[0] in WITHOUT_QUERIES]


def opened(books: Books | None = None, temper: Temper = EVEN, limit: int = 1000) -> Providers:
    """Return services with one account."""
    outside = Providers(books, temper=temper)
    outside.set_limit("C001", limit)
    return outside


def asked(outside: Providers, key: str, attempt: int = 1) -> Awaitable[Done | Refused]:
    """Ask for a part of the order."""
    return outside.ask(ORDER, Call(key, attempt))


def say(outside: Providers, *keys: str) -> list[Done | Refused]:
    """Ask one after the other, and return the answers."""

    async def all_of_them() -> list[Done | Refused]:
        return [await asked(outside, key) for key in keys]

    return at_once(all_of_them())


# --- the definition ---------------------------------------------------------------------------------


def test_it_is_the_same_saga_with_two_services_outside() -> None:
    """The same events, order and compensations; what is local is the very same step."""
    for home, away in zip(CHECKOUT.every_step(), CHECKOUT_OUTSIDE.every_step(), strict=True):
        assert (home.event, home.service, home.undone, home.pivot) == (
            away.event,
            away.service,
            away.undone,
            away.pivot,
        )
        assert away.is_local == (away.service not in {PAYMENT, SHIPPING})
        assert away is home or not away.is_local
        assert away.remembers_refusals


@pytest.mark.parametrize("event", ["PAYMENT_PROCESSED", "ORDER_SHIPPED"])
def test_a_step_outside_is_asked_in_the_services_own_time(event: str) -> None:
    """It waits for an answer, and before it looks, for as long as the service takes at worst; looking does nothing."""
    step = CHECKOUT_OUTSIDE.step(event)
    assert (step.timeout_s, step.settles_within_s) == (TIMEOUT_MS / 1000, SETTLES_MS / 1000)
    outside = opened()
    assert step.probe is not None
    assert step.action is not None
    key = f"O001/{event}/do"
    assert at_once(step.probe(outside, ORDER, Call(key))) == Refused(f"nothing is known of {key}")
    assert at_once(step.action(outside, ORDER, Call(key))) == Done()
    assert at_once(step.probe(outside, ORDER, Call(key))) == Done()


@pytest.mark.parametrize("seed", range(3))
def test_without_a_temper_orders_go_as_at_home(seed: int) -> None:
    """Batch by batch the report is the session's: events, money, stock and log, with injected failures too."""
    rng = random.Random(f"outside {seed}")

    async def compare() -> Counter[str]:
        seen: Counter[str] = Counter()
        for _ in range(40):
            home, away = Session(), OutsideShop(Providers())
            for _ in range(rng.randint(1, 3)):
                draw = crowded_batch if rng.random() < 0.1 else random_batch
                batch = plain(draw(rng, len(away.runs) + 1))
                expected = home.process(batch)
                assert text_of(await away.process(batch)) == text_of(dict(expected)), batch
                seen.update(f"{len(order['events_completed'])} steps" for order in expected["orders"].values())
            assert dict(away.outside.books.entities[PAYMENT]) == home.entities[PAYMENT]
            assert dict(away.outside.books.entities[SHIPPING]) == home.entities[SHIPPING]
            assert away.entities[INVENTORY] == home.entities[INVENTORY]
        return seen

    seen = at_once(compare())
    assert min(seen[f"{steps} steps"] for steps in range(5)) > 3, seen


# --- tempers ----------------------------------------------------------------------------------------


async def sell(shop: OutsideShop, rng: random.Random, orders: int) -> None:
    """Place orders for little stock and credit, all at the same time, and wait until nothing is on its way."""
    customers, products = ["C1", "C2", "C3"], ["P1", "P2"]
    for customer_id in customers:
        shop.create(customer_id, rng.choice((400, 1000, 3000)))
    for product_id in products:
        shop.add(product_id, rng.randint(5, 20), rng.choice((50, 100)))
    await asyncio.gather(*(
        shop.order(
            {f"O{number:03d}": rng.randrange(4)} if rng.random() < 0.1 else {},
            rng.choice(customers),
            rng.choice(products),
            rng.randint(0, 4),
        )
        for number in range(1, orders + 1)
    ))  # fmt: skip
    await asyncio.sleep(SETTLES_MS / 1000)


def expect_exact(shop: OutsideShop) -> None:
    """Fail unless all that is used, shipped and left is what the orders that completed took."""
    assert {type(run.state) for run in shop.runs.values()} <= {Completed, Compensated}
    completed = [run.request for run in shop.runs.values() if isinstance(run.state, Completed)]
    kept = shop.outside.books.entities
    for customer_id, account in kept[PAYMENT].items():
        assert account.credit_used == sum(one.total_amount for one in completed if one.customer_id == customer_id)
    assert dict(kept[SHIPPING]) == {one.order_id: one.quantity for one in completed}
    for product_id, product in shop.entities[INVENTORY].items():
        shipped = sum(one.quantity for one in completed if one.product_id == product_id)
        assert (product.reserved, product.settled) == (0, shipped)
        assert product.stock + product.settled == product.added


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_services_do_every_saga_ends_and_money_and_stock_are_exact(seed: int) -> None:
    """Answers are lost, effects late and services down, many times; nothing is lost, doubled or left."""
    shop = OutsideShop(Providers(seed=seed, temper=ROUGH))
    at_once(sell(shop, random.Random(f"sell {seed}"), 40))
    expect_exact(shop)
    assert min(shop.outside.seen[fate] for fate in Fate) > 5
    assert {type(run.state) for run in shop.runs.values()} == {Completed, Compensated}


def test_a_payment_that_nobody_answers_is_looked_up_and_given_back() -> None:
    """Services that mostly lose and delay: some payments run out of time after they took effect."""
    shop = OutsideShop(Providers(temper=Temper(lost=450, late=450)))
    at_once(sell(shop, random.Random("nobody"), 60))
    expect_exact(shop)
    trails = [[(entry.event, entry.status.value) for entry in run.trail] for run in shop.runs.values()]
    given_up = [trail for trail in trails if ("PAYMENT_PROCESSED", "unknown") in trail]
    assert any(("PAYMENT_REFUNDED", "undone") in trail for trail in given_up)


def test_the_same_seed_gives_the_same_fates() -> None:
    """Of each call, by its key, kind and attempt, in whatever order the calls come; another seed gives others."""
    calls = [(kind, Call(f"O{number:03d}/ORDER_SHIPPED/do", 1 + number % 3)) for number in range(300) for kind in "ab"]
    told = {(kind, call.key): ROUGH.passage(7, kind, call) for kind, call in calls}
    assert told == {(kind, call.key): ROUGH.passage(7, kind, call) for kind, call in reversed(calls)}
    assert told != {(kind, call.key): ROUGH.passage(8, kind, call) for kind, call in calls}
    assert any(told["a", call.key] != told["b", call.key] for _, call in calls)
    counts = Counter(passage.fate for passage in told.values())
    assert all(counts[fate] > 600 * 0.1 for fate in (Fate.LOST, Fate.LATE, Fate.DOWN))
    assert counts[Fate.ANSWERED] > 600 * 0.3
    waits = {passage.wait_ms for passage in told.values() if passage.fate is not Fate.LATE}
    assert waits == set(ROUGH.latency_ms)
    assert {passage.wait_ms for passage in told.values() if passage.fate is Fate.LATE} < set(LATE_MS)


def test_a_saga_goes_the_same_way_twice() -> None:
    """To the millisecond."""

    def trails() -> tuple[list[Any], Counter[Fate]]:
        shop = OutsideShop(Providers(seed=3, temper=ROUGH))
        at_once(sell(shop, random.Random("twice"), 20))
        return [(key, run.trail, run.reason) for key, run in shop.runs.items()], shop.outside.seen

    assert trails() == trails()


@pytest.mark.parametrize(
    "wrong",
    [
        {"lost": -1},
        {"lost": 500, "late": 500, "down": 1},
        {"latency_ms": range(0)},
        {"latency_ms": range(-1, 5)},
        {"latency_ms": range(TIMEOUT_MS + 1)},
    ],
)
def test_a_temper_that_nobody_can_have_is_refused(wrong: dict[str, Any]) -> None:
    """More than all calls go wrong, or an answer takes longer than anybody waits."""
    with pytest.raises(UnusableInput, match=r"of a thousand calls|latency_ms is range"):
        Temper(**wrong)


# --- one call ---------------------------------------------------------------------------------------


class Heard(NamedTuple):
    """What a caller sees who waits for as long as the saga does, and what the books say when."""

    error: str
    used_when_given_up: int
    used_in_the_end: int


def call_of_fate(fate: Fate) -> Heard:
    """Pay once, at a service of one mind."""

    async def pay() -> Heard:
        outside = opened(temper=ONLY[fate])
        accounts = outside.books.entities[PAYMENT]
        error = ""
        try:
            async with asyncio.timeout(TIMEOUT_MS / 1000):
                await asked(outside, PAY)
        except (TimeoutError, ConnectionError) as raised:
            error = type(raised).__name__
        used = accounts["C001"].credit_used
        await asyncio.sleep(SETTLES_MS / 1000)
        assert outside.seen == {fate: 1}
        return Heard(error, used, accounts["C001"].credit_used)

    return at_once(pay())


def test_a_lost_answer_leaves_the_effect() -> None:
    """The caller waits until its time is over; the payment took place."""
    assert call_of_fate(Fate.LOST) == ("TimeoutError", 300, 300)


def test_a_late_effect_comes_when_the_caller_has_hung_up() -> None:
    """Nothing is there when the time is over, and the payment still takes place."""
    assert call_of_fate(Fate.LATE) == ("TimeoutError", 0, 300)


def test_who_is_down_does_nothing() -> None:
    """The caller hears so at once, and nothing ever happens."""
    assert call_of_fate(Fate.DOWN) == ("ConnectionError", 0, 0)


def test_who_waits_longer_hears_of_it() -> None:
    """A late answer comes, once the effect is there; a lost one never does."""

    async def wait(fate: Fate) -> tuple[object, int]:
        outside = opened(temper=ONLY[fate])
        answer = await asyncio.gather(asked(outside, PAY), return_exceptions=True)
        assert outside.books.entities[PAYMENT]["C001"] == Account(1000, 300)
        return answer[0], now_ms()

    assert at_once(wait(Fate.LATE))[0] == Done()
    error, waited_ms = at_once(wait(Fate.LOST))
    assert str(error) == f"{PAY}: the answer is lost"
    assert waited_ms >= SETTLES_MS


@pytest.mark.parametrize(("left_s", "used"), [(60, 300), (-60, 0)])
@pytest.mark.parametrize("fate", [None, Fate.LATE])
def test_nothing_takes_effect_once_it_has_settled(fate: Fate | None, left_s: float, used: int) -> None:
    """However slow the machine is, or the way to the service was: the saga has been told that nothing was done."""

    async def pay() -> int:
        outside = opened(temper=EVEN if fate is None else ONLY[fate])
        with suppress(ConnectionError):
            await outside.ask(ORDER, Call(PAY, 1, deadline=time.time() + left_s))
        credit_used: int = outside.books.entities[PAYMENT]["C001"].credit_used
        return credit_used

    assert at_once(pay()) == used


def test_a_late_action_meets_the_tombstone() -> None:
    """An undo overtakes its late action, which then is refused."""

    async def overtake() -> Account:
        books = Books()
        slow, quick = opened(books, ONLY[Fate.LATE]), opened(books)
        action = asyncio.ensure_future(asked(slow, PAY))
        await asyncio.sleep(TIMEOUT_MS / 1000)
        assert await asked(quick, GIVE_BACK) == Done()
        assert await action == Refused("undone before it came")
        account = books.entities[PAYMENT]["C001"]
        assert isinstance(account, Account)
        return account

    assert at_once(overtake()) == Account(1000, 0)


def test_a_refusal_is_the_deciders(books: Books) -> None:
    """And it stays refused when there is credit later."""
    outside = opened(books, limit=299)
    refused = Refused("300 exceeds the credit left: 299 of 299")
    assert say(outside, PAY) == [refused]
    outside.set_limit("C001", 1000)
    assert say(outside, PAY) == [refused]
    assert books.entities[PAYMENT]["C001"] == Account(1000, 0)


def test_a_probe_says_what_the_inbox_knows(books: Books) -> None:
    """Nothing, that it was done, or that it was refused."""
    outside = opened(books)

    def look() -> Done | Refused:
        return at_once(outside.look_up(Call(PAY)))

    assert look() == Refused(f"nothing is known of {PAY}")
    say(outside, PAY)
    assert look() == Done()


def test_undoing_what_nobody_knows_leaves_no_account(books: Books) -> None:
    """An undo without its action, for a customer that has no account, writes the tombstone alone."""
    outside = Providers(books)
    assert say(outside, GIVE_BACK, PAY) == [Done(), Refused("undone before it came")]
    assert len(books.entities[PAYMENT]) == 0
    assert sorted(books.inbox) == [PAY, GIVE_BACK]


def test_what_a_decider_raises_changes_nothing(books: Books) -> None:
    """A payment without an account is an error of the service: its outcome is unknown to the caller."""
    outside = Providers(books)
    with pytest.raises(TypeError):
        say(outside, PAY)
    assert len(books.inbox) == 0
    outside.set_limit("C001", 1000)
    assert say(outside, PAY) == [Done()]


# --- books ------------------------------------------------------------------------------------------


def test_books_are_mappings(books: Books) -> None:
    """What is written is there, in its own place, until it is taken out."""
    with books.transaction():
        books.entities[PAYMENT]["C'1"] = Account(9, 3)
        books.entities[SHIPPING]["C'1"] = 7
        books.inbox["a/b/do"] = Refused("no")
        books.inbox["a/b/undo"] = Done()
    assert dict(books.entities[PAYMENT]) == {"C'1": Account(9, 3)}
    assert dict(books.entities[SHIPPING]) == {"C'1": 7}
    assert dict(books.inbox) == {"a/b/do": Refused("no"), "a/b/undo": Done()}
    del books.inbox["a/b/do"]
    assert (len(books.inbox), "a/b/do" in books.inbox) == (1, False)
    with pytest.raises(KeyError):
        del books.inbox["a/b/do"]


class Watched(dict[str, Any]):
    """A mapping of books that may be touched inside a transaction alone."""

    inside = False

    def __getitem__(self, key: str) -> Any:
        """Read."""
        assert self.inside
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Read."""
        assert self.inside
        return super().get(key, default)

    def __setitem__(self, key: str, value: Any) -> None:
        """Write."""
        assert self.inside
        super().__setitem__(key, value)


class WatchedBooks(Books):
    """Books that know whether a transaction is open."""

    def __init__(self) -> None:
        self.watched = [Watched(), Watched(), Watched()]
        super().__init__()
        self.entities, self.inbox = {PAYMENT: self.watched[0], SHIPPING: self.watched[1]}, self.watched[2]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Let the mappings be touched."""
        for each in self.watched:
            each.inside = True
        yield
        for each in self.watched:
            each.inside = False


def test_books_are_touched_in_transactions_alone() -> None:
    """A limit, a payment, its refund, a shipment and a look."""
    outside = opened(WatchedBooks())
    assert say(outside, PAY, PAY, GIVE_BACK, SHIP) == [Done()] * 4
    assert at_once(outside.look_up(Call(PAY))) == Done()


def test_a_transaction_keeps_other_threads_out(books: Books) -> None:
    """Until it ends."""
    lock: Any = books._lock
    with ThreadPoolExecutor() as pool:
        with books.transaction():
            assert not pool.submit(lock.acquire, blocking=False).result()
        assert pool.submit(lock.acquire, blocking=False).result()


def test_one_thread_at_a_time_keeps_books(books: Books) -> None:
    """Two threads that set limits while payments go through lose nothing of either."""
    outside = opened(books, limit=1_000_000)
    orders = [ORDER._replace(order_id=f"O{number:03d}") for number in range(1, 101)]

    def desk() -> None:
        for limit in range(999_000, 999_100):
            outside.set_limit("C001", limit)

    async def pay_all() -> None:
        for order in orders:
            await outside.ask(order, Call(f"{order.order_id}/PAYMENT_PROCESSED/do"))

    thread = threading.Thread(target=desk)
    thread.start()
    at_once(pay_all())
    thread.join()
    assert books.entities[PAYMENT]["C001"] == Account(999_099, 300 * len(orders))


def test_books_in_a_file_survive(tmp_path: Path) -> None:
    """Opened again they have everything, and duplicates get the first answer."""
    first = BooksInFile(tmp_path / "outside.db")
    before = say(opened(first), PAY, SHIP)
    first.close()
    again = BooksInFile(tmp_path / "outside.db")
    outside = Providers(again)
    assert say(outside, PAY, SHIP) == before == [Done(), Done()]
    assert again.entities[PAYMENT]["C001"] == Account(1000, 300)
    assert again.entities[SHIPPING]["O001"] == 2
    assert say(outside, GIVE_BACK, GIVE_BACK) == [Done(), Done()]
    assert again.entities[PAYMENT]["C001"] == Account(1000, 0)
    again.close()


DIE = """
import asyncio, os, signal, sys
from amends.shop.outside import BooksInFile, Providers
from tests.shop.test_outside import ORDER, PAY
from amends import Call
outside = Providers(BooksInFile(sys.argv[1]))
outside.set_limit("C001", 1000)
asyncio.run(outside.ask(ORDER, Call(PAY)))
with outside.books.transaction():
    outside.books.entities["PAYMENT"]["C001"] = None
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_takes_nothing_that_was_answered(tmp_path: Path) -> None:
    """What was answered is there, and of a transaction that the kill cut there is nothing."""
    path = tmp_path / "outside.db"
    ran = subprocess.run([sys.executable, "-c", DIE, str(path)], check=False, timeout=60)
    assert ran.returncode == -signal.SIGKILL
    books = BooksInFile(path)
    assert say(Providers(books), PAY) == [Done()]
    assert books.entities[PAYMENT]["C001"] == Account(1000, 300)
    books.close()


def test_a_transaction_in_a_file_is_all_or_nothing(tmp_path: Path) -> None:
    """What was written before the block raised is not there."""
    books = BooksInFile(tmp_path / "outside.db")
    with suppress(ZeroDivisionError), books.transaction():
        books.entities[SHIPPING]["O001"] = 2
        raise ZeroDivisionError
    assert len(books.entities[SHIPPING]) == 0
    books.close()


def test_books_need_a_file_of_their_own(tmp_path: Path) -> None:
    """Whatever else it is, is said in one line."""
    (tmp_path / "letter").write_text("Dear Sir or Madam, this is no database, as you can see from its beginning. " * 9)
    for path in (tmp_path / "letter", tmp_path):
        with pytest.raises(UnusableInput, match=f"{path.name}: no books can be kept here: "):
            BooksInFile(path)


def test_a_person_can_read_the_file(tmp_path: Path) -> None:
    """One table, JSON in it."""
    books = BooksInFile(tmp_path / "outside.db")
    say(opened(books, limit=299), PAY, SHIP)
    books.close()
    connection = sqlite3.connect(tmp_path / "outside.db")
    assert connection.execute("SELECT * FROM books ORDER BY kind, name").fetchall() == [
        ("PAYMENT", "C001", "[299, 0]"),
        ("SHIPPING", "O001", "2"),
        ("inbox", SHIP, '{"done": null}'),
        ("inbox", PAY, '{"refused": "300 exceeds the credit left: 299 of 299"}'),
    ]
    connection.close()


# --- checked ----------------------------------------------------------------------------------------


def test_it_holds_with_any_provider_that_honours_keys() -> None:
    """The scenario that `amends check amends.shop.outside:CHECKOUT_OUTSIDE` finds."""
    assert load_scenarios("amends.shop.outside:CHECKOUT_OUTSIDE") == {"ONE_ORDER_OUTSIDE": ONE_ORDER_OUTSIDE}
    assert check(ONE_ORDER_OUTSIDE, faults=2).states > 1000


class Paper(NamedTuple):
    """Books as a value."""

    entities: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
    inbox: tuple[tuple[str, Done | Refused], ...] = ()


class NoTime(Timers):
    """Timers for a checker, which has no time."""

    async def sleep(self, ms: int) -> None:
        """Go on."""

    def call_later(self, ms: int, act: Callable[[], object]) -> None:
        """Never called: nothing is late where there is no time."""


class OnPaper:
    """The services themselves, on books that are a value."""

    def __init__(self, books: Paper) -> None:
        self._kept = Books()
        self._kept.entities = {service: dict(rows) for service, rows in books.entities}
        self._kept.inbox = dict(books.inbox)
        outside = Providers(self._kept, timers=NoTime())
        self.ask, self.look_up = outside.ask, outside.look_up

    @property
    def books(self) -> Paper:
        """The books as they are now."""
        return paper(self._kept.entities, self._kept.inbox)


def paper(entities: Mapping[str, Mapping[str, Any]], inbox: Mapping[str, Done | Refused] | None = None) -> Paper:
    """Return books as a value."""
    rows = tuple((service, tuple(sorted(owned.items()))) for service, owned in sorted(entities.items()))
    return Paper(rows, tuple(sorted((inbox or {}).items())))


def standing(books: Paper) -> tuple[str, ...]:
    """Return the keys of the actions whose effect stands; entities that say anything else are wrong."""
    answers, entities = dict(books.inbox), dict(books.entities)
    done = [key for key, answer in answers.items() if key.endswith("/do") and isinstance(answer, Done)]
    stand = tuple(key for key in done if f"{key.removesuffix('do')}undo" not in answers)
    paid = [key for key in stand if "PAYMENT" in key]
    assert [account.credit_used for _, account in entities[PAYMENT]] == [200 * len(paid)]
    assert len(entities[SHIPPING]) == len(stand) - len(paid)
    return stand


@pytest.mark.parametrize(
    ("limit", "orders", "faults", "ends"),
    [
        (1000, 1, 2, {Completed, Compensated}),
        (1000, 2, 0, {Completed, Compensated}),
        (300, 2, 0, {Completed, Compensated}),
        (100, 2, 1, {Compensated}),
    ],
)
def test_it_holds_with_the_services_themselves(limit: int, orders: int, faults: int, ends: set[type]) -> None:
    """Our own services under the checker's wire: orders for one stock, with credit for two, for one or for none."""
    start = paper({PAYMENT: {"C001": Account(limit, 0)}, SHIPPING: {}})
    scenario = Scenario(
        CHECKOUT_OUTSIDE,
        given={INVENTORY: TWO_ORDERS_ONE_STOCK.given[INVENTORY]},
        requests=TWO_ORDERS_ONE_STOCK.requests[:orders],
        models={
            service: adapter(OnPaper, start, standing, settles_within_s=SETTLES_MS / 1000)
            for service in (PAYMENT, SHIPPING)
        },
        ids=TWO_ORDERS_ONE_STOCK.ids[:orders],
    )
    found = explore(scenario, faults=faults, read_back=RoundTrip)
    assert found.held
    stage = found.moves.layout
    seen = {type(run.state) for run in map(stage.runs.__getitem__, range(len(stage.runs)))}
    assert seen & {Completed, Compensated} == ends


@pytest.mark.parametrize("failing", FAILING_OUTSIDE_AT, ids=SERVICES)
def test_it_holds_with_an_injected_failure(failing: Any) -> None:
    """Wherever it stands."""
    assert check(replace(ONE_ORDER_OUTSIDE, saga=failing), faults=1).states > 2
