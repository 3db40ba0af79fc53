"""Verbs that race with answers and with each other: in no order is money lost that is listed nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product

import pytest

from amends import Abandon, Cancel, Compensate, Done, Kind, Refused, Resolve, Retry, Saga, Undo, Unknown, external
from amends.adapters.memory import MemoryStore
from amends.core.effects import Decline
from amends.core.messages import Answered, Outcome, Verb
from amends.engine.tasks import Deliver
from amends.views.sagas import AsOf
from amends.views.story import Description, describe
from tests.engine.world import Life, nothing

CHARGED = "CARD_CHARGED"
SALE = Saga(
    "sale",
    int,
    [
        external(CHARGED, nothing, undo=nothing, undone="CARD_REFUNDED"),
        external("PARCEL_SENT", nothing, pivot=True),
    ],
)
WISHES: list[Verb] = [Cancel(by="ann"), Compensate(by="bob"), Abandon(by="cy"), Retry(CHARGED, by="di")]
CHARGES: list[Outcome] = [Done("receipt"), Refused("no money"), Unknown("timeout")]
REFUNDS: list[Outcome] = [Done(), Refused("the account is closed"), Unknown("timeout")]


def asked() -> Life:
    """Return a sale whose card is asked."""
    life = Life(MemoryStore(), SALE)
    life.begin(1)
    return life


def stuck() -> Life:
    """Return a sale that cannot be undone."""
    life = asked()
    life.turn(Deliver("a-1", Answered(CHARGED, Kind.DO, Done("receipt"), 1)))
    life.turn(Deliver("a-1", Answered("PARCEL_SENT", Kind.DO, Refused("no address"), 1)))
    life.turn(Deliver("a-1", Answered(CHARGED, Kind.UNDO, Refused("the account is closed"), 1)))
    return life


def seen(life: Life) -> Description:
    """Return what an operator sees of the sale."""
    return describe(life.store, "a-1", AsOf(life.now_ms))


def heard(life: Life, inputs: Sequence[Verb | Answered], *, at_once: bool) -> list[Verb | Answered]:
    """Have inputs heard, in one turn or each in one; return the verbs that were taken."""
    tasks = [Deliver("a-1", said) for said in inputs]
    replies = life.turn(*tasks).replies if at_once else [life.turn(task).replies[0] for task in tasks]
    return [said for said, reply in zip(inputs, replies, strict=True) if not isinstance(reply, Decline | Exception)]


def left_standing(life: Life, *, is_charged: bool, is_refunded: bool) -> None:
    """What was charged and not refunded is the sale's, or listed, or an operator or the engine still sees to it."""
    told = seen(life)
    goes_on = "PARCEL_SENT/do" in told.outstanding  # from the pivot on, the charge stands, and the rest is owed
    listed = f"{CHARGED}/undo" in told.outstanding or CHARGED in told.owed or goes_on
    if is_charged and not is_refunded:
        assert listed or told.status in ("forward", "completed"), told
    if told.has_ended and told.status != "abandoned":
        assert is_charged == (told.status == "completed") or is_refunded or listed, told


@pytest.mark.parametrize("at_once", [True, False])
def test_verbs_race_with_the_answer_of_an_action(at_once: bool) -> None:
    """Two of them and the answer, in every order: who was not heard is told, and what stands is listed."""
    for (one, two), said in product(permutations(WISHES, 2), CHARGES):
        answer = Answered(CHARGED, Kind.DO, said, 1)
        for inputs in permutations([one, two, answer]):
            life = asked()
            taken = heard(life, inputs, at_once=at_once)
            assert len([each for each in taken if isinstance(each, Cancel | Compensate)]) <= 1, inputs
            assert [verb.by for verb in seen(life).verbs] == [each.by for each in taken if each is not answer], inputs
            left_standing(life, is_charged=isinstance(said, Done), is_refunded=False)


@pytest.mark.parametrize("at_once", [True, False])
def test_verbs_race_with_the_answer_of_a_compensation(at_once: bool) -> None:
    """Of a saga that is stuck: an answer that comes after all, a retry, an outcome that is told, and giving up."""
    wishes: list[Verb] = [
        Retry(CHARGED, by="ann"),
        Abandon(by="bob"),
        Resolve(CHARGED, Done(), by="cy"),
        Compensate(by="di"),
    ]
    for (one, two), said in product(permutations(wishes, 2), REFUNDS):
        answer = Answered(CHARGED, Kind.UNDO, said, 1)
        for inputs in permutations([one, two, answer]):
            life = stuck()
            taken = heard(life, inputs, at_once=at_once)
            is_refunded = isinstance(said, Done) or any(isinstance(each, Resolve) for each in taken)
            left_standing(life, is_charged=True, is_refunded=is_refunded)
            if any(isinstance(each, Abandon) for each in taken):
                assert seen(life).status == "abandoned"


def test_a_debt_is_undone_once_however_many_ask() -> None:
    """A charge that is heard of late is owed until one compensation is done; then another `Undo` is refused."""
    life = asked()
    heard(life, [Answered(CHARGED, Kind.DO, Refused("no money"), 1)], at_once=True)
    heard(life, [Answered(CHARGED, Kind.DO, Done("receipt"), 1)], at_once=True)
    assert seen(life).owed == (CHARGED,)
    assert len(heard(life, [Undo(CHARGED, by="ann"), Undo(CHARGED, by="bob")], at_once=False)) == 2
    heard(life, [Answered(CHARGED, Kind.UNDO_LATE, Done(), 1)], at_once=True)
    assert seen(life).owed == ()
    assert heard(life, [Undo(CHARGED, by="cy")], at_once=True) == []
