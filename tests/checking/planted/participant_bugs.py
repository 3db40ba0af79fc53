"""Bugs that are planted in participants and definitions: each saga twice, as it was meant and as it was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Final, NamedTuple

from amends.checking.adapters import adapter
from amends.checking.models import Model, SystemReply, answers_later, forgets_keys, honours_keys, without_keys
from amends.core.definition import Saga, Step, external, local
from amends.core.messages import GONE, Call, Changed, Done, Kind, Refused, Request
from amends.scenario import Scenario
from tests.checking.cases import outside, verdicts
from tests.checking.cases.asked import CASES as ASKED_CASES


class Buy(NamedTuple):
    """What is asked for."""

    who: str = "Ann"
    pieces: int = 2


class Shelf(NamedTuple):
    """What we keep."""

    stock: int = 3
    held: int = 0
    price: int = 10
    taken: int = 0


class Bug(NamedTuple):
    """A saga as it was written and as it was meant.

    Attributes:
        name: what the author did.
        written: the saga with the bug.
        meant: the same without it.
        faults: the least number at which the bug is found; without it the saga holds with two.
        rule: the rule that it breaks.
    """

    name: str
    written: Scenario
    meant: Scenario
    faults: int
    rule: str


# How a saga is put together -----------------------------------------------------------------------------------


def shelf(action: Any, undo: Any, **options: Any) -> Step:
    """A step on the shelf."""
    return local("SHELF_TAKEN", action, undo=undo, undone="SHELF_GIVEN_BACK", entity=lambda _: "shelf", **options)


def order(action: Any, undo: Any, **options: Any) -> Step:
    """A step on the buyer's order."""
    return local("ORDER_OPENED", action, undo=undo, undone="ORDER_CLOSED", entity=lambda buy: buy.who, **options)


def shipped(_: Any, buy: Buy) -> int:
    """Ship."""
    return buy.pieces


def ship() -> Step:
    """The pivot."""
    return local("PARCEL_SHIPPED", shipped, pivot=True, entity=lambda buy: buy.who)


def card(charge: Any, refund: Any, **options: Any) -> Step:
    """A step in the world outside."""
    return external("CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", **options)


def small(*steps: Step, kept: Any = Shelf(), buys: tuple[Buy, ...] = (Buy(),), **models: Model) -> Scenario:  # noqa: B008 - a value
    """A scenario: the steps, on a shelf, for some buyers."""
    return Scenario(Saga("buy", Buy, list(steps)), {"SHELF": {"shelf": kept}}, buys, models)


TWO: Final = (Buy("Ann", 2), Buy("Bob", 1))


# Deciders, as they are meant ----------------------------------------------------------------------------------


def take(kept: Shelf, buy: Buy) -> Shelf | Refused:
    """Take pieces off the shelf."""
    return kept._replace(stock=kept.stock - buy.pieces) if buy.pieces <= kept.stock else Refused("sold out")


def give_back(kept: Shelf, buy: Buy) -> Shelf:
    """Put them back."""
    return kept._replace(stock=kept.stock + buy.pieces)


def nothing(client: Any, buy: Buy, call: Call) -> None:
    """Stand for a function of the world outside; its model acts."""


# Money, prices, fees ------------------------------------------------------------------------------------------


def pay_with_fee(kept: Shelf, buy: Buy) -> Shelf:
    """Take the price, and a fee of 1."""
    return kept._replace(taken=kept.taken + kept.price * buy.pieces + 1)


def pay_back_price(kept: Shelf, buy: Buy) -> Shelf:
    """Give back the price."""
    return kept._replace(taken=kept.taken - kept.price * buy.pieces)


def pay_back_all(kept: Shelf, buy: Buy) -> Shelf:
    """Give back price and fee."""
    return kept._replace(taken=kept.taken - kept.price * buy.pieces - 1)


def keep_fee(fee: int) -> Callable[[Shelf, Buy], Shelf]:
    """Declare that a fee is kept."""
    return lambda kept, _: kept._replace(taken=kept.taken + fee)


