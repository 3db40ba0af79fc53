"""The batch format: what an operation may look like, and what is said of one that may not.

The contract is docs/contract.md, "Operations". Only exact built-in types are looked at, so that once the list is read
no code of the caller's runs; values are never formatted here, since that could run some.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from amends.shop.checkout import SERVICES

ID_LENGTH_MAX: Final = 8  # characters (contract, "Operations")
CREDIT_LIMIT: Final = range(1, 1_000_001)
STOCK: Final = range(10_001)
PRICE: Final = range(1, 1_000_001)
QUANTITY: Final = range(1001)

UNREADABLE: Final = -1  # the index of a remark on the whole list


@dataclass(frozen=True, slots=True)
class Remark:
    """What a batch's report passes over in silence: a refused operation, or a note on an accepted one.

    Attributes:
        index: place in the list, from 0; -1 for the list as a whole.
        operation: its name; empty when it has none.
        value: what was wrong, as it was given.
        rule: what would have been right, as a sentence for a person.
    """

    index: int
    operation: str
    value: Any
    rule: str


class Argument(NamedTuple):
    """What an argument of an operation must be.

    Attributes:
        name: as in the contract.
        kind: its exact type.
        allowed: which values of it; ``None`` for any.
        rule: both, for a person.
    """

    name: str
    kind: type
    allowed: Container[Any] | None
    rule: str

    def accepts(self, value: Any) -> bool:
        """Whether a value is right."""
        return type(value) is self.kind and (self.allowed is None or value in self.allowed)


class _Ids:
    """All valid ids."""

    def __contains__(self, text: Any) -> bool:
        return 1 <= len(text) <= ID_LENGTH_MAX and text.isprintable()


def _id(name: str) -> Argument:
    return Argument(name, str, _Ids(), f"{name} is a string of 1 to {ID_LENGTH_MAX} printable characters")


def _named(name: str) -> Argument:
    return Argument(name, str, None, f"{name} is a string")


def _int(name: str, allowed: range) -> Argument:
    return Argument(name, int, allowed, f"{name} is a whole number from {allowed[0]} to {allowed[-1]}")


SERVICE: Final = Argument("service_name", str, SERVICES, "service_name is one of " + ", ".join(SERVICES))

CREATE_CUSTOMER: Final = "CREATE_CUSTOMER"
ADD_PRODUCT: Final = "ADD_PRODUCT"
PLACE_ORDER: Final = "PLACE_ORDER"
INJECT_FAILURE: Final = "INJECT_FAILURE"
QUERY_CUSTOMER: Final = "QUERY_CUSTOMER"
QUERY_ORDER: Final = "QUERY_ORDER"
QUERY_PRODUCT: Final = "QUERY_PRODUCT"

ARGUMENTS: Final = {
    CREATE_CUSTOMER: (_id("customer_id"), _int("credit_limit", CREDIT_LIMIT)),
    ADD_PRODUCT: (_id("product_id"), _int("stock_quantity", STOCK), _int("price", PRICE)),
    PLACE_ORDER: (_named("customer_id"), _named("product_id"), _int("quantity", QUANTITY)),
    INJECT_FAILURE: (SERVICE, _named("order_id")),
    QUERY_CUSTOMER: (_id("id"),),
    QUERY_ORDER: (_id("id"),),
    QUERY_PRODUCT: (_id("id"),),
}


def read(operations: Any) -> tuple[list[Any], Remark | None]:
    """Everything that is to be read, and a remark when it could not be."""
    try:
        return [entry for entry in operations], None  # noqa: C416 - list() would ask for a length, which may raise
    except Exception as error:  # noqa: BLE001 - the contract: whatever it is, the list counts as empty
        rule = f"operations are a list that can be read to its end; reading it raised {_kind_of(error)}"
        return [], Remark(UNREADABLE, "", _kind_of(operations), rule)


def _kind_of(value: Any) -> str:
    """The name of a value's type, as Python keeps it; a metaclass of the caller's may have another in its place."""
    name: str = type.__dict__["__name__"].__get__(type(value))
    return name


_SHAPES: Final = {
    name: tuple((place, argument.kind, argument.allowed) for place, argument in enumerate(arguments, start=1))
    for name, arguments in ARGUMENTS.items()
}


def is_well_formed(entry: Any) -> bool:
    """Whether an operation is right by itself, whatever state it meets."""
    form = type(entry)  # looked at here, and not by `_is_entry`: this is on the hot path
    if (form is not tuple and form is not list) or not entry or type(entry[0]) is not str:
        return False
    shape = _SHAPES.get(entry[0])
    if shape is None or len(entry) != len(shape) + 1:
        return False
    for place, kind, allowed in shape:
        value = entry[place]
        if type(value) is not kind or (allowed is not None and value not in allowed):
            return False
    return True


def fault(index: int, entry: Any) -> Remark:
    """What is wrong with an operation that is not well formed."""
    name = name_of(entry)
    arguments = ARGUMENTS.get(name)
    if not name:
        return Remark(index, name, entry, "an operation is a list that begins with its name")
    if arguments is None:
        return Remark(index, name, name, "the operations are " + ", ".join(ARGUMENTS))
    if len(entry) != len(arguments) + 1:
        names = ", ".join(argument.name for argument in arguments)
        return Remark(index, name, entry, f"{name} takes {len(arguments)} values: {names}")
    pairs = zip(arguments, entry[1:], strict=True)
    return next(Remark(index, name, value, wanted.rule) for wanted, value in pairs if not wanted.accepts(value))


def name_of(entry: Any) -> str:
    """The operation's name, also of one that does not exist; empty when there is none to be read."""
    has_name = _is_entry(entry) and entry and type(entry[0]) is str
    return entry[0] if has_name else ""


def _is_entry(value: Any) -> bool:
    """Whether a value is exactly a tuple or a list; ``in`` would ask a metaclass of the caller's."""
    kind = type(value)
    return kind is tuple or kind is list
