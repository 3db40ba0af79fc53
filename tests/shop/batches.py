"""Random batches for the shop's tests, and the doors that they go through.

Two sources, one vocabulary: `random_batch` draws from a seeded `random.Random` (fast, thousands in a second),
the functions whose names end in `_strategy` are for Hypothesis (slower, but a failure shrinks to its core).
Both use few ids, so that collisions, shortages, a lack of credit and injected failures really happen.
"""

from __future__ import annotations

import decimal
import enum
import fractions
import importlib
import importlib.util
import itertools
import json
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from hypothesis import strategies as st

Report = dict[str, Any]
Batch = list[Any]

# --- doors ----------------------------------------------------------------------------------------


class Remark(Protocol):
    """What a session says about one refused operation, or notes about an accepted one."""

    @property
    def index(self) -> int:
        """The place in the list, from 0."""

    @property
    def operation(self) -> str:
        """The name of the operation."""

    @property
    def value(self) -> object:
        """The value that is to blame."""

    @property
    def rule(self) -> str:
        """The rule, as a sentence."""


class ShopSession(Protocol):
    """The part of `amends.shop.Session` that the contract promises."""

    @property
    def refusals(self) -> tuple[Remark, ...]:
        """What was refused in the last batch."""

    @property
    def notes(self) -> tuple[Remark, ...]:
        """What was remarkable in the last batch."""

    def process(self, operations: object) -> Report:
        """Carry out one batch."""


class Door(NamedTuple):
    """One way into the shop: the function and the session class of one build of it."""

    processor: Callable[[object], Report]
    session: Callable[..., ShopSession]


def package_door() -> Door:
    """Return the door of the installed package."""
    shop: Any = importlib.import_module("amends.shop")
    return Door(shop.ecommerce_saga_processor, shop.Session)


def single_file_door(path: Path | str) -> Door:
    """Return the door of the build in one file, loaded once for each path under a private name."""
    name = f"_single_file_{abs(hash(str(path)))}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up while it is being executed
        spec.loader.exec_module(module)
    loaded: Any = sys.modules[name]
    return Door(loaded.ecommerce_saga_processor, loaded.Session)


def store_door(folder: Path, opened: ExitStack) -> Door:
    """Return the door of sessions that keep everything in store files, each in one of its own.

    Args:
        folder: for the files.
        opened: closes them.
    """
    storefront: Any = importlib.import_module("amends.storefront")  # it needs packages that the other doors do not
    numbers = itertools.count()

    def session(*, limits: bool = False) -> Any:
        path = str(folder / f"{next(numbers)}.db")
        return opened.enter_context(storefront.open_storefront(path, limits=limits, piece_max=3)).session

    return Door(lambda operations: session(limits=True).process(operations), session)


def spread_door(opened: ExitStack) -> Door:
    """Return the door of sessions whose four services are apart.

    Args:
        opened: closes them.
    """
    storefront: Any = importlib.import_module("amends.storefront")  # it needs packages that the other doors do not
    services: Any = importlib.import_module("tests.storefront.apart")

    def session(*, limits: bool = False) -> Any:
        url = opened.enter_context(services.apart())
        return opened.enter_context(storefront.open_spread(url, limits=limits)).session

    return Door(lambda operations: session(limits=True).process(operations), session)


def places(remarks: Iterable[Any]) -> list[tuple[int, str]]:
    """Return where the remarks stand and on which operation, which is what two readings must agree on."""
    return sorted((remark.index, remark.operation) for remark in remarks)


def text_of(report: Report) -> str:
    """Return a report as JSON, its keys in the order they have."""
    return json.dumps(report, allow_nan=False)


# --- values that no operation accepts -------------------------------------------------------------

TOUCHED: list[str] = []
"""Each call of a caller's own method, by name; tests clear it before and want it empty after."""


def _trap(name: str) -> Callable[..., Any]:
    def method(*_: object) -> Any:
        TOUCHED.append(name)
        message = f"{name} of a caller's object was called"
        raise RuntimeError(message)

    return method