def sell(kept: Shelf, buy: Buy) -> Changed:
    """Sell at the price of the day, which rises with what is sold."""
    paid = kept.price * buy.pieces
    return Changed(kept._replace(taken=kept.taken + paid, price=kept.price + buy.pieces), paid)


def unsell_at_todays_price(kept: Shelf, buy: Buy) -> Shelf:
    """Give back what it costs now."""
    return kept._replace(taken=kept.taken - kept.price * buy.pieces, price=kept.price - buy.pieces)


def unsell(kept: Shelf, buy: Buy, call: Call) -> Shelf:
    """Give back what was paid."""
    return kept._replace(taken=kept.taken - call.answer, price=kept.price - buy.pieces)


# Undoing less, more, or something else ------------------------------------------------------------------------


def give_back_twice(kept: Shelf, buy: Buy) -> Shelf:
    """Put them back, and once more."""
    return give_back(give_back(kept, buy), buy)


def take_what_there_is(kept: Shelf, buy: Buy) -> Changed:
    """Take as many as there are."""
    taken = min(kept.stock, buy.pieces)
    return Changed(kept._replace(stock=kept.stock - taken), taken)


def give_back_what_was_taken(kept: Shelf, buy: Buy, call: Call) -> Shelf:
    """Put back what was taken."""
    return kept._replace(stock=kept.stock + call.answer)


def forget_to_return(kept: Shelf, buy: Buy) -> None:
    """Put them back, in a value that nobody gets."""
    give_back(kept, buy)


def clear(kept: Shelf, buy: Buy) -> Any:
    """Clear the shelf away."""
    return GONE


def opened(_: str | None, buy: Buy) -> str:
    """Open the order."""
    return "PROCESSING"


def closed(_: str, buy: Buy) -> str:
    """Close it; the row stays."""
    return "CANCELED"


def stays_open(order: str, buy: Buy) -> str:
    """Forget to close it."""
    return order


def left(_: str | None, buy: Buy) -> str:
    """What a closed order leaves."""
    return "CANCELED"


def give_back_if_room(kept: Shelf, buy: Buy) -> Shelf | Refused:
    """Put them back, if the shelf has room for them."""
    return give_back(kept, buy) if kept.stock + buy.pieces <= Shelf().stock else Refused("no room")


# Deciders that are none ---------------------------------------------------------------------------------------


def add_in_place(kept: list[str], buy: Buy) -> list[str]:
    """Write a name on the very list that was handed in."""
    kept.append(buy.who)
    return kept


def add(kept: list[str], buy: Buy) -> list[str]:
    """Give back a longer list."""
    return [*kept, buy.who]


def remove(kept: list[str], buy: Buy) -> list[str]:
    """Give back a shorter list."""
    return [name for name in kept if name != buy.who]


NUMBERS: Final = cycle((1, 2))


def numbered(kept: Shelf, buy: Buy) -> Changed | Refused:
    """Take pieces, and answer with a number that is another one each time."""
    after = take(kept, buy)
    return after if isinstance(after, Refused) else Changed(after, next(NUMBERS))


def counted(kept: int, buy: Buy) -> int:
    """Count what was bought, since the first time."""
    return kept + buy.pieces


def counted_from_nothing(kept: int | None, buy: Buy) -> int:
    """Count what was bought, also the first time."""
    return (kept or 0) + buy.pieces


def uncounted(kept: int, buy: Buy) -> Any:
    """Count back; nothing is left of the first."""
    return kept - buy.pieces or GONE


def count_step(action: Any) -> Step:
    """A step on a count that does not exist yet."""
    return local("COUNT_GROWN", action, undo=uncounted, undone="COUNT_SHRUNK", entity=lambda buy: buy.who)


# Holds --------------------------------------------------------------------------------------------------------


def hold(kept: Shelf, buy: Buy) -> Shelf | Refused:
    """Hold pieces."""
    after = take(kept, buy)
    return after if isinstance(after, Refused) else after._replace(held=kept.held + buy.pieces)


