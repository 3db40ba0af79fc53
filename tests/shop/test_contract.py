"""docs/contract.md, sentence by sentence, for the package and for its build in one file.

Each test quotes or names the section that it holds. Expected values are written out here, by hand; random
batches are compared with another reading of the contract in test_differential.py.
"""

from __future__ import annotations

import collections
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.shop import batches
from tests.shop.batches import Door, Report, places, text_of

EXAMPLES = Path(__file__).parents[2] / "examples"

CUSTOMER = ("CREATE_CUSTOMER", "C001", 1000)
PRODUCT = ("ADD_PRODUCT", "P001", 10, 150)
OPENING = [CUSTOMER, PRODUCT]
EMPTY: Report = {"customers": {}, "products": {}, "orders": {}, "saga_log": []}

EVENTS = ["ORDER_CREATED", "PAYMENT_PROCESSED", "INVENTORY_RESERVED", "ORDER_SHIPPED"]
SERVICES = ["ORDER", "PAYMENT", "INVENTORY", "SHIPPING"]
COMPENSATIONS = ["ORDER_CANCELED", "PAYMENT_REFUNDED", "INVENTORY_RELEASED"]


def order(quantity: Any, customer_id: Any = "C001", product_id: Any = "P001") -> tuple[Any, ...]:
    """Return the operation that places an order."""
    return ("PLACE_ORDER", customer_id, product_id, quantity)


def inject(service: Any, order_id: Any = "O001") -> tuple[Any, ...]:
    """Return the operation that injects a failure."""
    return ("INJECT_FAILURE", service, order_id)


def customer_row(credit_limit: int, credit_used: int = 0) -> Report:
    """Return a customer as the report shows it."""
    return {"credit_limit": credit_limit, "credit_used": credit_used, "status": "ACTIVE"}


def product_row(stock: int, price: int) -> Report:
    """Return a product as the report shows it when no order is under way."""
    return {"stock": stock, "reserved": 0, "price": price, "status": "AVAILABLE"}


def log_of(order_id: str, completed: int, *, fails: bool = True) -> list[Report]:
    """Return the log of an order that completed so many steps, and then failed or was done."""
    steps = list(zip(EVENTS, SERVICES, strict=True))
    undos = list(zip(COMPENSATIONS, SERVICES, strict=False))
    lines = [(event, service, True, False) for event, service in steps[:completed]]
    if fails:
        lines.append((*steps[completed], False, False))
        lines += [(event, service, True, True) for event, service in reversed(undos[:completed])]
    keys = ("order_id", "event", "service", "success", "compensation")
    return [dict(zip(keys, (order_id, *line), strict=True)) for line in lines]


def order_row(quantity: int, price: int, completed: int, customer_id: str = "C001") -> Report:
    """Return an order of P001 as the report shows it: shipped after four completed steps, else canceled."""
    return {
        "customer_id": customer_id,
        "product_id": "P001",
        "quantity": quantity,
        "total_amount": quantity * price,
        "status": "SHIPPED" if completed == 4 else "CANCELED",
        "events_completed": EVENTS[:completed],
        "compensation_events": [] if completed == 4 else COMPENSATIONS[:completed][::-1],
    }


@pytest.fixture(params=["package", "single-file"])
def door(request: pytest.FixtureRequest) -> Door:
    """Return the function and the session, once of the package and once of its build in one file."""
    if request.param == "package":
        return batches.package_door()
    return batches.single_file_door(request.getfixturevalue("single_file_path"))


@pytest.fixture(params=["package", "single-file", "store", pytest.param("spread", marks=pytest.mark.torture)])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Door]:
    """Return the same for what is about sessions, and also those on a store in a file and on services apart."""
    if request.param == "store":
        with ExitStack() as opened:
            yield batches.store_door(tmp_path, opened)
    elif request.param == "spread":
        with ExitStack() as opened:
            yield batches.spread_door(opened)
    elif request.param == "package":
        yield batches.package_door()
    else:
        yield batches.single_file_door(request.getfixturevalue("single_file_path"))


@pytest.fixture
def processor(door: Door) -> Callable[[object], Report]:
    """Return the function."""
    return door.processor


# --- the examples ---------------------------------------------------------------------------------


def test_examples_as_one_session(anywhere: Door) -> None:
    """A session: after example 1, example 2 gives exactly what it says, O002 and order of keys too."""
    session = anywhere.session()
    for name in ("example-1.json", "example-2.json"):
        example = json.loads((EXAMPLES / name).read_text(encoding="utf-8"))
        assert text_of(session.process(example["operations"])) == text_of(example["report"]), name
        assert (session.refusals, session.notes) == ((), ())


def test_example_1_alone(processor: Callable[[object], Report]) -> None:
    """The function gives the report of example 1."""
    example = json.loads((EXAMPLES / "example-1.json").read_text(encoding="utf-8"))
    assert text_of(processor(example["operations"])) == text_of(example["report"])


def test_example_2_alone(anywhere: Door) -> None:
    """A session: example 2 on its own numbers its order O001; the injection matches nothing, it is short."""
    example = json.loads((EXAMPLES / "example-2.json").read_text(encoding="utf-8"))
    renumbered = json.loads(json.dumps(example["report"]).replace("O002", "O001"))
    assert text_of(anywhere.processor(example["operations"])) == text_of(renumbered)
    session = anywhere.session()
    session.process(example["operations"])
    assert places(session.notes) == [(3, "INJECT_FAILURE"), (5, "QUERY_ORDER")]


# --- operations: how they are read ----------------------------------------------------------------


class OldSequence:
    """Iterable by `__getitem__` alone."""

    def __init__(self, entries: list[Any]) -> None:
        self._entries = entries

    def __getitem__(self, index: int) -> object:
        return self._entries[index]


ITERABLES: dict[str, Callable[[list[Any]], object]] = {
    "list": list,
    "tuple": tuple,
    "generator": lambda entries: (entry for entry in entries),
    "iterator": iter,
    "map": lambda entries: map(tuple, entries),
    "deque": collections.deque,
    "dict": dict.fromkeys,
    "dict-values": lambda entries: dict(enumerate(entries)).values(),
    "list-subclass": batches.PlainList,
    "getitem": OldSequence,
}


@pytest.mark.parametrize("kind", ITERABLES)
def test_any_iterable(processor: Callable[[object], Report], kind: str) -> None:
    """Operations: "Any iterable of tuples or lists"."""
    operations = [CUSTOMER, PRODUCT, order(2)]
    report = processor(ITERABLES[kind](operations))
    assert report["orders"] == {"O001": order_row(2, 150, 4)}


def test_tuples_and_lists_are_the_same(processor: Callable[[object], Report]) -> None:
    """Operations: tuples or lists, since "JSON has no tuples"."""
    operations = [CUSTOMER, PRODUCT, order(11), inject("SHIPPING", "O002"), order(1), order(1)]
    assert processor([list(entry) for entry in operations]) == processor(operations)


class Reads:
    """Counts how often it is asked for an iterator, and whether anybody asks on after the end."""

    def __init__(self, entries: list[Any]) -> None:
        self.entries = iter(entries)
        self.iterators = 0
        self.ends = 0

    def __iter__(self) -> Iterator[object]:
        self.iterators += 1
        return self

    def __next__(self) -> object:
        for entry in self.entries:
            return entry
        self.ends += 1
        raise StopIteration