def _say_trapped(value: object) -> str:
    """Let a failing test show the value, and still record that somebody asked."""
    TOUCHED.append("__repr__")
    return f"<{type(value).__name__}>"


_TRAPPED_METHODS = (
    "__eq__",
    "__ne__",
    "__lt__",
    "__le__",
    "__gt__",
    "__ge__",
    "__hash__",
    "__str__",
    "__format__",
    "__bool__",
    "__len__",
    "__iter__",
    "__next__",
    "__contains__",
    "__getitem__",
    "__int__",
    "__index__",
    "__float__",
    "__add__",
    "__radd__",
    "__sub__",
    "__rsub__",
    "__mul__",
    "__rmul__",
    "isprintable",
    "keys",
    "items",
)


def trapped(base: type) -> type:
    """Return a subclass that raises, and records it, whenever one of its methods runs."""
    methods: dict[str, Any] = {name: _trap(name) for name in _TRAPPED_METHODS}
    name = f"Trapped{base.__name__.title()}"
    return type(name, (base,), methods | {"__repr__": _say_trapped})


TrappedObject = trapped(object)
TrappedInt = trapped(int)
TrappedStr = trapped(str)
TrappedTuple = trapped(tuple)
TrappedList = trapped(list)


class PlainInt(int):
    """An int subclass that behaves in every way like an int."""


class PlainStr(str):
    """A str subclass that behaves in every way like a str."""

    __slots__ = ()


class PlainTuple(tuple[Any, ...]):
    """A tuple subclass that behaves in every way like a tuple."""

    __slots__ = ()


class PlainList(list[Any]):
    """A list subclass that behaves in every way like a list."""


class Level(enum.IntEnum):
    """Ints with names, which JSON libraries and databases like to give."""

    ONE = 1
    TEN = 10


class Named(NamedTuple):
    """An operation as somebody might model it: equal to a tuple, and none."""

    operation: str
    first: object
    second: object


class Impostor:
    """What says that it is an int, a string or a list, and is not."""

    def __init__(self, claimed: type) -> None:
        self._claimed = claimed

    @property
    def __class__(self) -> type:
        """The type that `isinstance` believes."""
        return self._claimed

    @__class__.setter
    def __class__(self, claimed: type) -> None:
        self._claimed = claimed


def _loop() -> list[Any]:
    loop: list[Any] = ["PLACE_ORDER"]
    loop.extend([loop, loop, loop])
    return loop


def _deep() -> list[Any]:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    return deep


STRANGE: tuple[Callable[[], object], ...] = (
    lambda: None,
    lambda: True,
    lambda: False,
    lambda: PlainInt(5),
    lambda: Level.TEN,
    lambda: 1.0,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: 5 + 0j,
    lambda: decimal.Decimal(5),
    lambda: fractions.Fraction(5),
    lambda: 10**30,
    lambda: -(10**30),
    lambda: 10**5000,
    lambda: -1,
    lambda: "",
    lambda: "5",
    lambda: "123456789",
    lambda: "C\n1",
    lambda: "\x00",
    lambda: "\x7f",
    lambda: "\ud800",
    lambda: "C\udfff1",
    lambda: "\u200b",
    lambda: "\u00a0",
    lambda: "\u2028",
    lambda: "\ufeff",
    lambda: "\U0010ffff",
    lambda: PlainStr("C001"),
    lambda: PlainStr("P001"),
    lambda: PlainStr("ORDER"),
    lambda: b"C001",
    lambda: bytearray(b"C001"),
    list,
    lambda: ["C001"],
    lambda: ("C001",),
    dict,
    lambda: {"C001": 1},
    lambda: {"C001"},
    lambda: frozenset({"C001"}),
    lambda: range(3),
    object,
    lambda: int,
    lambda: Ellipsis,
    lambda: NotImplemented,
    lambda: len,
    lambda: iter(()),
    TrappedObject,
    lambda: TrappedInt(5),
    lambda: TrappedStr("C001"),
    lambda: TrappedList(["QUERY_CUSTOMER", "C001"]),
    lambda: TrappedTuple(("QUERY_CUSTOMER", "C001")),
    lambda: Impostor(int),
    lambda: Impostor(str),
    lambda: Impostor(list),
    _loop,
    _deep,
)
"""Makers of values that a caller may pass by mistake, or on purpose, in any place."""