def let_go(kept: Shelf, buy: Buy) -> Shelf:
    """Hold them no longer."""
    return give_back(kept, buy)._replace(held=kept.held - buy.pieces)


def settle(kept: Shelf, buy: Buy) -> Shelf:
    """What was shipped is no longer held."""
    return kept._replace(held=kept.held - buy.pieces)


def settle_if_many(kept: Shelf, buy: Buy) -> Shelf | Refused:
    """The same, unless few are held, for no good reason."""
    return Refused("too few") if kept.held <= buy.pieces else settle(kept, buy)


def settled(action: Any) -> Step:
    """A step behind the pivot."""
    return local("SHELF_SETTLED", action, entity=lambda _: "shelf")


# Two sagas at the same time -----------------------------------------------------------------------------------


def read(kept: Shelf, buy: Buy) -> Changed:
    """Look how many there are, for a later step."""
    return Changed(kept, kept.stock)


def unread(kept: Shelf, buy: Buy) -> Shelf:
    """Nothing was changed."""
    return kept


def write(kept: Shelf, buy: Buy, call: Call) -> Shelf:
    """Write what is left of what was read."""
    return kept._replace(stock=call.answers["SHELF_READ"] - buy.pieces)


def read_step() -> Step:
    """A step that only reads."""
    return local("SHELF_READ", read, undo=unread, undone="SHELF_READ_BACK", entity=lambda _: "shelf")


def look(kept: Shelf, buy: Buy) -> Shelf | Refused:
    """See whether there is enough, and take nothing."""
    return kept if buy.pieces <= kept.stock else Refused("sold out")


def take_unseen(kept: Shelf, buy: Buy) -> Shelf:
    """Take what an earlier step saw."""
    return kept._replace(stock=kept.stock - buy.pieces)


def look_step() -> Step:
    """A step that looks, and tells nothing but yes or no."""
    return local("SHELF_SEEN", look, undo=unread, undone="SHELF_UNSEEN", entity=lambda _: "shelf")


def is_there(duty: bool, _: Buy) -> Changed:
    """See whether a doctor is on duty."""
    return Changed(duty, duty)


def leave_if_seen(_: bool, buy: Buy, call: Call) -> bool | Refused:
    """Leave, when an earlier step saw another doctor."""
    return Refused("the last one stays") if not call.answers["DOCTOR_SEEN"] else False


def doctors(seen: Callable[[Buy], str]) -> Scenario:
    """Two doctors want to leave, each if the one that they look at stays."""
    own: dict[str, Any] = {"entity": lambda buy: buy.who}
    saga = Saga("leave", Buy, [
        local("DOCTOR_SEEN", is_there, undo=unread, undone="DOCTOR_UNSEEN", entity=seen),
        local("DOCTOR_LEFT", leave_if_seen, undo=lambda _, __: True, undone="DOCTOR_BACK", **own),
        local("NOTE_WRITTEN", shipped, pivot=True, **own),
    ])  # fmt: skip
    return Scenario(saga, {"DOCTOR": dict.fromkeys(("Ann", "Bob", "Cem"), True)}, TWO)


def as_it_was(kept: Shelf, buy: Buy) -> Shelf:
    """Set the shelf back to what it is when nobody buys."""
    return Shelf()


def return_pieces(kept: Shelf, buy: Buy) -> Shelf | Refused:
    """Take pieces, or put them on the shelf when somebody returns them."""
    return take(kept, buy)


def returned(kept: Shelf, buy: Buy) -> Shelf:
    """Put on the shelf what somebody returned."""
    return kept._replace(stock=kept.stock + max(0, -buy.pieces))


def take_unless_returned(kept: Shelf, buy: Buy) -> Shelf | Refused:
    """Take pieces; what is returned waits until it is certain."""
    return take(kept, buy) if buy.pieces > 0 else kept


def give_back_unless_returned(kept: Shelf, buy: Buy) -> Shelf:
    """Put back what was taken."""
    return give_back(kept, buy) if buy.pieces > 0 else kept