def test_read_once(processor: Callable[[object], Report]) -> None:
    """Operations: "It is read once, to its end"."""
    reads = Reads([CUSTOMER, PRODUCT, order(1), inject("ORDER", "O002"), order(1)])
    assert list(processor(reads)["orders"]) == ["O001", "O002"]
    assert (reads.iterators, reads.ends) == (1, 1)


def test_read_to_the_end_before_the_first_operation(anywhere: Door) -> None:
    """Operations: nothing is carried out "before the first operation", so a late error leaves nothing."""
    session = anywhere.session()

    def operations() -> Iterator[object]:
        yield from OPENING
        yield order(1)
        raise ValueError

    assert text_of(session.process(operations())) == text_of(EMPTY)
    queries = [("QUERY_CUSTOMER", "C001"), ("QUERY_PRODUCT", "P001"), ("QUERY_ORDER", "O001")]
    assert text_of(session.process(queries)) == text_of(EMPTY)
    assert text_of(session.process([*OPENING, order(1)])["orders"]) == text_of({"O001": order_row(1, 150, 4)})


class Unspeakable(Exception):
    """An exception that raises again when somebody asks for its text."""

    def __str__(self) -> str:
        raise self

    __repr__ = __str__


class Broken:
    """An iterable that raises where it is told to."""

    def __init__(self, place: str, error: Exception) -> None:
        self._place, self._error = place, error

    def __iter__(self) -> Iterator[object]:
        if self._place == "iter":
            raise self._error
        return self

    def __next__(self) -> object:
        raise self._error


class NoIterator:
    """What promises an iterator and gives something else."""

    def __iter__(self) -> int:
        return 5


class Disowned(list[Any]):
    """A list that says that it is not iterable."""

    __iter__ = None  # type: ignore[assignment]


def raises_at_the_end() -> Iterator[object]:
    """Give a whole good batch, and then fail."""
    yield from OPENING
    yield order(1)
    raise KeyError