# --- words ----------------------------------------------------------------------------------------

SERVICES = ("ORDER", "PAYMENT", "INVENTORY", "SHIPPING")
OPERATIONS = (
    "CREATE_CUSTOMER",
    "ADD_PRODUCT",
    "PLACE_ORDER",
    "INJECT_FAILURE",
    "QUERY_CUSTOMER",
    "QUERY_ORDER",
    "QUERY_PRODUCT",
)
NO_OPERATIONS = (
    "create_customer",
    "Place_Order",
    "PLACE_ORDER ",
    " ADD_PRODUCT",
    "QUERY",
    "DELETE_CUSTOMER",
    "",
)
NO_SERVICES = ("order", "Payment", "SHIPPING ", "BILLING", "ORDER_CREATED", "")

CUSTOMER_IDS = ("C001", "C002", "C003", "X", " ", "12345678", "O001", "\u00e9", "e\u0301", "\U0001f600" * 8)
PRODUCT_IDS = ("P001", "P002", "P003", "X", "'", "ABCDEFGH", "O001", "\u00fc", "u\u0308", "\u6f22\u5b57")
BAD_IDS = (
    "",
    "123456789",
    "e\u0301" * 5,
    "a\tb",
    "\n",
    "\x00",
    "\ud83d",
    "\u200d",
    "\U0001f469\u200d\U0001f4bb",
)

LIMITS = (1, 2, 100, 500, 800, 1000, 5000, 100_000, 999_999, 1_000_000)
BAD_LIMITS = (0, -1, 1_000_001, 10**18)
STOCKS = (0, 1, 2, 3, 5, 10, 100, 999, 9_999, 10_000)
BAD_STOCKS = (-1, 10_001, 10**18)
PRICES = (1, 2, 10, 99, 100, 150, 200, 999_999, 1_000_000)
BAD_PRICES = (0, -1, 1_000_001, 10**18)
QUANTITIES = (0, 0, 1, 1, 2, 3, 4, 5, 10, 100, 999, 1000)
BAD_QUANTITIES = (-1, 1001, 10**18)


def order_number(number: int) -> str:
    """Return the id of the order with this number, as a caller expects it."""
    return f"O{number:03d}"


# --- seeded batches -------------------------------------------------------------------------------