def returns() -> Step:
    """A step behind the pivot, which puts returned pieces on the shelf."""
    return local("SHELF_RETURNED", returned, entity=lambda _: "shelf")


RETURN: Final = (Buy("Ann", -1), Buy("Bob", 4))
REFILL: Final = (Buy("Ann", 2), Buy("Bob", -2))


# The world outside --------------------------------------------------------------------------------------------


@dataclass
class Bank:
    """A bank's client; it keeps what it charged, by key, and does a key once.

    Attributes:
        books: key and pieces of each charge, and whether it stands.
    """

    books: tuple[tuple[str, int, bool], ...] = ()

    def charge(self, key: str, pieces: int) -> None:
        """Charge, once; a key that is known for something else is a mistake."""
        known = self.known(key)
        if not known:
            self.books = tuple(sorted([*self.books, (key, pieces, True)]))
        elif known[1] != pieces:
            raise ValueError("this key was used for another amount")

    def refund(self, key: str) -> None:
        """Pay back."""
        self.books = tuple((name, pieces, stands and name != key) for name, pieces, stands in self.books)

    def known(self, key: str) -> tuple[str, int, bool] | None:
        """Look a key up."""
        return next((charge for charge in self.books if charge[0] == key), None)


class SlowBank(Bank):
    """A bank that charges, and whose first reply takes too long."""

    def charge(self, key: str, pieces: int) -> None:
        """Charge, and raise at the first time."""
        is_new = not self.known(key)
        super().charge(key, pieces)
        if is_new:
            raise TimeoutError("no reply")


def keys_of(books: tuple[tuple[str, int, bool], ...]) -> tuple[str, ...]:
    """What stands in a bank's books."""
    return tuple(key for key, _, stands in books if stands)


BANK: Final = adapter(Bank, (), keys_of)
SLOW_BANK: Final = adapter(SlowBank, (), keys_of)


def charged(bank: Bank, buy: Buy, call: Call) -> Done:
    """Charge, with the request's key."""
    bank.charge(call.key, buy.pieces)
    return Done(call.key)


def charged_by_name(bank: Bank, buy: Buy, call: Call) -> Done:
    """Charge, with a key of one's own."""
    bank.charge("Ann's card", buy.pieces)
    return Done("Ann's card")


def charged_or_not(bank: Bank, buy: Buy, call: Call) -> Done | Refused:
    """Charge, and take an error for a no."""
    try:
        bank.charge(call.key, buy.pieces)
    except TimeoutError:
        return Refused("the bank does not answer")
    return Done(call.key)


def refunded(bank: Bank, buy: Buy, call: Call) -> None:
    """Pay back."""
    bank.refund(call.answer)


def looked_up(bank: Bank, buy: Buy, call: Call) -> Done | Refused:
    """Look whether the charge is there."""
    return Done(call.key) if bank.known(call.key) else Refused("no such charge")


def refuses_to_pay_back(bank: Bank, buy: Buy, call: Call) -> Refused:
    """Say no to whoever wants money back."""
    return Refused("no refunds")


PROBED: Final[dict[str, Any]] = {"probe": nothing, "settles_within_s": 60}
LOOKED_UP: Final[dict[str, Any]] = {"probe": looked_up, "settles_within_s": 60}


def mail(**options: Any) -> Step:
    """A step behind the pivot, in the world outside."""
    return external("MAIL_SENT", nothing, **options)


def lags() -> Model:
    """A provider whose list of charges lags: it may not show one yet."""

    def replies(books: Any, request: Request, step: Step) -> Iterator[SystemReply]:
        for reply in honours_keys().replies(books, request, step):
            yield reply
            if request.kind is Kind.PROBE and isinstance(reply.outcome, Done):
                yield replace_outcome(reply)

    return Model("lags behind", (), replies, honours_keys().standing)


def replace_outcome(reply: SystemReply) -> SystemReply:
    """The same, with nothing found."""
    return reply._replace(outcome=Refused("nothing is known of this key"), note="did not show it yet")