UNREADABLE: dict[str, Callable[[], object]] = {
    "None": lambda: None,
    "int": lambda: 5,
    "bool": lambda: True,
    "float": lambda: float("nan"),
    "object": object,
    "function": lambda: len,
    "class": lambda: list,
    "iter-raises": lambda: Broken("iter", ValueError("no")),
    "next-raises": lambda: Broken("next", RuntimeError("no")),
    "next-raises-recursion": lambda: Broken("next", RecursionError("no")),
    "next-raises-memory": lambda: Broken("next", MemoryError()),
    "next-raises-unspeakable": lambda: Broken("next", Unspeakable()),
    "raises-at-the-end": raises_at_the_end,
    "no-iterator": NoIterator,
    "disowned": lambda: Disowned([CUSTOMER]),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_unreadable_is_an_empty_list(processor: Callable[[object], Report], kind: str) -> None:
    """Operations: "what is not iterable, or raises ... while it is read, counts as an empty list"."""
    assert text_of(processor(UNREADABLE[kind]())) == text_of(EMPTY)


@pytest.mark.parametrize("kind", UNREADABLE)
def test_unreadable_is_said_by_a_session(anywhere: Door, kind: str) -> None:
    """Operations: "every door but the function says so", as one refusal that has no place in the list."""
    session = anywhere.session()
    session.process([("NONSENSE",), ("QUERY_ORDER", "O001")])
    assert text_of(session.process(UNREADABLE[kind]())) == text_of(EMPTY)
    assert places(session.refusals) == [(-1, "")]
    assert session.notes == ()
    assert session.refusals[0].rule.strip()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_only_an_exception_is_swallowed(anywhere: Door, kind: type[BaseException]) -> None:
    """Operations: "an `Exception`"; what is none, such as Ctrl-C, is not the batch's to swallow."""

    def operations() -> Iterator[object]:
        yield CUSTOMER
        raise kind

    with pytest.raises(kind):
        anywhere.processor(operations())
    session = anywhere.session()
    with pytest.raises(kind):
        session.process(operations())
    assert text_of(session.process([("QUERY_CUSTOMER", "C001")])) == text_of(EMPTY)


@pytest.mark.parametrize("operations", [[], (), "", b"", {}, set(), iter(())])
def test_nothing_to_do(anywhere: Door, operations: object) -> None:
    """Operations: an empty iterable is a batch, and nothing to complain about."""
    assert text_of(anywhere.processor(operations)) == text_of(EMPTY)
    session = anywhere.session()
    session.process(operations)
    assert (session.refusals, session.notes) == ((), ())


@pytest.mark.parametrize("operations", ["CREATE_CUSTOMER", b"PLACE", {"PLACE_ORDER": 1}, range(3), [[]], [()]])
def test_iterable_of_no_operations(anywhere: Door, operations: Any) -> None:
    """Refused: "an entry that is no tuple or list", one refusal for each."""
    assert text_of(anywhere.processor(operations)) == text_of(EMPTY)
    session = anywhere.session()
    session.process(operations)
    assert places(session.refusals) == [(index, "") for index in range(len(operations))]


# --- operations: what is accepted -----------------------------------------------------------------

HUGE = 10**30


def anything(*values: Any) -> tuple[Any, ...]:
    """Return values that have no type in common."""
    return values


ACCEPTED = [
    ("CREATE_CUSTOMER", "C2", 1),
    ("CREATE_CUSTOMER", "C2", 2),
    ("CREATE_CUSTOMER", "C2", 999_999),
    ("CREATE_CUSTOMER", "C2", 1_000_000),
    ("ADD_PRODUCT", "P2", 0, 1),
    ("ADD_PRODUCT", "P2", 1, 2),
    ("ADD_PRODUCT", "P2", 9_999, 999_999),
    ("ADD_PRODUCT", "P2", 10_000, 1_000_000),
    order(0),
    order(1),
    order(999),
    order(1000),
    *[inject(service) for service in SERVICES],
    *[inject("ORDER", text) for text in ("", "O001", "o001", "\ud800", "\x00", "O" * 1000, "\U0001f600")],
    ("QUERY_CUSTOMER", "C001"),
    ("QUERY_PRODUCT", "P001"),
    ("QUERY_ORDER", "O001"),
    ("QUERY_CUSTOMER", "nobody"),
    ("QUERY_PRODUCT", "nothing"),
    ("QUERY_ORDER", "never"),
    ("QUERY_ORDER", "C001"),
]

REFUSED: list[Any] = [
    # limit: int, 1 to 1 000 000
    *[("CREATE_CUSTOMER", "C2", limit) for limit in anything(0, -1, 1_000_001, HUGE, -HUGE, 10**5000)],
    *[("CREATE_CUSTOMER", "C2", limit) for limit in anything(True, 1.0, 1000.0, "1000", None, [], (5,), {}, 5j)],
    *[("CREATE_CUSTOMER", "C2", limit) for limit in anything(batches.PlainInt(5), batches.Level.TEN)],
    # stock: int, 0 to 10 000; price: int, 1 to 1 000 000
    *[("ADD_PRODUCT", "P2", stock, 5) for stock in anything(-1, 10_001, HUGE, False, True, 0.0, "1", None, [])],
    *[("ADD_PRODUCT", "P2", 5, price) for price in anything(0, -1, 1_000_001, HUGE, True, 1.0, "1", None, [])],
    ("ADD_PRODUCT", "P2", batches.PlainInt(5), 5),
    ("ADD_PRODUCT", "P2", 5, batches.PlainInt(5)),
    # customer and product exist by now; quantity: int, 0 to 1000
    *[order(quantity) for quantity in anything(-1, 1001, HUGE, -HUGE, False, True, 0.0, 1.0, "1", None, [], ())],
    order(batches.PlainInt(1)),
    order(batches.Level.ONE),
    order(1, customer_id="C002"),
    order(1, product_id="P002"),
    order(1, customer_id="P001"),
    order(1, product_id="C001"),
    order(0, customer_id="C002"),
    order(1, customer_id="c001"),
    order(1, customer_id=""),
    *[order(1, customer_id=value) for value in anything(None, 1, True, [], {}, ["C001"], ("C001",), b"C001", 1.5)],
    *[order(1, product_id=value) for value in anything(None, 1, True, [], {}, ["P001"], ("P001",), b"P001", 1.5)],
    order(1, customer_id=batches.PlainStr("C001")),
    order(1, product_id=batches.PlainStr("P001")),
    # service: ORDER, PAYMENT, INVENTORY or SHIPPING; order_id: any string
    *[inject(service) for service in anything("order", "Payment", " ORDER", "ORDER_CREATED", "BILLING", "", "ORDER\n")],
    *[inject(service) for service in anything(None, 1, True, [], {}, ("ORDER",), b"ORDER", batches.PlainStr("ORDER"))],
    *[inject("ORDER", value) for value in anything(None, 1, True, [], {}, b"O001", batches.PlainStr("O001"))],
    # id valid, also for a query
    *[
        (name, value)
        for name in anything("QUERY_CUSTOMER", "QUERY_PRODUCT", "QUERY_ORDER")
        for value in anything("", "123456789", "\n", "\ud800", None, 1, True, [], {}, batches.PlainStr("C001"))
    ],
    # the wrong number of arguments
    ("CREATE_CUSTOMER",),
    ("CREATE_CUSTOMER", "C2"),
    ("CREATE_CUSTOMER", "C2", 5, 5),
    ("CREATE_CUSTOMER", "C2", 5, None),
    ("ADD_PRODUCT",),
    ("ADD_PRODUCT", "P2"),
    ("ADD_PRODUCT", "P2", 5),
    ("ADD_PRODUCT", "P2", 5, 5, 5),
    ("PLACE_ORDER",),
    ("PLACE_ORDER", "C001", "P001"),
    ("PLACE_ORDER", "C001", "P001", 1, 1),
    ("PLACE_ORDER", ("C001", "P001", 1)),
    ("INJECT_FAILURE",),
    ("INJECT_FAILURE", "ORDER"),
    ("INJECT_FAILURE", "ORDER", "O001", "O002"),
    *[(name, *rest) for name in batches.OPERATIONS[4:] for rest in ((), ("C001", "C001"))],
    # an unknown operation; operation names are case-sensitive
    *[
        (name, "C001", 5)
        for name in anything("create_customer", "Create_Customer", "CREATE_CUSTOMER ", "CREATE CUSTOMER")
    ],
    *[(name, "C001", 5) for name in anything("", "DELETE_CUSTOMER", "\ud800", "C" * 10_000)],
    ("place_order", "C001", "P001", 1),
    *[(name, "C001", 5) for name in anything(None, 1, True, [], {}, b"CREATE_CUSTOMER", ("CREATE_CUSTOMER",))],
    (batches.PlainStr("CREATE_CUSTOMER"), "C2", 5),
    (batches.PlainStr("PLACE_ORDER"), "C001", "P001", 1),
    (batches.PlainStr("INJECT_FAILURE"), "ORDER", "O001"),
    # an entry that is no tuple or list
    *[
        None,
        True,
        5,
        1.5,
        "PLACE_ORDER",
        b"PLACE_ORDER",
        {},
        {"PLACE_ORDER": 1},
        {"PLACE_ORDER"},
        object(),
        len,
    ],
    batches.PlainTuple(("CREATE_CUSTOMER", "C2", 5)),
    batches.PlainList(["CREATE_CUSTOMER", "C2", 5]),
    batches.Named("CREATE_CUSTOMER", "C2", 5),
    (),
    [],
    [[]],
    [CUSTOMER],
    [["CREATE_CUSTOMER", "C2", 5]],
]


def name_of(entry: object) -> str:
    """Return the operation that a refusal must name: the first part of a tuple or list, if it is a string."""
    if type(entry) in (tuple, list) and entry and type(entry[0]) is str:  # type: ignore[index]
        return str(entry[0])  # type: ignore[index]
    return ""


def row_id(value: object) -> str:
    """Return a short, printable name for a row of a table, the same in every run."""
    try:
        return re.sub(" at 0x[0-9a-f]+", "", ascii(value))[:60]
    except ValueError:  # an int of more digits than Python will print
        return "unprintable"


@pytest.mark.parametrize("entry", ACCEPTED, ids=row_id)
def test_accepted(anywhere: Door, entry: tuple[Any, ...]) -> None:
    """Operations: the values at and within the bounds of the table are accepted."""
    session = anywhere.session()
    session.process([*OPENING, entry])
    assert session.refusals == ()


@pytest.mark.parametrize("entry", REFUSED, ids=row_id)
def test_refused(door: Door, entry: object) -> None:
    """Refused: "Anything not accepted is left out without a trace in the report, and nothing is raised"."""
    operations = [*OPENING, order(1)]
    expected = text_of(door.processor(operations))
    assert text_of(door.processor([*OPENING, entry, order(1)])) == expected
    session = door.session()
    assert text_of(session.process([*OPENING, entry, order(1)])) == expected
    assert [(refusal.index, refusal.operation) for refusal in session.refusals] == [(2, name_of(entry))]
    assert session.notes == ()


def test_refused_in_one_batch(anywhere: Door) -> None:
    """All of them at once, also on a store: the report is the one without them."""
    session = anywhere.session()
    report = session.process([*OPENING, *REFUSED, order(1)])
    assert text_of(report) == text_of(anywhere.session().process([*OPENING, order(1)]))
    named = [(refusal.index, refusal.operation) for refusal in session.refusals]
    assert named == [(number, name_of(entry)) for number, entry in enumerate(REFUSED, start=2)]
    assert session.notes == ()


def test_a_refused_operation_in_no_shop_at_all(anywhere: Door) -> None:
    """Refused: all the refused entries at once, with nothing else in the batch, leave an empty report."""
    assert text_of(anywhere.processor(REFUSED)) == text_of(EMPTY)
    session = anywhere.session()
    session.process(REFUSED)
    assert [refusal.index for refusal in session.refusals if refusal.operation != "INJECT_FAILURE"] == [
        index for index, entry in enumerate(REFUSED) if name_of(entry) != "INJECT_FAILURE"
    ]


VALID_IDS = [
    "C",
    "12345678",
    " ",
    "        ",
    "\u00e9",
    "e\u0301",
    "\u6f22\u5b57",
    "\U0001f600" * 8,
    "'\"\\",
    "a,b;c",
]
INVALID_IDS: list[Any] = [
    "",
    "123456789",
    "\U0001f600" * 9,
    "e\u0301" * 5,
    "\n",
    "a\tb",
    "\x00",
    "\x7f",
    "\x9f",
    "\u00a0",
    "\u200b",
    "\u200d",
    "\u2028",
    "\ue000",
    "\ud800",
    "\udc80",
    "a\udfff",
    None,
    1,
    True,
    1.5,
    b"C001",
    [],
    ["C"],
    ("C",),
    {},
    frozenset(),
    batches.PlainStr("C"),
]


@pytest.mark.parametrize("valid", VALID_IDS, ids=row_id)
def test_valid_id(processor: Callable[[object], Report], valid: str) -> None:
    """Operations: "A valid id is a string of 1 to 8 code points that is printable"."""
    operations = [
        ("CREATE_CUSTOMER", valid, 1000),
        ("ADD_PRODUCT", valid, 5, 100),
        order(2, valid, valid),
    ]
    report = processor(operations)
    assert report["customers"] == {valid: customer_row(1000, 200)}
    assert report["products"] == {valid: product_row(3, 100)}
    assert report["orders"]["O001"]["customer_id"] == report["orders"]["O001"]["product_id"] == valid


@pytest.mark.parametrize("invalid", INVALID_IDS, ids=row_id)
def test_invalid_id(anywhere: Door, invalid: object) -> None:
    """Operations: no empty or long ids, control characters, lone surrogates, or other types."""
    operations = [
        ("CREATE_CUSTOMER", invalid, 1000),
        ("ADD_PRODUCT", invalid, 5, 100),
        ("QUERY_CUSTOMER", invalid),
        ("QUERY_ORDER", invalid),
        ("QUERY_PRODUCT", invalid),
        order(2, invalid, invalid),
    ]
    assert text_of(anywhere.processor(operations)) == text_of(EMPTY)
    session = anywhere.session()
    session.process(operations)
    assert [refusal.index for refusal in session.refusals] == list(range(len(operations)))
    assert session.notes == ()


def test_equal_is_not_the_same_id(processor: Callable[[object], Report]) -> None:
    """Operations: an id is its code points, neither normalized nor stripped nor folded."""
    ids = ["\u00e9", "e\u0301", "E", "e", "e ", " e"]
    report = processor([("CREATE_CUSTOMER", each, number + 1) for number, each in enumerate(ids)])
    assert {key: row["credit_limit"] for key, row in report["customers"].items()} == {
        each: number + 1 for number, each in enumerate(ids)
    }


def test_ids_of_different_kinds_do_not_meet(processor: Callable[[object], Report]) -> None:
    """Operations: a customer, a product and an order may have the same id."""
    report = processor([("CREATE_CUSTOMER", "O001", 1000), ("ADD_PRODUCT", "O001", 5, 100), order(2, "O001", "O001")])
    assert text_of(report["customers"]) == text_of({"O001": customer_row(1000, 200)})
    assert text_of(report["products"]) == text_of({"O001": product_row(3, 100)})
    assert list(report["orders"]) == ["O001"]


MAKERS: list[Callable[[], object]] = [
    batches.TrappedObject,
    lambda: batches.TrappedInt(5),
    lambda: batches.TrappedStr("C001"),
    lambda: batches.TrappedList(["C001"]),
    lambda: batches.TrappedTuple(("C001",)),
    lambda: batches.Impostor(int),
    lambda: batches.Impostor(str),
]


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("operation", [CUSTOMER, PRODUCT, order(1), inject("ORDER"), ("QUERY_ORDER", "O001")])
def test_no_code_of_the_caller_runs(anywhere: Door, operation: tuple[Any, ...], maker: Callable[[], object]) -> None:
    """Operations: "once the list is read, no code of the caller's runs", whatever stands in which place."""
    entries: list[object] = []
    for place in range(len(operation)):
        entry = list(operation)
        entry[place] = maker()
        entries += [entry, tuple(entry), maker()]
    batches.TOUCHED.clear()
    report = anywhere.processor([*OPENING, *entries])
    session = anywhere.session()
    session.process([*OPENING, *entries])
    assert batches.TOUCHED == []
    assert report["orders"] == {}
    assert [refusal.index for refusal in session.refusals] == [*range(2, 2 + len(entries))]


@pytest.mark.parametrize("make", [batches.TrappedList, batches.TrappedTuple])
def test_no_code_of_a_subclassed_entry_runs(processor: Callable[[object], Report], make: Callable[..., object]) -> None:
    """Operations: an entry whose class is the caller's own is refused unread."""
    batches.TOUCHED.clear()
    assert text_of(processor([make(CUSTOMER), make(PRODUCT)])) == text_of(EMPTY)
    assert batches.TOUCHED == []


# --- operations: the count limits -----------------------------------------------------------------


def customers(count: int, first: int = 0) -> list[tuple[Any, ...]]:
    """Return operations that create so many customers."""
    return [("CREATE_CUSTOMER", f"C{number}", 1_000_000) for number in range(first, first + count)]


def products(count: int, first: int = 0) -> list[tuple[Any, ...]]:
    """Return operations that add so many products."""
    return [("ADD_PRODUCT", f"P{number}", 10_000, 1) for number in range(first, first + count)]


COUNTED: list[tuple[str, list[tuple[Any, ...]], int]] = [
    ("customers", customers(21), 20),
    ("products", products(51), 50),
    ("orders", [*OPENING, *[order(0)] * 101], 100),
]


@pytest.mark.parametrize(("kind", "operations", "most"), COUNTED, ids=["customers", "products", "orders"])
def test_count_limits(anywhere: Door, kind: str, operations: list[tuple[Any, ...]], most: int) -> None:
    """Operations: "At most 20 customers, 50 products and 100 orders in one call of the function"."""
    assert len(anywhere.processor(operations[:-1])[kind]) == most
    assert text_of(anywhere.processor(operations)) == text_of(anywhere.processor(operations[:-1]))
    session = anywhere.session(limits=True)
    assert text_of(session.process(operations)) == text_of(anywhere.processor(operations))
    assert places(session.refusals) == [(len(operations) - 1, operations[-1][0])]


@pytest.mark.parametrize(("kind", "operations", "most"), COUNTED, ids=["customers", "products", "orders"])
def test_no_count_limits_in_a_session(anywhere: Door, kind: str, operations: list[tuple[Any, ...]], most: int) -> None:
    """Operations: "a `Session()` ... run[s] without them"."""
    session = anywhere.session()
    assert len(session.process(operations)[kind]) == most + 1
    assert session.refusals == ()
    assert len(anywhere.session(limits=False).process(operations)[kind]) == most + 1


@pytest.mark.parametrize(("kind", "operations", "most"), COUNTED, ids=["customers", "products", "orders"])
def test_count_limits_are_for_each_batch(
    anywhere: Door, kind: str, operations: list[tuple[Any, ...]], most: int
) -> None:
    """Operations: the limits hold for what "a batch newly creates", so the next batch has them again."""
    session = anywhere.session(limits=True)
    session.process(operations)
    again = [order(0)] * 101 if kind == "orders" else customers(21, 100) if kind == "customers" else products(51, 100)
    assert len(session.process(again)[kind]) == most
    assert places(session.refusals) == [(most, again[-1][0])]


def test_what_is_refused_does_not_count(processor: Callable[[object], Report]) -> None:
    """Operations: "what is refused does not" count."""
    bad_customers = [("CREATE_CUSTOMER", f"B{number}", 0) for number in range(30)]
    bad_products = [("ADD_PRODUCT", f"B{number}", 5, 0) for number in range(60)]
    bad_orders = [order(-1, "C0", "P0"), order(1, "nobody", "P0"), order(1, "C0", "nothing")] * 40
    operations = [*bad_customers, *customers(20), *bad_products, *products(50), *bad_orders]
    report = processor([*operations, *[order(0, "C0", "P0")] * 100])
    assert [len(report[kind]) for kind in ("customers", "products", "orders")] == [20, 50, 100]


def test_canceled_orders_count(processor: Callable[[object], Report]) -> None:
    """Operations: "the orders that it places" count, also those that fail."""
    operations = [*OPENING, *[order(11)] * 100, order(1)]
    report = processor([*operations, *[inject("ORDER", f"O{number:03d}") for number in range(1, 51)]])
    assert list(report["orders"]) == [f"O{number:03d}" for number in range(1, 101)]
    assert report["products"]["P001"]["stock"] == 10


def test_changing_an_existing_id_is_always_allowed(anywhere: Door) -> None:
    """Operations: "changing an existing id is always allowed", after the limit too, and does not count."""
    changes: list[tuple[Any, ...]] = [("CREATE_CUSTOMER", "C0", 5), ("ADD_PRODUCT", "P0", 7, 9)]
    operations = [*customers(10), *changes[:1] * 15, *customers(10, 10), *products(50), *changes]
    report = anywhere.processor(operations)
    assert len(report["customers"]) == 20
    assert report["customers"]["C0"] == customer_row(5)
    assert report["products"]["P0"] == product_row(7, 9)
    session = anywhere.session(limits=True)
    session.process([("CREATE_CUSTOMER", "old", 5)])
    later = session.process([*customers(20), ("CREATE_CUSTOMER", "old", 6), ("CREATE_CUSTOMER", "new", 6)])
    assert later["customers"]["old"] == customer_row(6)
    assert places(session.refusals) == [(21, "CREATE_CUSTOMER")]


def test_an_order_beyond_the_limit_matches_no_injection(anywhere: Door) -> None:
    """Operations, Refused: what exceeds the limits takes no id, and its injection matches nothing."""
    session = anywhere.session(limits=True)
    session.process([*OPENING, *[order(0)] * 101, inject("ORDER", "O101")])
    assert places(session.refusals) == [(102, "PLACE_ORDER")]
    assert places(session.notes) == [(103, "INJECT_FAILURE")]
    assert list(session.process([order(1)])["orders"]) == ["O101"]


# --- the report -----------------------------------------------------------------------------------


def test_keys_and_their_order(processor: Callable[[object], Report]) -> None:
    """Report: "Exactly these keys in this order"."""
    report = processor([*OPENING, order(2), order(11)])
    assert list(report) == ["customers", "products", "orders", "saga_log"]
    assert list(report["customers"]["C001"]) == ["credit_limit", "credit_used", "status"]
    assert list(report["products"]["P001"]) == ["stock", "reserved", "price", "status"]
    for row in report["orders"].values():
        assert list(row) == [
            "customer_id",
            "product_id",
            "quantity",
            "total_amount",
            "status",
            "events_completed",
            "compensation_events",
        ]
    for line in report["saga_log"]:
        assert list(line) == ["order_id", "event", "service", "success", "compensation"]


def test_statuses_of_what_exists(processor: Callable[[object], Report]) -> None:
    """Report: a customer is `ACTIVE` and a product `AVAILABLE`, also with no credit and no stock left."""
    report = processor([("CREATE_CUSTOMER", "C001", 1), ("ADD_PRODUCT", "P001", 0, 1)])
    assert report["customers"] == {"C001": customer_row(1)}
    assert report["products"] == {"P001": product_row(0, 1)}


def test_the_state_at_the_end_of_the_batch(processor: Callable[[object], Report]) -> None:
    """Report: "the state at the end of the batch", not that of a query in its middle."""
    report = processor([*OPENING, ("QUERY_CUSTOMER", "C001"), ("QUERY_PRODUCT", "P001"), order(2)])
    assert report["customers"]["C001"] == customer_row(1000, 300)
    assert report["products"]["P001"] == product_row(8, 150)


def test_a_report_shares_nothing_with_the_next(anywhere: Door) -> None:
    """Report: "sharing nothing": a session's earlier report is not changed by what comes after it."""
    session = anywhere.session()
    first = session.process([*OPENING, order(2), order(11)])
    before = text_of(first)
    second = session.process([order(1), ("QUERY_ORDER", "O001"), ("QUERY_ORDER", "O002")])
    assert text_of(first) == before
    for report in (first, second):
        for row in report["orders"].values():
            row["events_completed"].append("MINE")
            row["compensation_events"].append("MINE")
        report["customers"]["C001"]["credit_used"] = -1
        report["saga_log"].clear()
    third = session.process([("QUERY_ORDER", "O001"), ("QUERY_CUSTOMER", "C001")])
    assert third["orders"] == {"O001": order_row(2, 150, 4)}
    assert third["customers"] == {"C001": customer_row(1000, 450)}


# --- the order saga -------------------------------------------------------------------------------

OUTCOMES: list[tuple[str, list[Any], int]] = [
    ("ships", [order(2)], 4),
    ("takes the last of the stock", [("CREATE_CUSTOMER", "C001", 1500), order(10)], 4),
    ("takes the last of the credit", [("ADD_PRODUCT", "P001", 10, 500), order(2)], 4),
    ("lacks the credit by one", [("CREATE_CUSTOMER", "C001", 299), order(2)], 1),
    ("lacks the stock by one", [("CREATE_CUSTOMER", "C001", 1_000_000), order(11)], 2),
    ("lacks the stock and the credit", [order(11)], 2),
    ("lacks all stock", [("ADD_PRODUCT", "P001", 0, 1), order(1)], 2),
    ("injected at ORDER", [order(2), inject("ORDER")], 0),
    ("injected at PAYMENT", [order(2), inject("PAYMENT")], 1),
    ("injected at INVENTORY", [order(2), inject("INVENTORY")], 2),
    ("injected at SHIPPING", [order(2), inject("SHIPPING")], 3),
    ("short, injected at ORDER", [order(11), inject("ORDER")], 0),
    ("short, injected at PAYMENT", [order(11), inject("PAYMENT")], 1),
    ("short, injected at INVENTORY", [order(11), inject("INVENTORY")], 2),
    ("short, injected at SHIPPING", [order(11), inject("SHIPPING")], 2),
    ("lacks the credit, injected at ORDER", [order(7), inject("ORDER")], 0),
    ("lacks the credit, injected at PAYMENT", [order(7), inject("PAYMENT")], 1),
    ("lacks the credit, injected at INVENTORY", [order(7), inject("INVENTORY")], 1),
    ("lacks the credit, injected at SHIPPING", [order(7), inject("SHIPPING")], 1),
    ("nothing ordered", [order(0)], 4),
    ("nothing ordered of nothing", [("ADD_PRODUCT", "P001", 0, 150), order(0)], 4),
    *[(f"nothing ordered, injected at {service}", [order(0), inject(service)], 4) for service in SERVICES],
    ("nothing ordered, injected everywhere", [order(0), *map(inject, SERVICES)], 4),
]


@pytest.mark.parametrize(("operations", "completed"), [row[1:] for row in OUTCOMES], ids=[row[0] for row in OUTCOMES])
def test_outcome_of_an_order(processor: Callable[[object], Report], operations: list[Any], completed: int) -> None:
    """The order saga: which step fails, what was completed, what is compensated, and what the log says."""
    report = processor([*OPENING, *operations])
    entry = next(each for each in operations if each[0] == "PLACE_ORDER")
    before = processor([*OPENING, *[each for each in operations if each[0] != "PLACE_ORDER"]])
    price = before["products"]["P001"]["price"]
    quantity = entry[3]
    assert text_of(report["orders"]) == text_of({"O001": order_row(quantity, price, completed)})
    assert json.dumps(report["saga_log"]) == json.dumps(log_of("O001", completed, fails=completed < 4))
    shipped = quantity if completed == 4 else 0
    customer, product = before["customers"]["C001"], before["products"]["P001"]
    assert report["customers"]["C001"] == customer_row(customer["credit_limit"], shipped * price)
    assert report["products"]["P001"] == product_row(product["stock"] - shipped, price)


def test_compensations_are_spelled_out(processor: Callable[[object], Report]) -> None:
    """The order saga: "a failure at SHIPPING gives INVENTORY_RELEASED, PAYMENT_REFUNDED, ORDER_CANCELED"."""
    report = processor([*OPENING, order(2), inject("SHIPPING")])
    assert report["orders"]["O001"]["events_completed"] == [
        "ORDER_CREATED",
        "PAYMENT_PROCESSED",
        "INVENTORY_RESERVED",
    ]
    assert report["orders"]["O001"]["compensation_events"] == [
        "INVENTORY_RELEASED",
        "PAYMENT_REFUNDED",
        "ORDER_CANCELED",
    ]
    assert [tuple(line.values()) for line in report["saga_log"]] == [
        ("O001", "ORDER_CREATED", "ORDER", True, False),
        ("O001", "PAYMENT_PROCESSED", "PAYMENT", True, False),
        ("O001", "INVENTORY_RESERVED", "INVENTORY", True, False),
        ("O001", "ORDER_SHIPPED", "SHIPPING", False, False),
        ("O001", "INVENTORY_RELEASED", "INVENTORY", True, True),
        ("O001", "PAYMENT_REFUNDED", "PAYMENT", True, True),
        ("O001", "ORDER_CANCELED", "ORDER", True, True),
    ]


def test_a_failure_at_order_compensates_nothing(processor: Callable[[object], Report]) -> None:
    """The order saga: "a failure at ORDER compensates nothing, both lists are empty", yet it is reported."""
    report = processor([*OPENING, inject("ORDER"), order(2)])
    assert report["orders"] == {"O001": order_row(2, 150, 0)}
    assert [tuple(line.values()) for line in report["saga_log"]] == [("O001", "ORDER_CREATED", "ORDER", False, False)]


def test_the_log_holds_the_events_of_the_table_alone(processor: Callable[[object], Report]) -> None:
    """The order saga: `saga_log` "holds the events of the table and no others", no INVENTORY_SETTLED."""
    report = processor([*OPENING, order(2)])
    assert [line["event"] for line in report["saga_log"]] == EVENTS
    assert report["products"]["P001"]["reserved"] == 0


def test_the_price_is_the_one_when_placed(processor: Callable[[object], Report]) -> None:
    """The order saga: "total_amount = quantity x the price when the order is placed"."""
    report = processor([*OPENING, order(1), ("ADD_PRODUCT", "P001", 9, 200), order(1), ("ADD_PRODUCT", "P001", 8, 1)])
    assert [row["total_amount"] for row in report["orders"].values()] == [150, 200]
    assert report["customers"]["C001"] == customer_row(1000, 350)


def test_a_restock_after_the_order_does_not_help_it(processor: Callable[[object], Report]) -> None:
    """The order saga, Short: an order placed before the stock came in stays refused."""
    report = processor([*OPENING, order(11), ("ADD_PRODUCT", "P001", 20, 10), order(11)])
    assert [row["status"] for row in report["orders"].values()] == ["CANCELED", "SHIPPED"]


def test_a_doomed_order_may_exceed_the_credit_until_it_is_refunded(
    processor: Callable[[object], Report],
) -> None:
    """The order saga, Short: "5 x 200 with a limit of 800 and a stock of 3": processed and refunded."""
    report = processor([("CREATE_CUSTOMER", "C001", 800), ("ADD_PRODUCT", "P001", 3, 200), order(5), order(3)])
    assert report["orders"] == {"O001": order_row(5, 200, 2), "O002": order_row(3, 200, 4)}
    assert report["customers"]["C001"] == customer_row(800, 600)


def test_a_shipped_order_uses_credit_for_good(processor: Callable[[object], Report]) -> None:
    """The order saga: "A shipped order's credit stays used"."""
    report = processor([*OPENING, order(4), order(3), order(2)])
    assert [row["status"] for row in report["orders"].values()] == ["SHIPPED", "CANCELED", "SHIPPED"]
    assert report["customers"]["C001"] == customer_row(1000, 900)


def test_orders_run_one_after_the_other(processor: Callable[[object], Report]) -> None:
    """The order saga: "what one order's compensation gives back, the next order can have"."""
    report = processor(
        [CUSTOMER, ("ADD_PRODUCT", "P001", 5, 200), order(5), inject("SHIPPING", "O001"), order(5), order(1)]
    )
    assert [row["status"] for row in report["orders"].values()] == ["CANCELED", "SHIPPED", "CANCELED"]
    assert report["saga_log"] == log_of("O001", 3) + log_of("O002", 4, fails=False) + log_of("O003", 2)


def test_another_customer_pays_nothing(processor: Callable[[object], Report]) -> None:
    """The order saga: an order touches its own customer and product alone."""
    others = [("CREATE_CUSTOMER", "C002", 300), ("ADD_PRODUCT", "P002", 7, 70)]
    report = processor([*OPENING, *others, order(2), order(2, customer_id="C002"), order(1, customer_id="C002")])
    assert report["customers"] == {"C001": customer_row(1000, 300), "C002": customer_row(300, 300)}
    assert report["products"] == {"P001": product_row(6, 150), "P002": product_row(7, 70)}
    assert report["orders"]["O003"] == order_row(1, 150, 1, customer_id="C002")


# --- injected failures ----------------------------------------------------------------------------


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("place", range(5))
def test_an_injection_holds_wherever_it_stands(processor: Callable[[object], Report], service: str, place: int) -> None:
    """The order saga: "`INJECT_FAILURE` holds for its whole batch, wherever in the list it stands"."""
    operations: list[Any] = [*OPENING, order(1), order(2)]
    operations.insert(place, inject(service, "O002"))
    report = processor(operations)
    assert report["orders"] == {
        "O001": order_row(1, 150, 4),
        "O002": order_row(2, 150, SERVICES.index(service)),
    }


@pytest.mark.parametrize("first", SERVICES)
@pytest.mark.parametrize("second", SERVICES)
def test_the_earliest_step_counts(processor: Callable[[object], Report], first: str, second: str) -> None:
    """The order saga: "Of several for one order, the earliest step counts", in whatever order."""
    expected = min(SERVICES.index(first), SERVICES.index(second))
    for operations in (
        [inject(first), *OPENING, order(2), inject(second)],
        [*OPENING, inject(first), inject(second), order(2)],
        [*OPENING, order(2), inject(first), inject(second), inject(first)],
    ):
        assert processor(operations)["orders"] == {"O001": order_row(2, 150, expected)}


@pytest.mark.parametrize("order_id", ["O002", "O01", "O0001", "o001", "", "O001 ", "\ud800", "C001", "O000"])
def test_an_injection_for_another_order(anywhere: Door, order_id: str) -> None:
    """The order saga: one "that names an order the batch does not place ... is ignored silently"; a note."""
    operations = [*OPENING, order(2), inject("ORDER", order_id)]
    assert text_of(anywhere.processor(operations)) == text_of(anywhere.processor(operations[:-1]))
    session = anywhere.session()
    session.process(operations)
    assert session.refusals == ()
    assert places(session.notes) == [(3, "INJECT_FAILURE")]
    assert session.notes[0].value == order_id


def test_an_injection_does_not_outlive_its_batch(anywhere: Door) -> None:
    """The order saga: an injection holds for its batch, neither for an earlier one nor for a later one."""
    session = anywhere.session()
    session.process([*OPENING, order(1), inject("PAYMENT", "O002")])
    assert places(session.notes) == [(3, "INJECT_FAILURE")]
    report = session.process([order(1), inject("SHIPPING", "O001"), ("QUERY_ORDER", "O001")])
    assert [row["status"] for row in report["orders"].values()] == ["SHIPPED", "SHIPPED"]
    assert places(session.notes) == [(1, "INJECT_FAILURE")]


def test_a_refused_order_is_not_what_an_injection_meets(processor: Callable[[object], Report]) -> None:
    """The order saga: a refused order takes no number, so the injection meets the next one."""
    report = processor([*OPENING, order(-1), inject("ORDER", "O001"), order(1, "nobody"), order(2), order(1)])
    assert report["orders"] == {"O001": order_row(2, 150, 0), "O002": order_row(1, 150, 4)}


def test_an_injection_that_is_not_needed_is_no_note(anywhere: Door) -> None:
    """A session: an injection into an order that failed earlier, for its own reason, did match."""
    session = anywhere.session()
    session.process(
        [*OPENING, order(11), inject("SHIPPING"), inject("INVENTORY"), order(7), inject("SHIPPING", "O002")]
    )
    assert (session.refusals, session.notes) == ((), ())


def test_an_injection_into_nothing_ordered_is_a_note(anywhere: Door) -> None:
    """Refused, Notes: an injection that matched "an order of zero quantity"."""
    session = anywhere.session()
    session.process([inject("ORDER"), *OPENING, order(0), inject("SHIPPING")])
    assert places(session.notes) == [(0, "INJECT_FAILURE"), (4, "INJECT_FAILURE")]
    assert {note.value for note in session.notes} == {"O001"}


# --- zero quantity --------------------------------------------------------------------------------


def test_zero_quantity_for_any_customer(processor: Callable[[object], Report]) -> None:
    """Zero quantity: "an ordinary saga ..., which completes, for any customer", also one beyond the limit."""
    operations = [
        *OPENING,
        order(6),
        ("CREATE_CUSTOMER", "C001", 1),
        ("ADD_PRODUCT", "P001", 0, 1_000_000),
        order(0),
    ]
    report = processor([*operations, *[inject(service, "O002") for service in SERVICES]])
    assert report["customers"]["C001"] == customer_row(1, 900)
    assert text_of(report["orders"]["O002"]) == text_of(order_row(0, 1_000_000, 4))
    assert report["saga_log"][4:] == log_of("O002", 4, fails=False)


# --- order ids ------------------------------------------------------------------------------------


def test_order_ids_go_on_after_a_thousand(anywhere: Door) -> None:
    """The order saga: "Order ids are O001, O002, ... O999, O1000, in sequence"; a session counts on."""
    session = anywhere.session()
    ids: list[str] = []
    for count in (1, 998, 2, 9):
        report = session.process([*OPENING, *[order(0)] * count, inject("ORDER", "O1005"), order(1)])
        ids += report["orders"]
    assert ids == [f"O{number:03d}" for number in range(1, 1015)]
    assert ids[998:1001] == ["O999", "O1000", "O1001"]
    assert session.process([("QUERY_ORDER", "O1000")])["orders"]["O1000"]["status"] == "SHIPPED"


def test_the_function_starts_anew(processor: Callable[[object], Report]) -> None:
    """The order saga: "The function starts at O001 at every call", with nothing left of the call before."""
    first = text_of(processor([*OPENING, order(2)]))
    assert text_of(processor([*OPENING, order(2)])) == first
    assert text_of(processor([order(2), ("QUERY_ORDER", "O001"), ("QUERY_CUSTOMER", "C001")])) == text_of(EMPTY)


def test_sessions_are_apart(anywhere: Door) -> None:
    """A session: "One system", and another session is another system."""
    one, other = anywhere.session(), anywhere.session()
    one.process([*OPENING, order(2)])
    assert text_of(other.process([order(2), ("QUERY_PRODUCT", "P001")])) == text_of(EMPTY)
    assert one.process([order(1)])["products"]["P001"]["stock"] == 7


# --- refused, never raised ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operations",
    [
        [order(1)],
        [CUSTOMER, order(1)],
        [PRODUCT, order(1)],
        [order(1), *OPENING],
        [CUSTOMER, order(1), PRODUCT],
        [("CREATE_CUSTOMER", "C001", 0), PRODUCT, order(1)],
    ],
)
def test_an_order_for_what_does_not_exist_yet(anywhere: Door, operations: list[Any]) -> None:
    """Refused: "An order for a customer or product that does not exist (yet): no order, no id, no log"."""
    report = anywhere.processor(operations)
    assert (report["orders"], report["saga_log"]) == ({}, [])
    session = anywhere.session()
    session.process(operations)
    assert (operations.index(order(1)), "PLACE_ORDER") in places(session.refusals)
    assert list(session.process([*OPENING, order(1)])["orders"]) == ["O001"]


