"""Providers outside: keys, refunds, probes, questions, promised times; each case with a twin, mostly by `adapter`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Final, NamedTuple

from amends.checking.adapters import adapter
from amends.checking.models import Model, forgets_keys
from amends.core.definition import Saga, Step, external, local
from amends.core.messages import Call, Done, Later, Refused
from amends.scenario import Scenario
from tests.checking.cases.case import Case


class Order(NamedTuple):
    """Who pays how much."""

    who: str
    cents: int = 100


class Charge(NamedTuple):
    """A row of a bank: what was charged under a key, and what of it was given back."""

    key: str
    cents: int
    back: int = 0


REVERSE = "compensations run in reverse order"
LEFT, OWN = "all or nothing is left", "an undo undoes its own action"
TWICE, LOST, RAISES = "an effect happens twice", "no lost update", "a function raises"
ANN, BOB = Order("ann"), Order("bob", 50)
PARCEL: Final = local("PARCEL_SHIPPED", lambda _, order: order.cents, pivot=True, entity=lambda order: order.who)


class Bank:
    """A client as it should be: a key is charged once, and given back once."""

    def __init__(self, books: tuple[Charge, ...] = ()) -> None:
        self.books = books

    def find(self, key: str) -> Charge | None:
        """The row of a key."""
        return next((row for row in self.books if row.key == key), None)

    def put(self, row: Charge) -> None:
        """Write a row."""
        self.books = tuple(sorted((*(other for other in self.books if other.key != row.key), row)))

    def charge(self, key: str, cents: int) -> None:
        """Take money, once."""
        if not self.find(key):
            self.put(Charge(key, cents))

    def refund(self, key: str, cents: int) -> None:
        """Give money back, once."""
        row = self.find(key)
        if row and not row.back:
            self.put(row._replace(back=cents))


def standing(books: tuple[Charge, ...]) -> tuple[str, ...]:
    """The keys of what is charged or held."""
    return tuple(dict.fromkeys(row.key.removeprefix("hold ") for row in books if row.cents > row.back))


def charge(bank: Bank, order: Order, call: Call) -> Done:
    """Take the money."""
    bank.charge(call.key, order.cents)
    return Done(call.key)


def refund(bank: Bank, order: Order, call: Call) -> None:
    """Give it back."""
    if call.answer:
        bank.refund(call.answer, order.cents)


def look_up(bank: Bank, _: Order, call: Call) -> Done | Refused:
    """Look for the charge."""
    return Done(call.key) if bank.find(call.key) else Refused("no such charge")


def card(action: Any = charge, undo: Any = refund, event: str = "CARD_CHARGED", **more: Any) -> Step:
    """A charge that can be looked for."""
    options = {"probe": look_up, "settles_within_s": 60, "service": "CARD", **more}
    return external(event, action, undo=undo, undone=f"{event}_BACK", **options)


def paid(*steps: Step, orders: tuple[Order, ...] = (ANN,), card: Model | None = None, **models: Model) -> Scenario:
    """Orders with these steps and a parcel."""
    models = {"CARD": card or adapter(Bank, standing=standing), **models}
    used = {each.service for each in steps}
    outside = {service: model for service, model in models.items() if service in used}
    return Scenario(Saga("paid", Order, [*steps, PARCEL]), {}, orders, outside)


# An action that calls twice ------------------------------------------------------------------------------------


def hold_and_take(bank: Bank, order: Order, call: Call) -> Done:
    """Hold money, and then take it: two calls."""
    bank.charge(f"hold {call.key}", order.cents)
    bank.charge(call.key, order.cents)
    bank.refund(f"hold {call.key}", order.cents)
    return Done(call.key)


def let_go_and_refund(bank: Bank, order: Order, call: Call) -> None:
    """Let go what is held, whatever is known of it; then refund."""
    bank.refund(f"hold {call.key.replace('/undo', '/do')}", order.cents)
    refund(bank, order, call)


def refund_in_two_calls(bank: Bank, order: Order, call: Call) -> None:
    """Mark the row as given back, and only then write what was given: killed in between, it is never written."""
    key = call.answer
    if key and not bank.find(f"note {key}"):
        bank.charge(f"note {key}", 0)
        bank.refund(key, order.cents)


# Wallets, whose books are a balance ----------------------------------------------------------------------------


class Purse(NamedTuple):
    """A balance, and the keys that were seen."""

    cents: int
    seen: tuple[str, ...] = ()


class Wallet:
    """Somebody else's wallet, which does a key once."""

    def __init__(self, books: Purse) -> None:
        self.books = books

    def once(self, key: str, cents: int) -> int:
        """Set the balance under a key, once; the balance before."""
        before = self.books.cents
        if key not in self.books.seen:
            self.books = Purse(cents, tuple(sorted((*self.books.seen, key))))
        return before