class Bazaar:
    """Draws the operations of one batch: few ids, and a mood that says how often things go wrong.

    Args:
        rng: The source of chance; the same seed gives the same batch.
        first_order: The number that the first order of the batch will get.
    """

    def __init__(self, rng: random.Random, first_order: int = 1) -> None:
        self.rng = rng
        self.first_order = first_order
        self.customer_ids = rng.sample(CUSTOMER_IDS, rng.randint(1, 4))
        self.product_ids = rng.sample(PRODUCT_IDS, rng.randint(1, 4))
        self.wild = rng.choice((0.0, 0.05, 0.3))
        self.narrow = rng.random() < 0.3  # everything near its limits, instead of an everyday shop

    def customer(self) -> Batch:
        """Create a customer, or give one another limit."""
        limits = LIMITS + BAD_LIMITS if self.narrow else (500, 1000, 5000, 100_000)
        return ["CREATE_CUSTOMER", self.rng.choice(self.customer_ids), self.rng.choice(limits)]

    def product(self) -> Batch:
        """Add a product, or set its stock and price."""
        stocks = STOCKS + BAD_STOCKS if self.narrow else (0, 3, 5, 10, 20)
        prices = PRICES + BAD_PRICES if self.narrow else (10, 50, 100, 150, 200)
        return [
            "ADD_PRODUCT",
            self.rng.choice(self.product_ids),
            self.rng.choice(stocks),
            self.rng.choice(prices),
        ]

    def order(self) -> Batch:
        """Place an order, mostly for ids that may exist."""
        quantities = QUANTITIES + BAD_QUANTITIES if self.narrow else (0, 1, 1, 2, 2, 3, 4, 5, 8)
        customer_id, product_id = self.rng.choice(self.customer_ids), self.rng.choice(self.product_ids)
        if self.rng.random() < 0.05:
            customer_id, product_id = self.rng.choice(CUSTOMER_IDS), self.rng.choice(PRODUCT_IDS)
        return ["PLACE_ORDER", customer_id, product_id, self.rng.choice(quantities)]

    def injection(self) -> Batch:
        """Inject a failure, mostly into an order of this batch."""
        order_id = order_number(self.first_order + self.rng.randint(0, 9))
        if self.rng.random() < 0.1:
            order_id = self.rng.choice(("", "O1", "o001", "O000", "O0001", "\ud800", "O" * 99, order_number(1)))
        return ["INJECT_FAILURE", self.rng.choice(SERVICES), order_id]

    def query(self) -> Batch:
        """Ask for a customer, an order or a product, which may exist or not."""
        operation = self.rng.choice(OPERATIONS[4:])
        if operation == "QUERY_CUSTOMER":
            return [operation, self.rng.choice(self.customer_ids)]
        if operation == "QUERY_PRODUCT":
            return [operation, self.rng.choice(self.product_ids)]
        return [operation, order_number(self.rng.randint(1, self.first_order + 5))]

    def malformed(self) -> object:
        """Spoil an operation in one of the ways in which callers do."""
        entry: Batch = self.valid()
        way = self.rng.randrange(12)
        if way == 0:
            return self.rng.choice(STRANGE)()
        if way == 1:
            entry[0] = self.rng.choice(NO_OPERATIONS)
        elif way == 2:
            entry[0] = self.rng.choice((str.lower, PlainStr, TrappedStr))(entry[0])
        elif way == 3:
            entry.pop(self.rng.randrange(len(entry)))
        elif way == 4:
            entry.insert(self.rng.randint(1, len(entry)), self.rng.choice(STRANGE)())
        elif way == 5:
            return self.rng.choice((PlainTuple, PlainList, TrappedTuple, TrappedList))(entry)
        elif way == 6:
            return Named(*entry) if len(entry) == 3 else dict.fromkeys(map(str, entry))
        elif way == 7:
            entry[1] = self.rng.choice(BAD_IDS + NO_SERVICES)
        else:
            entry[self.rng.randrange(len(entry))] = self.rng.choice(STRANGE)()
        return entry

    def valid(self) -> Batch:
        """Draw one operation of the right form."""
        draw = self.rng.choices(
            (self.customer, self.product, self.order, self.injection, self.query), weights=(1, 1, 5, 2, 2)
        )[0]
        return draw()

    def entry(self) -> object:
        """Draw one entry of the list, as a tuple or a list."""
        if self.rng.random() < self.wild:
            return self.malformed()
        valid = self.valid()
        return tuple(valid) if self.rng.random() < 0.7 else valid


def random_batch(rng: random.Random, first_order: int = 1) -> Batch:
    """Draw one batch: mostly a small shop at work, and sometimes a crowd that meets the count limits.

    Args:
        rng: The source of chance; the same seed gives the same batch.
        first_order: The number that the first order of the batch will get, so that injections meet orders.

    Returns:
        The entries; values that are no operations among them.
    """
    if rng.random() < 0.03:
        return crowded_batch(rng, first_order)
    bazaar = Bazaar(rng, first_order)
    batch: Batch = []
    if rng.random() < 0.8:
        batch += [("CREATE_CUSTOMER", key, rng.choice(LIMITS[3:])) for key in bazaar.customer_ids]
        batch += [("ADD_PRODUCT", key, rng.choice(STOCKS), rng.choice(PRICES[:-2])) for key in bazaar.product_ids]
    batch += [bazaar.entry() for _ in range(rng.choice((0, 1, 3, 8, 15, 30)))]
    if rng.random() < 0.1:
        rng.shuffle(batch)
    return batch