def test_a_second_create_changes_the_limit_alone(processor: Callable[[object], Report]) -> None:
    """Refused: "A second `CREATE_CUSTOMER` ... changes credit_limit alone: credit_used stays"."""
    report = processor([*OPENING, order(4), ("CREATE_CUSTOMER", "C001", 750), order(1), order(1)])
    assert report["customers"] == {"C001": customer_row(750, 750)}
    assert [row["status"] for row in report["orders"].values()] == ["SHIPPED", "SHIPPED", "CANCELED"]


def test_a_limit_below_what_is_used(processor: Callable[[object], Report]) -> None:
    """Refused, The order saga: a limit may be lowered below what is used; then no amount is left."""
    report = processor([*OPENING, order(4), ("CREATE_CUSTOMER", "C001", 1), order(1), order(0), order(9)])
    assert report["customers"] == {"C001": customer_row(1, 600)}
    assert [row["status"] for row in report["orders"].values()] == [
        "SHIPPED",
        "CANCELED",
        "SHIPPED",
        "CANCELED",
    ]
    assert [len(row["events_completed"]) for row in report["orders"].values()] == [4, 1, 4, 2]


def test_a_second_add_sets_stock_and_price(processor: Callable[[object], Report]) -> None:
    """Refused: "A second `ADD_PRODUCT` sets stock and price: reserved stays"."""
    report = processor([*OPENING, order(4), ("ADD_PRODUCT", "P001", 3, 20), order(3), order(1)])
    assert report["products"] == {"P001": product_row(0, 20)}
    assert [row["total_amount"] for row in report["orders"].values()] == [600, 60, 20]
    assert [row["status"] for row in report["orders"].values()] == ["SHIPPED", "SHIPPED", "CANCELED"]


