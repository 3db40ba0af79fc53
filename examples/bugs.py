"""Ten kinds of bug that a check finds, each as small as it can be; `docs/checking.md` begins with their pictures.

`amends check examples/bugs.py:lost_reply` draws the first. In `lost_reply_mended` it is mended, and holds; so with all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from amends import Call, Changed, Done, Refused, Saga, Scenario, Step, external, local
from amends.checking import adapter


class Buy(NamedTuple):
    """Who buys how many seats; who gives some back, fewer than none."""

    who: str
    seats: int = 1


class Charge(NamedTuple):
    """A line in the bank's books."""

    key: str
    cents: int


class Bank:
    """A bank as it should be: a key is charged once, and given back once."""

    def __init__(self, books: tuple[Charge, ...] = ()) -> None:
        self.books = books

    def has(self, key: str) -> bool:
        return any(line.key == key for line in self.books)

    def charge(self, key: str, cents: int) -> str:
        if not self.has(key):
            self.books = (*self.books, Charge(key, cents))
        return key

    def refund(self, key: str) -> bool:
        is_charged = Charge(key, 0) not in self.books and self.has(key)
        self.books = tuple(line._replace(cents=0) if line.key == key else line for line in self.books)
        return is_charged


class SlowBank(Bank):
    """The same on a bad day: it did it, and its answer does not come."""

    def charge(self, key: str, cents: int) -> str:
        super().charge(key, cents)
        raise TimeoutError


def standing(books: tuple[Charge, ...]) -> tuple[str, ...]:
    return tuple(line.key.partition("#")[0] for line in books if line.cents)


def charge(bank: Bank, buy: Buy, call: Call) -> Done[str]:
    return Done(bank.charge(call.key, 2100 * buy.seats))


def refund(bank: Bank, _: Buy, call: Call) -> None:
    if call.answer:  # without a receipt there is nothing to refund
        bank.refund(call.answer)


def find_charge(bank: Bank, _: Buy, call: Call) -> Done[str] | Refused:
    return Done(call.key) if bank.has(call.key) else Refused("no such charge")


def hold(free: int, buy: Buy) -> int | Refused:
    return free - buy.seats if buy.seats <= free else Refused("sold out")


def let_go(free: int, buy: Buy) -> int:
    return free + buy.seats


def confirm(_: str | None, __: Buy) -> str:
    return "confirmed"


CARD = external(
    "CARD_CHARGED", charge, undo=refund, undone="CARD_REFUNDED", probe=find_charge, settles_within_s=60,
)  # fmt: skip
SEATS = local("SEATS_HELD", hold, undo=let_go, undone="SEATS_FREED", entity=lambda _: "Hamlet")
CONFIRMED = local("BUY_CONFIRMED", confirm, pivot=True, entity=lambda buy: buy.who)


def scene(*steps: Step, free: Any = 3, buys: Sequence[Buy] = (Buy("ada"),), bank: Any = Bank, **more: Any) -> Scenario:
    """These steps, on a bank and a show with some seats left."""
    used = {step.service for step in steps}
    given = {"SEATS": {"Hamlet": free}} if "SEATS" in used else {}
    models = {"CARD": adapter(bank, standing=standing, **more)} if "CARD" in used else {}
    return Scenario(Saga("tickets", Buy, steps), given, buys, models)


# 1. The reply is lost -------------------------------------------------------------------------------------------

lost_reply = scene(replace(CARD, probe=None, settles_within_s=None), CONFIRMED)
lost_reply_mended = scene(CARD, CONFIRMED)


# 2. No answer is taken for a no ---------------------------------------------------------------------------------


def charge_or_give_up(bank: Bank, buy: Buy, call: Call) -> Done[str] | Refused:
    try:
        return charge(bank, buy, call)
    except TimeoutError:
        return Refused("the bank does not answer")


silence_is_no = scene(replace(CARD, action=charge_or_give_up), CONFIRMED, also=[SlowBank])
silence_is_no_mended = scene(CARD, CONFIRMED, also=[SlowBank])


# 3. It happens twice --------------------------------------------------------------------------------------------


def charge_each_time(bank: Bank, buy: Buy, call: Call) -> Done[str]:
    return Done(bank.charge(f"{call.key}#{call.attempt}", 2100 * buy.seats))


twice = scene(replace(CARD, action=charge_each_time), CONFIRMED)
twice_mended = scene(CARD, CONFIRMED)


# 4. Killed half-way ---------------------------------------------------------------------------------------------