def crowded_batch(rng: random.Random, first_order: int = 1) -> Batch:
    """Draw one batch that goes over the three count limits, with refusals between that must not count."""
    batch: Batch = []
    for number in range(rng.randint(15, 25)):
        batch.append(("CREATE_CUSTOMER", f"C{number}", 1_000_000))
        batch.append(("CREATE_CUSTOMER", f"C{rng.randint(0, number)}", rng.choice((0, 1, 1000, 1_000_000))))
    for number in range(rng.randint(40, 60)):
        batch.append(("ADD_PRODUCT", f"P{number}", 100, 10))
        if rng.random() < 0.2:
            batch.append(("ADD_PRODUCT", f"P{rng.randint(0, number)}", rng.choice((-1, 0, 50)), 20))
    for _ in range(rng.randint(100, 220)):
        customer_id, product_id = f"C{rng.randint(0, 26)}", f"P{rng.randint(0, 61)}"
        batch.append(("PLACE_ORDER", customer_id, product_id, rng.choice((-1, 0, 1, 2, 5, 60, 101))))
        if rng.random() < 0.1:
            batch.append(("INJECT_FAILURE", rng.choice(SERVICES), order_number(first_order + rng.randint(0, 105))))
    if rng.random() < 0.3:
        rng.shuffle(batch)
    return batch


# --- batches for Hypothesis -----------------------------------------------------------------------