def test_a_refused_change_changes_nothing(processor: Callable[[object], Report]) -> None:
    """Refused: of an operation of which one value is refused, the others have no effect."""
    changes = [("CREATE_CUSTOMER", "C001", 0), ("ADD_PRODUCT", "P001", 5, 0), ("ADD_PRODUCT", "P001", -1, 5)]
    assert text_of(processor([*OPENING, *changes])) == text_of(processor(OPENING))


def test_refusals_say_what_and_why(anywhere: Door) -> None:
    """Refused: "tuples of frozen values (index in the list from 0, operation, value, rule)"."""
    session = anywhere.session()
    session.process(
        [
            ("CREATE_CUSTOMER", "C001", 0),
            ("ADD_PRODUCT", "too long an id", 5, 5),
            *OPENING,
            order(1001),
            order(1, customer_id="C777"),
            inject("BILLING"),
            ("QUERY_ORDER", "O777"),
            inject("ORDER", "O888"),
        ]
    )
    assert type(session.refusals) is tuple
    assert type(session.notes) is tuple
    assert [(each.index, each.operation, each.value) for each in session.refusals] == [
        (0, "CREATE_CUSTOMER", 0),
        (1, "ADD_PRODUCT", "too long an id"),
        (4, "PLACE_ORDER", 1001),
        (5, "PLACE_ORDER", "C777"),
        (6, "INJECT_FAILURE", "BILLING"),
    ]
    assert sorted((each.index, each.operation, each.value) for each in session.notes) == [
        (7, "QUERY_ORDER", "O777"),
        (8, "INJECT_FAILURE", "O888"),
    ]
    for remark in (*session.refusals, *session.notes):
        assert " " in remark.rule.strip(), "a rule is a sentence"
        for attribute in ("index", "operation", "value", "rule"):
            with pytest.raises(AttributeError):
                setattr(remark, attribute, "mine")