def pay(wallet: Wallet, order: Order, call: Call) -> Done:
    """Take from the balance; answer what it was."""
    return Done(wallet.once(call.key, wallet.books.cents - order.cents))


def find_pay(wallet: Wallet, order: Order, call: Call) -> Done | Refused:
    """Look for a payment."""
    return Done(wallet.books.cents + order.cents) if call.key in wallet.books.seen else Refused("never seen")


def set_back(wallet: Wallet, _: Order, call: Call) -> None:
    """Write back the balance that was remembered."""
    if call.answer is not None:
        wallet.once(call.key, call.answer)


def pay_back(wallet: Wallet, order: Order, call: Call) -> None:
    """Add what was taken."""
    if call.answer is not None:
        wallet.once(call.key, wallet.books.cents + order.cents)


def pay_half_back(wallet: Wallet, order: Order, call: Call) -> None:
    """Add half of it."""
    if call.answer is not None:
        wallet.once(call.key, wallet.books.cents + order.cents // 2)


def purse_standing(purse: Purse) -> tuple[str, ...]:
    """What was paid and not paid back; this says nothing of the balance."""
    return tuple(key for key in purse.seen if key.endswith("/do") and key.replace("/do", "/undo") not in purse.seen)


def balance(purse: Purse) -> int:
    """What counts of a wallet."""
    return purse.cents


def wallets(undo: Any, orders: tuple[Order, ...] = (ANN,), **options: Any) -> Scenario:
    """Payments out of one wallet."""
    step = external("WALLET_PAID", pay, undo=undo, undone="WALLET_PAID_BACK", probe=find_pay, settles_within_s=60)
    return paid(step, orders=orders, WALLET=adapter(Wallet, Purse(500), **options))


# Fees, one key for two steps, names that are not there ------------------------------------------------------------


class Drawer(Bank):
    """A bank whose refund strikes the row."""

    def refund(self, key: str, cents: int) -> None:
        """Strike it."""
        self.books = tuple(row for row in self.books if row.key != key)


def fee_kept(books: tuple[Charge, ...], order: Order) -> tuple[Charge, ...]:
    """What a refund leaves on purpose."""
    return (*books, Charge("s1/CARD_CHARGED/do", order.cents, order.cents - 5))


def keeping(cents: int) -> Callable[..., None]:
    """A refund that keeps so much."""

    def refund_less(bank: Bank, order: Order, call: Call) -> None:
        if call.answer:
            bank.refund(call.answer, order.cents - cents)

    return refund_less


def order_of(call: Call) -> str:
    """The order's number, which is a key for everything."""
    return call.key.split("/")[0]


def charge_order(bank: Bank, order: Order, call: Call) -> Done:
    """Charge under the order's number."""
    bank.charge(order_of(call), order.cents)
    return Done(order_of(call))


def look_up_order(bank: Bank, _: Order, call: Call) -> Done | Refused:
    """Look under the order's number."""
    return Done(order_of(call)) if bank.find(order_of(call)) else Refused("no such charge")


def instalments(action: Any, probe: Any) -> Scenario:
    """A deposit and the rest."""
    steps = (card(action, event=f"{name}_CHARGED", probe=probe) for name in ("DEPOSIT", "REST"))
    return paid(*steps, card=adapter(Drawer))


def refund_misspelt(bank: Bank, order: Order, call: Call) -> None:
    """A slip of the pen."""
    bank.refund(call.anser, order.cents)  # type: ignore[attr-defined]


def refund_undefined(bank: Bank, order: Order, call: Call) -> None:
    """A name that was renamed elsewhere."""
    bank.refund(call.answer, net_of(order))  # type: ignore[name-defined]  # noqa: F821


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator as there are many."""

    @wraps(function)
    def inner(*given: Any, **named: Any) -> Any:
        return function(*given, **named)

    return inner


class Desk:
    """Refunds as methods."""

    def refund_misspelt(self, bank: Bank, order: Order, call: Call) -> None:
        """A field of another request."""
        bank.refund(call.answer, order.amount)  # type: ignore[attr-defined]

    def refund(self, bank: Bank, order: Order, call: Call) -> None:
        """As it was meant."""
        refund(bank, order, call)


def refund_of_misspelt(_desk: str, bank: Bank, order: Order, call: Call) -> None:
    """A field of another request."""
    bank.refund(call.answer, order.amount)  # type: ignore[attr-defined]


def refund_of(_desk: str, bank: Bank, order: Order, call: Call) -> None:
    """As it was meant."""
    refund(bank, order, call)


def by_ready_model(undo: Any) -> Scenario:
    """Nobody runs these functions."""
    return Scenario(Saga("paid", Order, [card(charge, undo), PARCEL]), {}, [ANN])


# Questions ------------------------------------------------------------------------------------------------------


def ask_rate(_: Any, order: Order, call: Call) -> Done:
    """Ask for a rate, which changes nothing."""
    return Done(92)


def unask(_: Any, order: Order, call: Call) -> None:
    """There is nothing to undo."""


def charge_at_rate(bank: Bank, order: Order, call: Call) -> Done:
    """Charge in the other currency."""
    bank.charge(call.key, order.cents * call.answers["RATE_ASKED"])
    return Done(call.key)


def refund_at_rate(bank: Bank, order: Order, call: Call) -> None:
    """Refund in the other currency."""
    if call.answer:
        bank.refund(call.answer, order.cents * call.answers["RATE_ASKED"])


RATE: Final = external("RATE_ASKED", ask_rate, undo=unask, undone="RATE_UNASKED", service="CARD")
SAID: Final = external("RATE_ASKED", ask_rate, service="CARD", asks=True)
APART: Final = external("RATE_ASKED", ask_rate, undo=unask, undone="RATE_UNASKED", service="RATES")


def rated(undo: Any) -> Scenario:
    """The rate is asked of a ready model, and the charge reads it as the number that it is."""
    rate = external("RATE_ASKED", lambda bank, order, call: Done(1.5), service="RATES", asks=True)
    return paid(rate, card(charge_rounded, undo))


def charge_rounded(bank: Bank, order: Order, call: Call) -> Done:
    """Charge by the rate; of a text it would raise."""
    bank.charge(call.key, round(order.cents * call.answers["RATE_ASKED"]))
    return Done(call.key)


def at_rate(undo: Any, rate: Step = RATE) -> Scenario:
    """A charge at a rate that is asked for."""
    return paid(rate, card(charge_at_rate, undo))


# Attempts, times, and who answers otherwise ---------------------------------------------------------------------


def refund_three_times(bank: Bank, order: Order, call: Call) -> Refused | None:
    """Hammer on no bank."""
    if call.attempt > 3:
        return Refused("gave up")
    refund(bank, order, call)
    return None


def key_life(hours: float) -> Scenario:
    """A bank that keeps a key for a day, of which the step says something else."""
    step = external(
        "CARD_CHARGED", charge, pivot=True, probe=look_up, settles_within_s=60, key_lives_h=hours, service="CARD"
    )
    return Scenario(Saga("paid", Order, [step]), {}, [ANN], {"CARD": forgets_keys()})


def notify(bank: Bank, order: Order, call: Call) -> Done | Refused:
    """Send a letter, which the office may decline."""
    bank.charge(call.key, 0)
    return Done()


class Closed(Bank):
    """An office that takes nothing."""

    def charge(self, key: str, cents: int) -> None:
        """Decline."""
        raise PermissionError("closed")


def notify_or_no(bank: Bank, order: Order, call: Call) -> Done | Refused:
    """Take a closed office for a no."""
    try:
        return notify(bank, order, call)
    except PermissionError:
        return Refused("closed")


def letters(action: Any) -> Scenario:
    """A letter behind the pivot; the office may be closed for a while."""
    steps = [PARCEL, external("LETTER_SENT", action, service="OFFICE")]
    return Scenario(Saga("letters", Order, steps), {}, [ANN], {"OFFICE": adapter(Bank, also=[Closed])})


def charge_later(bank: Bank, order: Order, call: Call) -> Later:
    """Take the money, and hear of it later."""
    bank.charge(call.key, order.cents)
    return Later(60)


def refund_what_was_told(bank: Bank, order: Order, call: Call) -> None:
    """Refund under the number that the answer should have."""
    if call.answer:
        bank.refund(call.answer["number"], order.cents)


def later(undo: Any, number: Any) -> Scenario:
    """A charge that is answered later, by a message with a number or by a key."""

    def answered(books: tuple[Charge, ...], request: Any) -> list[tuple[tuple[Charge, ...], Done]]:
        return [(books, Done(number(request.call.key)))]

    model = adapter(Bank, standing=standing, later=answered)
    return paid(card(charge_later, undo), card=model)


class Numbers:
    """A bank that numbers its receipts as they come."""

    def __init__(self, books: tuple[tuple[str, str, int], ...] = ()) -> None:
        self.books = books

    def find(self, key: str) -> str:
        """The receipt of a key; empty for none."""
        return next((receipt for receipt, known, _ in self.books if known == key), "")

    def charge(self, key: str, cents: int) -> None:
        """Take money, once."""
        if not self.find(key):
            self.books = (*self.books, (f"r{len(self.books) + 1}", key, cents))

    def refund(self, receipt: str, cents: int) -> None:
        """Give so much of it back."""
        self.books = tuple((one, key, was - cents * (one == receipt)) for one, key, was in self.books)


def charge_by_number(bank: Numbers, order: Order, call: Call) -> Done:
    """Answer with the receipt."""
    bank.charge(call.key, order.cents)
    return Done(bank.find(call.key))


def find_number(bank: Numbers, _: Order, call: Call) -> Done | Refused:
    """Look for the receipt."""
    return Done(bank.find(call.key)) if bank.find(call.key) else Refused("no such charge")


def refund_once(bank: Numbers, order: Order, call: Call) -> None:
    """Refund a receipt, unless that was done."""
    left = next((cents for receipt, _, cents in bank.books if receipt == call.answer), 0)
    if call.answer and left:
        bank.refund(call.answer, left)


def refund_the_last(bank: Numbers, order: Order, call: Call) -> None:
    """Refund what came last."""
    if call.answer and bank.books[-1][2]:
        bank.refund(bank.books[-1][0], bank.books[-1][2])


def numbered(undo: Any) -> Scenario:
    """Two charges for each of two orders; the numbers of their receipts are as they come."""
    options = {"undo": undo, "probe": find_number}
    steps = (card(charge_by_number, event=f"{name}_CHARGED", **options) for name in ("DEPOSIT", "REST"))
    model = adapter(Numbers, standing=lambda books: tuple(key for _, key, cents in books if cents))
    return paid(*steps, orders=(ANN, BOB), card=model)


CASES: Final = [
    Case("the-last-receipt-is-refunded", numbered(refund_the_last), numbered(refund_once), REVERSE),
    Case("killed-between-two-calls", paid(card(hold_and_take)), paid(card(hold_and_take, let_go_and_refund)), LEFT, 2),
    Case("an-undo-is-killed-between-two-calls", paid(card(charge, refund_in_two_calls)), paid(card()), LEFT, 2),
    Case("one-key-for-two-steps-books-compared", instalments(charge_order, look_up_order),
         instalments(charge, look_up), OWN),
    Case("a-wallet-is-set-back", wallets(set_back, (ANN, BOB), standing=purse_standing),
         wallets(pay_back, (ANN, BOB), standing=purse_standing), LOST),
    Case("a-wallet-is-set-back-by-its-view", wallets(set_back, (ANN, BOB), view=balance),
         wallets(pay_back, (ANN, BOB), view=balance), LEFT),
    Case("a-wallet-gets-half-back", wallets(pay_half_back), wallets(pay_back), LEFT),
    Case("a-refund-keeps-another-fee", paid(card(charge, keeping(10), leaves=fee_kept), card=adapter(Bank)),
         paid(card(charge, keeping(5), leaves=fee_kept), card=adapter(Bank)), LEFT),
    Case("a-refund-that-nobody-runs", by_ready_model(refund_misspelt), by_ready_model(refund), RAISES),
    Case("a-refund-reads-a-name-that-is-not-there", by_ready_model(refund_undefined), by_ready_model(refund), RAISES),
    Case("a-decorated-refund-that-nobody-runs", by_ready_model(logged(refund_misspelt)), by_ready_model(logged(refund)),
         RAISES),
    Case("a-method-that-nobody-runs", by_ready_model(Desk().refund_misspelt), by_ready_model(Desk().refund), RAISES),
    Case("a-partial-that-nobody-runs", by_ready_model(partial(refund_of_misspelt, "desk 1")),
         by_ready_model(partial(refund_of, "desk 1")), RAISES),
    Case("a-refund-in-another-currency", at_rate(refund), at_rate(refund_at_rate), LEFT),
    Case("a-question-that-says-so", at_rate(refund, SAID), at_rate(refund_at_rate, SAID), LEFT),
    Case("a-rate-of-a-ready-model-is-read", rated(refund), rated(refund_at_rate), LEFT),
    Case("a-rate-of-a-ready-model", paid(APART, card(charge, keeping(16))), paid(APART, card()), LEFT),
    Case("a-refund-gives-up-after-three", paid(card(charge, refund_three_times)), paid(card()),
         "a compensation is refused"),
    Case("a-key-lives-shorter-than-said", key_life(48), key_life(24), TWICE, 2),
    Case("a-request-settles-later-than-said", paid(card(settles_within_s=10)), paid(card(settles_within_s=120)),
         LEFT, 2),
    Case("a-refusal-outside-behind-the-pivot", letters(notify_or_no), letters(notify),
         "a step behind the pivot is refused"),
    Case("what-comes-later-is-told-otherwise", later(refund_what_was_told, lambda key: key),
         later(refund, lambda key: key), "every saga ends"),
]  # fmt: skip