def _entries(*parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return an operation of these parts, as a tuple or as a list."""
    entry = st.tuples(*parts)
    return entry | entry.map(list)


def valid_operation_strategy(orders: int = 9) -> st.SearchStrategy[Any]:
    """Return one operation of the right form; it may still be refused for what does not exist yet."""
    customer_ids, product_ids = st.sampled_from(CUSTOMER_IDS[:3]), st.sampled_from(PRODUCT_IDS[:3])
    order_ids = st.integers(1, orders).map(order_number)
    quantities = st.sampled_from((0, 1, 2, 3, 5, 8, 1000)) | st.integers(0, 1000)
    place = _entries(st.just("PLACE_ORDER"), customer_ids, product_ids, quantities)
    return st.one_of(
        place,
        place,
        place,
        _entries(st.just("INJECT_FAILURE"), st.sampled_from(SERVICES), order_ids),
        _entries(st.just("CREATE_CUSTOMER"), customer_ids, st.sampled_from(LIMITS) | st.integers(1, 1_000_000)),
        _entries(
            st.just("ADD_PRODUCT"),
            product_ids,
            st.sampled_from(STOCKS) | st.integers(0, 10_000),
            st.sampled_from(PRICES) | st.integers(1, 1_000_000),
        ),
        _entries(st.just("QUERY_CUSTOMER"), customer_ids),
        _entries(st.just("QUERY_PRODUCT"), product_ids),
        _entries(st.just("QUERY_ORDER"), order_ids),
    )


def strange_value_strategy() -> st.SearchStrategy[Any]:
    """Return any value at all, from everyday scalars to objects that raise when they are touched."""
    scalars = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(st.characters(), max_size=10),
        st.binary(max_size=5),
        st.sampled_from(STRANGE).map(lambda make: make()),
        st.sampled_from(OPERATIONS + SERVICES + CUSTOMER_IDS + PRODUCT_IDS + BAD_IDS),
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=4).map(tuple),
            st.dictionaries(st.text(max_size=3), inner, max_size=2),
        ),
        max_leaves=6,
    )


def malformed_entry_strategy() -> st.SearchStrategy[Any]:
    """Return an entry that is refused: a right operation in which one thing is wrong, or no operation."""
    argument = st.one_of(
        st.sampled_from(STRANGE).map(lambda make: make()),
        st.sampled_from(BAD_IDS + BAD_LIMITS + BAD_STOCKS + BAD_PRICES + BAD_QUANTITIES),
    )

    def spoil(drawn: tuple[Any, Any, int, str]) -> object:
        entry, value, place, way = drawn
        parts = list(entry)
        if way == "replace":
            parts[place % len(parts)] = value
        elif way == "insert":
            parts.insert(1 + place % len(parts), value)
        elif way == "drop":
            parts.pop(place % len(parts))
        elif way == "subclass":
            return PlainTuple(parts) if place % 2 else PlainList(parts)
        elif way == "name":
            parts[0] = NO_OPERATIONS[place % len(NO_OPERATIONS)]
        return tuple(parts) if place % 2 else parts

    ways = st.sampled_from(("replace", "insert", "drop", "subclass", "name"))
    spoiled = st.tuples(valid_operation_strategy(), argument, st.integers(0, 7), ways).map(spoil)
    return spoiled | strange_value_strategy()


def opening_strategy() -> st.SearchStrategy[Batch]:
    """Return the customers and products that a batch begins with, so that its orders find them."""

    def opening(drawn: Sequence[tuple[int, int, int]]) -> Batch:
        batch: Batch = []
        for number, (limit, stock, price) in enumerate(drawn):
            batch.append(("CREATE_CUSTOMER", CUSTOMER_IDS[number], limit))
            batch.append(("ADD_PRODUCT", PRODUCT_IDS[number], stock, price))
        return batch

    values = st.tuples(
        st.sampled_from((500, 1000, 5000, 1_000_000)),
        st.sampled_from((0, 3, 10, 100)),
        st.sampled_from((1, 100, 150, 200)),
    )
    return st.one_of(st.tuples(values, values, values), st.lists(values, max_size=3)).map(opening)


def batch_strategy(*, malformed: bool = True, max_size: int = 20) -> st.SearchStrategy[Batch]:
    """Return a batch for Hypothesis.

    Args:
        malformed: Whether entries that are refused for their form are among the operations.
        max_size: How many entries there are at most, the opening not counted.
    """
    operations: st.SearchStrategy[Any] = valid_operation_strategy()
    if malformed:
        operations = operations | malformed_entry_strategy()
    return st.tuples(opening_strategy(), st.lists(operations, max_size=max_size)).map(lambda parts: parts[0] + parts[1])


# --- what a value is made of ----------------------------------------------------------------------


def parts_of(base: Any, value: object) -> list[object]:
    """Return what a list or tuple holds, by the built-in type's own iterator and not by a subclass's."""
    return list(base.__iter__(value))


def fingerprint(value: object) -> object:
    """Return what a value is made of, by type and identity, without running any of its code.

    Two fingerprints of the same object differ if anything in its lists, tuples or dicts was changed in
    between; a deep copy could not tell, because copying and comparing would call the methods of the values.
    """
    pending: list[object] = [value]
    found: list[object] = []
    known: set[int] = set()
    while pending:
        current = pending.pop()
        found.append((type(current).__name__, id(current)))
        if id(current) in known:
            continue
        known.add(id(current))
        if issubclass(type(current), list):
            children: list[object] = parts_of(list, current)
        elif issubclass(type(current), tuple):
            children = parts_of(tuple, current)
        elif type(current) is dict:
            children = [part for pair in current.items() for part in pair]
        else:
            continue
        found.append(len(children))
        pending.extend(children)
    return found


def containers_of(value: object) -> list[object]:
    """Return every list, tuple and dict that can be reached from a value, each once for each way to it."""
    pending: list[object] = [value]
    found: list[object] = []
    open_ids: set[int] = set()
    while pending:
        current = pending.pop()
        if issubclass(type(current), list):
            children: list[object] = parts_of(list, current)
        elif issubclass(type(current), tuple):
            children = parts_of(tuple, current)
        elif type(current) is dict:
            children = list(current.values())
        else:
            continue
        found.append(current)
        if id(current) not in open_ids:
            open_ids.add(id(current))
            pending.extend(children)
    return found