def test_refusals_are_of_the_last_batch(anywhere: Door) -> None:
    """Refused: "`session.refusals` and `session.notes` of the last batch"; none before the first."""
    session = anywhere.session()
    assert (session.refusals, session.notes) == ((), ())
    session.process([order(1), ("QUERY_ORDER", "O001")])
    kept = session.refusals
    session.process(OPENING)
    assert (session.refusals, session.notes) == ((), ())
    assert places(kept) == [(0, "PLACE_ORDER")]


@pytest.mark.parametrize("kind", ["QUERY_CUSTOMER", "QUERY_ORDER", "QUERY_PRODUCT"])
def test_a_query_of_an_unknown_id_is_a_note(anywhere: Door, kind: str) -> None:
    """Operations: a valid id "that is unknown is a note, not a refusal"."""
    assert text_of(anywhere.processor([(kind, "unknown")])) == text_of(EMPTY)
    session = anywhere.session()
    assert text_of(session.process([(kind, "unknown")])) == text_of(EMPTY)
    assert session.refusals == ()
    assert places(session.notes) == [(0, kind)]


# --- a session ------------------------------------------------------------------------------------


def shop_of_three(door: Door) -> Any:
    """Return a session that already has three customers, three products and three orders."""
    session = door.session()
    session.process(
        [
            *[("CREATE_CUSTOMER", f"C00{number}", 1000) for number in (1, 2, 3)],
            *[("ADD_PRODUCT", f"P00{number}", 10, 100) for number in (1, 2, 3)],
            *[order(1, f"C00{number}", f"P00{number}") for number in (1, 2, 3)],
            inject("ORDER", "O003"),
        ]
    )
    return session