def note_and_charge(bank: Bank, buy: Buy, call: Call) -> Done[str]:
    if not bank.has(f"note of {call.key}"):
        bank.charge(f"note of {call.key}", 0)
        bank.charge(call.key, 2100 * buy.seats)
    return Done(call.key)


def charge_and_note(bank: Bank, buy: Buy, call: Call) -> Done[str]:
    bank.charge(call.key, 2100 * buy.seats)
    bank.charge(f"note of {call.key}", 0)
    return Done(call.key)


half_way = scene(replace(CARD, action=note_and_charge), CONFIRMED)
half_way_mended = scene(replace(CARD, action=charge_and_note), CONFIRMED)


# 5. The undo gives back something else --------------------------------------------------------------------------


def let_one_go(free: int, _: Buy) -> int:
    return free + 1


not_as_before = scene(replace(SEATS, undo=let_one_go), CONFIRMED, buys=(Buy("ada", 2),))
not_as_before_mended = scene(SEATS, CONFIRMED, buys=(Buy("ada", 2),))


# 6. The undo says no --------------------------------------------------------------------------------------------


def refund_or_refuse(bank: Bank, _: Buy, call: Call) -> Done[None] | Refused:
    return Done() if bank.refund(call.answer) else Refused("nothing to refund")


def refund_and_be_done(bank: Bank, _: Buy, call: Call) -> Done[None]:
    bank.refund(call.answer)
    return Done()


undo_says_no = scene(replace(CARD, undo=refund_or_refuse), CONFIRMED)
undo_says_no_mended = scene(replace(CARD, undo=refund_and_be_done), CONFIRMED)


# 7. The point of no return comes too early ----------------------------------------------------------------------

too_early = scene(CONFIRMED, replace(SEATS, undo=None, undone=""), free=1, buys=(Buy("ada"), Buy("bob")))
too_early_mended = scene(SEATS, CONFIRMED, free=1, buys=(Buy("ada"), Buy("bob")))


# 8. Others had what was taken back ------------------------------------------------------------------------------

GIVES_BACK, WAITS = Buy("ada", -1), Buy("bob", 1)

given_too_soon = scene(SEATS, CONFIRMED, free=0, buys=(GIVES_BACK, WAITS))


def give_out(free: int, buy: Buy) -> int:
    return free - min(buy.seats, 0)


def hold_only(free: int, buy: Buy) -> int | Refused:
    return hold(free, buy._replace(seats=max(buy.seats, 0)))


def let_only_go(free: int, buy: Buy) -> int:
    return free + max(buy.seats, 0)


given_too_soon_mended = scene(
    replace(SEATS, action=hold_only, undo=let_only_go),
    CONFIRMED,
    local("SEATS_GIVEN_OUT", give_out, entity=lambda _: "Hamlet"),
    free=0,
    buys=(GIVES_BACK, WAITS),
)


# 9. Two at a time -----------------------------------------------------------------------------------------------


def look(free: int, _: Buy) -> Changed[int, int]:
    return Changed(free, free)


def looked(free: int, _: Buy) -> int:
    return free


def write(_: int, buy: Buy, call: Call) -> int | Refused:
    return hold(call.answers["SEATS_SEEN"], buy)


SEEN = local("SEATS_SEEN", look, undo=looked, undone="SEATS_FORGOTTEN", entity=lambda _: "Hamlet")
two_at_a_time = scene(SEEN, replace(SEATS, action=write), CONFIRMED, buys=(Buy("ada"), Buy("bob")))
two_at_a_time_mended = scene(SEATS, CONFIRMED, buys=(Buy("ada"), Buy("bob")))


# 10. It comes back as something else ----------------------------------------------------------------------------


def take(taken: Any, buy: Buy) -> Any:
    return {**taken, len(taken) + 1: buy.who}


def leave(taken: Any, buy: Buy) -> Any:
    return {seat: who for seat, who in taken.items() if who != buy.who}


def take_typed(taken: dict[int, str], buy: Buy) -> dict[int, str]:
    return {**taken, len(taken) + 1: buy.who}


def leave_typed(taken: dict[int, str], buy: Buy) -> dict[int, str]:
    return {seat: who for seat, who in taken.items() if who != buy.who}


read_back = scene(replace(SEATS, action=take, undo=leave), CONFIRMED, free={})
read_back_mended = scene(replace(SEATS, action=take_typed, undo=leave_typed), CONFIRMED, free={})
