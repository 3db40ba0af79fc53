"""PAYMENT: the customers' credit."""

from __future__ import annotations

from typing import Final, NamedTuple

from amends.core.definition import Command
from amends.core.messages import Refused
from amends.shop.purchase import Purchase
from amends.shop.values import new

PAYMENT: Final = "PAYMENT"


class Account(NamedTuple):
    """A customer's credit.

    Attributes:
        credit_limit: 1 to 1 000 000.
        credit_used: what orders took; above the limit only when the limit was lowered later, or for a short order
            on its way back.
    """

    credit_limit: int
    credit_used: int


def process(account: Account, purchase: Purchase) -> Account | Refused:
    """PAYMENT_PROCESSED."""
    limit, used = account
    amount = purchase.total_amount
    if amount > limit - used and amount and not purchase.short:
        return Refused(f"{amount} exceeds the credit left: {limit - used} of {limit}")
    return new(Account, (limit, used + amount))


def refund(account: Account, purchase: Purchase) -> Account:
    """PAYMENT_REFUNDED."""
    return new(Account, (account.credit_limit, account.credit_used - purchase.total_amount))


def set_limit(account: Account | None, credit_limit: int) -> Account:
    """CREDIT_LIMIT_SET: a new customer, or a new limit for one; what is used stays used."""
    return Account(credit_limit, account.credit_used if account else 0)


CREDIT_LIMIT_SET: Final = Command("CREDIT_LIMIT_SET", PAYMENT, set_limit)