NAMING: list[tuple[str, list[Any], list[str], list[str], list[str]]] = [
    ("nothing", [], [], [], []),
    ("create names its id", [("CREATE_CUSTOMER", "C002", 5)], ["C002"], [], []),
    ("add names its id", [("ADD_PRODUCT", "P002", 5, 5)], [], ["P002"], []),
    ("place names three", [order(1, "C002", "P003")], ["C002"], ["P003"], ["O004"]),
    ("place that fails names three", [order(11, "C002", "P003")], ["C002"], ["P003"], ["O004"]),
    (
        "place that fails at ORDER",
        [order(1, "C002", "P003"), inject("ORDER", "O004")],
        ["C002"],
        ["P003"],
        ["O004"],
    ),
    ("query names a customer", [("QUERY_CUSTOMER", "C002")], ["C002"], [], []),
    ("query names a product", [("QUERY_PRODUCT", "P002")], [], ["P002"], []),
    ("query names an order, nothing beside it", [("QUERY_ORDER", "O002")], [], [], ["O002"]),
    ("query names an order that failed at ORDER", [("QUERY_ORDER", "O003")], [], [], ["O003"]),
    ("queries of unknown ids", [(kind, "X") for kind in batches.OPERATIONS[4:]], [], [], []),
    ("query of an order that comes later", [("QUERY_ORDER", "O004")], [], [], []),
    ("injections", [inject("ORDER", "O001"), inject("ORDER", "C001")], [], [], []),
    (
        "refused operations",
        [("CREATE_CUSTOMER", "C001", 0), ("ADD_PRODUCT", "P001", 5, 0), order(-1), order(1, "C001", "X")],
        [],
        [],
        [],
    ),
    (
        "the order of first naming",
        [
            ("QUERY_CUSTOMER", "C003"),
            ("QUERY_PRODUCT", "P002"),
            order(1, "C001", "P003"),
            ("QUERY_CUSTOMER", "C001"),
            ("QUERY_ORDER", "O002"),
            ("CREATE_CUSTOMER", "C002", 5),
            ("ADD_PRODUCT", "P001", 5, 5),
            ("QUERY_CUSTOMER", "C003"),
            ("QUERY_ORDER", "O001"),
            ("QUERY_ORDER", "O004"),
        ],
        ["C003", "C001", "C002"],
        ["P002", "P003", "P001"],
        ["O004", "O002", "O001"],
    ),
    (
        "an order is named from where it exists",
        [("QUERY_ORDER", "O005"), ("QUERY_ORDER", "O002"), order(1), order(1), ("QUERY_ORDER", "O001")],
        ["C001"],
        ["P001"],
        ["O002", "O004", "O005", "O001"],
    ),
    (
        "a customer is named from where it exists",
        [("QUERY_CUSTOMER", "C009"), ("QUERY_CUSTOMER", "C001"), ("CREATE_CUSTOMER", "C009", 5)],
        ["C001", "C009"],
        [],
        [],
    ),
]