# The table ----------------------------------------------------------------------------------------------------

BEFORE = "what is compensated is as before"
UPDATE = "no lost update"
DIRTY = "no dirty read"
ORDERED = "as if one after the other"
LEFT = "all or nothing is left"
REVERSE = "compensations run in reverse order"
TWICE = "an effect happens twice"
RAISES = "a decider raises"
PURE = "a decider is pure"
SAME = "a decider is deterministic"
HELD = "nothing is held once all sagas have ended"
NO_UNDO = "a compensation is refused"
NO_WAY = "a step behind the pivot is refused"

OUTSIDE = {case.name: case for case in outside.CASES}
ASKED: Final = {case.name: case for case in ASKED_CASES}
MEANT = small(shelf(take, give_back), ship())
PROBED_CARD = small(shelf(take, give_back), card(nothing, nothing, **PROBED), ship())

BUGS: Final = [
    Bug("the refund forgets the fee", small(shelf(pay_with_fee, pay_back_price), ship()),
        small(shelf(pay_with_fee, pay_back_all), ship()), 1, BEFORE),
    Bug("the fee that is kept is declared wrongly",
        small(shelf(pay_with_fee, pay_back_price, leaves=keep_fee(2)), ship()),
        small(shelf(pay_with_fee, pay_back_price, leaves=keep_fee(1)), ship()), 1, BEFORE),
    Bug("the refund reads todays price", small(shelf(sell, unsell_at_todays_price), ship()),
        small(shelf(sell, unsell), ship()), 1, BEFORE),
    Bug("the release gives back twice", small(shelf(take, give_back_twice), ship()), MEANT, 1, BEFORE),
    Bug("the release gives back what was asked for", small(shelf(take_what_there_is, give_back), ship(), kept=Shelf(1)),
        small(shelf(take_what_there_is, give_back_what_was_taken), ship(), kept=Shelf(1)), 1, BEFORE),
    Bug("the undo forgets to return", small(shelf(take, forget_to_return), ship()), MEANT, 1, RAISES),
    Bug("the undo deletes what was there before", small(shelf(take, clear), ship()), MEANT, 1, BEFORE),
    Bug("a cancelled order stays in processing", small(order(opened, stays_open, leaves=left), ship()),
        small(order(opened, closed, leaves=left), ship()), 1, BEFORE),
    Bug("a cancelled order leaves a row that nobody declared", small(order(opened, closed), ship()),
        small(order(opened, closed, leaves=left), ship()), 1, BEFORE),
    Bug("the undo refuses after a restock", small(shelf(take, give_back_if_room), ship(), buys=REFILL),
        small(shelf(take, give_back), ship(), buys=TWO), 1, NO_UNDO),
    Bug("a decider writes on its argument", small(shelf(add_in_place, remove), ship(), kept=[]),
        small(shelf(add, remove), ship(), kept=[]), 0, PURE),
    Bug("a decider answers with a counter", small(shelf(numbered, give_back), ship()), MEANT, 0, SAME),
    Bug("a decider expects what does not exist yet", small(count_step(counted), ship()),
        small(count_step(counted_from_nothing), ship()), 0, RAISES),
    Bug("a hold is not settled", small(shelf(hold, let_go, holds=["held"]), ship()),
        small(shelf(hold, let_go, holds=["held"]), ship(), settled(settle)), 0, HELD),
    Bug("a step behind the pivot refuses", small(shelf(hold, let_go, holds=["held"]), ship(), settled(settle_if_many)),
        small(shelf(hold, let_go, holds=["held"]), ship(), settled(settle)), 0, NO_WAY),
    Bug("the pivot comes too early", small(ship(), local("SHELF_TAKEN", take, entity=lambda _: "shelf"), kept=Shelf(1)),
        small(shelf(take, give_back), ship(), kept=Shelf(1)), 0, NO_WAY),
    Bug("one saga reads and writes around another", small(read_step(), shelf(write, give_back), ship(), buys=TWO),
        small(shelf(take, give_back), ship(), buys=TWO), 0, UPDATE),
    Bug("both saw the last one before either took it",
        small(look_step(), shelf(take_unseen, give_back), ship(), buys=TWO, kept=Shelf(2)),
        small(shelf(take, give_back), ship(), buys=TWO, kept=Shelf(2)), 0, ORDERED),
    Bug("each doctor leaves since the other is there", doctors(lambda buy: "Bob" if buy.who == "Ann" else "Ann"),
        doctors(lambda buy: "Cem"), 0, ORDERED),
    Bug("the undo sets back what another saga changed",
        small(shelf(take, as_it_was), ship(), buys=TWO),
        small(shelf(take, give_back), ship(), buys=TWO), 1, UPDATE),
    Bug("returned pieces are sold before the return is certain",
        small(shelf(return_pieces, give_back), ship(), buys=RETURN),
        small(shelf(take_unless_returned, give_back_unless_returned), ship(), returns(), buys=RETURN), 1, DIRTY),
    Bug("a charge without a probe loses its reply", small(shelf(take, give_back), card(nothing, nothing), ship()),
        PROBED_CARD, 1, REVERSE),
    Bug("a charge without a probe is answered later",
        small(shelf(take, give_back), card(nothing, nothing), ship(), CARD=answers_later()),
        small(shelf(take, give_back), card(nothing, nothing, **PROBED), ship(), CARD=answers_later()), 1, REVERSE),
    Bug("the probe asks a list that lags",
        small(shelf(take, give_back), card(nothing, nothing, **PROBED), ship(), CARD=lags()),
        PROBED_CARD, 1, REVERSE),
    Bug("a provider without keys is asked again", small(shelf(take, give_back), ship(), mail(), MAIL=without_keys()),
        small(shelf(take, give_back), ship(), mail(at_least_once=True), MAIL=without_keys()), 1, TWICE),
    Bug("a provider forgets a key", small(shelf(take, give_back), ship(), mail(), MAIL=forgets_keys()),
        small(shelf(take, give_back), ship(), mail(key_lives_h=24), MAIL=forgets_keys()), 2, TWICE),
    Bug("an error of the bank is taken for a no",
        small(shelf(take, give_back), card(charged_or_not, refunded, **LOOKED_UP), ship(), CARD=SLOW_BANK),
        small(shelf(take, give_back), card(charged, refunded, **LOOKED_UP), ship(), CARD=SLOW_BANK), 0, REVERSE),
    Bug("one key is used for two amounts",
        small(card(charged_by_name, refunded, **LOOKED_UP), ship(), buys=TWO, CARD=BANK),
        small(card(charged, refunded, **LOOKED_UP), ship(), buys=TWO, CARD=BANK), 0, LEFT),
    Bug("the bank pays nothing back",
        small(card(charged, refuses_to_pay_back, **LOOKED_UP), ship(), CARD=BANK),
        small(card(charged, refunded, **LOOKED_UP), ship(), CARD=BANK), 1, NO_UNDO),
    Bug("an action is killed between two calls", OUTSIDE["killed-between-two-calls"].buggy,
        OUTSIDE["killed-between-two-calls"].twin, 1, LEFT),
    Bug("a wallet outside is set back", OUTSIDE["a-wallet-is-set-back"].buggy, OUTSIDE["a-wallet-is-set-back"].twin, 1,
        UPDATE),
    Bug("a provider settles later than said", OUTSIDE["a-request-settles-later-than-said"].buggy,
        OUTSIDE["a-request-settles-later-than-said"].twin, 1, LEFT),
    *(Bug(name, ASKED[name].written, ASKED[name].meant, faults, ASKED[name].rule) for name, faults in (
        ("a refund reads a field of an answer that nobody typed", 1),
        ("an entity that nobody typed is a list after a restart", 0),
        ("the keys of a dict are numbers", 0),
        ("a later step reads a field of an answer that nobody typed", 0),
    )),
    *(Bug(case.name, case.buggy, case.twin, case.faults, case.rule) for case in verdicts.CASES),
]  # fmt: skip