@pytest.mark.parametrize(
    ("operations", "customer_ids", "product_ids", "order_ids"),
    [row[1:] for row in NAMING],
    ids=[row[0] for row in NAMING],
)
def test_naming(
    door: Door, operations: list[Any], customer_ids: list[str], product_ids: list[str], order_ids: list[str]
) -> None:
    """A session: a report holds what its operations name, "each map in the order of first naming"."""
    report = shop_of_three(door).process(operations)
    assert list(report["customers"]) == customer_ids
    assert list(report["products"]) == product_ids
    assert list(report["orders"]) == order_ids
    own = list(dict.fromkeys(line["order_id"] for line in report["saga_log"]))
    assert own == sorted(order_id for order_id in order_ids if order_id > "O003")


def test_a_query_shows_an_entity_as_it_is(door: Door) -> None:
    """A session: what a later batch asks for is shown in full, but the log is that of "its own orders"."""
    report = shop_of_three(door).process(
        [("QUERY_ORDER", "O003"), ("QUERY_CUSTOMER", "C001"), ("QUERY_PRODUCT", "P001")]
    )
    failed = order_row(1, 100, 0, customer_id="C003") | {"product_id": "P003"}
    assert text_of(report) == text_of(
        {
            "customers": {"C001": customer_row(1000, 100)},
            "products": {"P001": product_row(9, 100)},
            "orders": {"O003": failed},
            "saga_log": [],
        }
    )


def test_the_function_is_a_session_of_one_batch_with_limits(anywhere: Door) -> None:
    """Operations: "the function, which is `Session(limits=True)` with one batch"."""
    operations = [
        *customers(21),
        *products(51),
        *[order(1, "C1", "P1")] * 101,
        None,
        inject("PAYMENT", "O005"),
    ]
    assert text_of(anywhere.processor(operations)) == text_of(anywhere.session(limits=True).process(operations))
