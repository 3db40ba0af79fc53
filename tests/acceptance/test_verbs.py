"""`amends cancel`, `retry`, `resolve`, `abandon`, `answer` and `undo`: with an engine, without one, and by mistake."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

import amends as package
from amends import Abandoned, Call, Compensated, Completed, Done, Later, Refused, RequestRefused, Saga, external
from amends.engine.blocking import BlockingEngine
from tests.acceptance.command import Ran, amends, command_line, environment
from tests.engine.test_engine import PATIENCE_S
from tests.engine.test_verbs import ORDER, Bank, opened, stuck

WHY = "the account is open again"


class Shop(NamedTuple):
    """A running engine with a saga that waits for an operator.

    Attributes:
        engine: on a file.
        db: the file.
        bank: refunds once it is open.
        saga_id: of the saga.
    """

    engine: BlockingEngine
    db: Path
    bank: Bank
    saga_id: str

    def say(self, *words: str) -> Ran:
        """Run a command on the file."""
        return amends(*words, "--db", self.db)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Return a shop whose engine runs."""
    bank = Bank()
    with opened(bank, tmp_path) as engine:
        yield Shop(engine, tmp_path / "orders.db", bank, stuck(engine))


def test_a_running_engine_is_told(shop: Shop) -> None:
    """What is to be done is said before; the step is found, as only one waits; who and why is on record."""
    shop.bank.is_open = True
    ran = shop.say("retry", shop.saga_id, "--by", "ann", "--reason", WHY)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"{shop.saga_id}  order 1, needs operator: needs an operator: the account is closed\n"
        f"  is to ask CARD_CHARGED/undo again now\n{shop.saga_id}: done\n"
    )
    assert isinstance(shop.engine.result(shop.saga_id, PATIENCE_S).state, Compensated)
    (verb,) = shop.engine.describe(shop.saga_id).verbs
    assert (verb.verb, verb.step, verb.by, verb.reason) == ("retry", "CARD_CHARGED", "ann", WHY)


def test_an_outcome_is_told(shop: Shop) -> None:
    """By who knows it, as JSON; as a document, nothing but that is printed."""
    ran = shop.say("resolve", shop.saga_id, "--done", '{"by": "hand"}', "--by", "ann", "--json")
    assert json.loads(ran.out) == {
        "form": 1, "verb": "resolve", "by": "ann", "reason": "",
        "sagas": [{"saga_id": shop.saga_id, "step": "CARD_CHARGED", "came_to": "done", "why": ""}],
    }  # fmt: skip
    assert isinstance(shop.engine.result(shop.saga_id, PATIENCE_S).state, Compensated)


def test_many_are_given_up_by_a_filter(shop: Shop) -> None:
    """No more than the limit says; each keeps what it owes."""
    ids = [shop.saga_id, stuck(shop.engine), stuck(shop.engine)]
    ran = shop.say(
        "abandon", "--where", "status=needs-operator", "--where", "saga=order", "--limit", "2", "--by", "bob"
    )
    assert (ran.code, ran.err) == (0, "amends: only the newest 2 sagas; --limit N means N of them\n")
    assert ran.out.endswith("".join(f"{saga_id}: done\n" for saga_id in reversed(ids[1:])))
    for saga_id in ids[1:]:
        assert shop.engine.result(saga_id, PATIENCE_S).state == Abandoned(("CARD_CHARGED/undo",))
    assert shop.engine.describe(ids[0]).status == "needs operator"
    assert shop.say("abandon", "--where", "saga=trip", "--by", "bob").out == "no saga is like that\n"


def test_an_answer_is_brought_and_a_late_cancel_refused(shop: Shop) -> None:
    """The engine's own words say why, on one line, and the command ends with 1."""
    saga_id = shop.engine.submit(ORDER, 4200).saga_id
    while not shop.engine.pending():
        pass
    ran = shop.say("cancel", saga_id, "--by", "ann")
    assert ran.code == 1
    assert "too late: the pivot's request is committed" in ran.err
    assert ran.err.count("\n") == 1
    assert shop.say("answer", saga_id, "--done", "null", "--by", "parcel service").code == 0
    assert isinstance(shop.engine.result(saga_id, PATIENCE_S).state, Completed)


def test_without_an_engine_the_letter_waits_or_one_is_opened(tmp_path: Path) -> None:
    """It says which; the next engine acts on the letter, once."""
    with opened(Bank(), tmp_path) as engine:
        first, second = stuck(engine), stuck(engine)
    db = tmp_path / "orders.db"
    ran = amends("abandon", first, "--by", "ann", "--db", db)
    assert ran.code == 3
    assert f"{first}: no engine has acted on it yet; the letter waits for one." in ran.err
    ran = amends("abandon", second, "--by", "bob", "--db", db, "--saga", "tests.engine.test_verbs")
    assert (ran.code, ran.err) == (0, "")
    with opened(Bank(), tmp_path) as engine:
        for saga_id, who in ((first, "ann"), (second, "bob")):
            assert isinstance(engine.result(saga_id, PATIENCE_S).state, Abandoned)
            assert [verb.by for verb in engine.describe(saga_id).verbs] == [who]


WRONG = {
    ("retry", "SAGA"): "retry: say who you are: --by WHO; it is kept in the saga's record",
    ("retry", "--by", "ann"): "retry: name a saga, or give --where KEY=VALUE, and not both",
    (
        "retry",
        "SAGA",
        "--where",
        "status=waiting",
        "--by",
        "ann",
    ): "retry: name a saga, or give --where KEY=VALUE, and not",
    ("retry", "nobody-1", "--by", "ann"): "there is no saga 'nobody-1'",
    ("retry", "SAGA", "--by", "a\nb"): "by is 'a\\nb'; give printable text, at most 255 characters",
    (
        "retry",
        "SAGA",
        "--by",
        "ann",
        "--step",
        "CARD",
    ): "has no step 'CARD' so far; its steps are CARD_CHARGED, ",
    (
        "retry",
        "SAGA",
        "--by",
        "ann",
        "--step",
        "PARCEL_SENT",
    ): "PARCEL_SENT is none that takes retry now; ",
    ("undo", "SAGA", "--by", "ann"): "it is not clear which step takes undo now; those that do are none",
    ("resolve", "SAGA", "--by", "ann"): "resolve: give --done JSON, such as --done null, or --refused TEXT",
    (
        "resolve",
        "SAGA",
        "--by",
        "ann",
        "--done",
        "1",
        "--refused",
        "no",
    ): "resolve: give --done JSON, such as --done null",
    ("resolve", "SAGA", "--by", "ann", "--done", "receipt"): "--done 'receipt' is no JSON: ",
    ("cancel", "--where", "status", "--by", "ann"): "--where 'status': give KEY=VALUE, KEY being one of status, saga, ",
    (
        "cancel",
        "--where",
        "state=stuck",
        "--by",
        "ann",
    ): "--where 'state=stuck': give KEY=VALUE, KEY being one of",
    (
        "cancel",
        "--where",
        "status=stuck",
        "--by",
        "ann",
    ): "--where 'status=stuck': a status is forward, backward",
    ("cancel", "--where", "older=soon", "--by", "ann"): "'soon' is no length of time",
    ("cancel", "SAGA", "--by", "ann", "--limit", "0"): "Invalid value for '--limit'",
    ("cancel", "SAGA", "--by", "ann", "--timeout", "soon"): "Invalid value for '--timeout'",
    ("cancel", "SAGA", "--by", "ann", "--step", "CARD_CHARGED"): "No such option: --step",
}


def test_what_cannot_be_said_is_one_line_and_2_and_changes_nothing(shop: Shop) -> None:
    """Whatever is wrong: who, what, to whom, how many; with an engine that runs."""
    before = shop.engine.describe(shop.saga_id).number
    for words, said in WRONG.items():
        ran = shop.say(*(shop.saga_id if word == "SAGA" else word for word in words))
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1), words
        assert said in ran.err, words
    assert shop.engine.describe(shop.saga_id).number == before
    assert amends("cancel", "a-1", "--by", "ann", "--db", shop.db.with_name("none.db")).code == 2


def test_two_commands_at_once_are_two_letters_of_which_one_is_taken(shop: Shop) -> None:
    """As of two operators; the engine tells the other one."""
    assert shop.say("abandon", shop.saga_id, "--by", "ann").code == 0
    with pytest.raises(RequestRefused, match="too late: the saga is abandoned"):
        shop.engine.resolve(shop.saga_id, "CARD_CHARGED", Done(), by="bob")
    ran = shop.say("abandon", shop.saga_id, "--by", "bob")
    assert (ran.code, ran.out) == (2, "")
    assert "has ended: it is abandoned, and takes no abandon" in ran.err


REPAID: list[object] = []


def pay(_: object, cents: int, __: object) -> Later | Refused:
    """PAID: the bank answers later, or refuses what is too much."""
    return Later(3600) if cents < 100 else Refused("no money")


def repay(_: object, __: int, call: Call) -> Done:
    """REPAID."""
    REPAID.append(call.answer)
    return Done()


PAYMENT = Saga(
    "payment",
    int,
    [external("PAID", pay, undo=repay, undone="REPAID"), external("SHIPPED", lambda *_: Later(3600), pivot=True)],
)


def asked(engine: BlockingEngine) -> str:
    """Return a saga whose payment was asked for, and is answered later."""
    saga_id = engine.submit(PAYMENT, 7).saga_id
    bounded(lambda: any(pending.saga_id == saga_id for pending in engine.pending()))
    return saga_id


def owed(engine: BlockingEngine) -> str:
    """Return a saga that was compensated, and whose payment came after all."""
    saga_id = engine.submit(PAYMENT, 700).saga_id
    assert isinstance(engine.result(saga_id, PATIENCE_S).state, Compensated)
    engine.answer(f"{saga_id}/PAID/do", Done("receipt 7"), by="bank")
    return saga_id


def bounded(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.01)


VERBS: Mapping[str, tuple[Callable[[BlockingEngine], str], Sequence[str], str]] = {
    "cancel": (asked, (), "cancel by ann: for a test"),
    "retry": (asked, (), "retry PAID by ann: for a test"),
    "resolve": (asked, ("--done", '"receipt"'), "resolve PAID done by ann: for a test"),
    "abandon": (asked, (), "abandon by ann: for a test"),
    "answer": (asked, ("--done", '"receipt"'), "PAID/do done by ann: for a test"),
    "undo": (owed, (), "undo PAID by ann: for a test"),
}
"""By verb: the saga that it is said to, what it takes beside, and what is on record then."""


@pytest.mark.parametrize("door", ["a running engine", "one that is opened here", "a letter"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_comes_through_every_door(verb: str, door: str, tmp_path: Path) -> None:
    """Once, with who said it and why: by an engine that runs, by one that the command opens, and by the next one."""
    make, more, told = VERBS[verb]
    db, REPAID[:] = tmp_path / "payments.db", []
    opening = package.open(f"sqlite:///{db}", sagas=[PAYMENT])
    with opening as engine:
        saga_id = make(engine)
        words: Sequence[str | Path] = (verb, saga_id, *more, "--by", "ann", "--reason", "for a test", "--db", db)
        if door == "a running engine":
            assert amends(*words).code == 0
    if door == "one that is opened here":
        ran = amends(*words, "--saga", "tests.acceptance.test_verbs")
        assert (ran.code, ran.err) == (0, "")
    elif door == "a letter":
        assert amends(*words).code == 3
    with opening as engine:
        bounded(lambda: told in amends("show", saga_id, "--db", db).out)
        if verb == "undo":
            bounded(lambda: not engine.describe(saga_id).owed)
            assert REPAID == ["receipt 7"]
        if verb == "abandon":
            assert engine.describe(saga_id).outstanding == ("PAID/undo",)


def test_what_is_owed_is_listed_and_undone_once(tmp_path: Path) -> None:
    """A payment that was refused came after all: it is found by its status, given back, and owed no longer."""
    db, REPAID[:] = tmp_path / "payments.db", []
    with package.open(f"sqlite:///{db}", sagas=[PAYMENT]) as engine:
        saga_id = engine.submit(PAYMENT, 700).saga_id
        assert isinstance(engine.result(saga_id, PATIENCE_S).state, Compensated)
        late = "answer", saga_id, "--step", "PAID", "--done", '"receipt 7"', "--by", "bank", "--db", db
        assert amends(*late).code == 0
        assert saga_id in amends("sagas", "--status", "owed", "--db", db).out
        assert "owed" in amends("status", "--db", db).out
        ran = amends("undo", "--where", "status=owed", "--by", "ann", "--reason", "the customer wrote", "--db", db)
        assert (ran.code, ran.err) == (0, "")
        assert "is to have PAID/undo-late undone, whose effect is owed" in ran.out
        assert ran.out.endswith(f"{saga_id}: done\n")
        bounded(lambda: not engine.describe(saga_id).owed)
        assert REPAID == ["receipt 7"]
        assert amends("sagas", "--status", "owed", "--db", db).out == "no saga is like that\n"
        again = amends("undo", saga_id, "--by", "bob", "--db", db)
        assert (again.code, again.out) == (2, "")
        assert "those that do are none" in again.err
        assert [verb.by for verb in engine.describe(saga_id).verbs] == ["ann"]
    assert amends("audit", "verify", "--db", db).code == 0


def test_of_two_operators_at_once_one_wins_and_the_other_is_told(shop: Shop) -> None:
    """Two processes of the command, in the same moment; nothing is done twice."""
    with_outcome = {"abandon": (), "resolve": ("--done", "null")}
    running = {
        verb: subprocess.Popen(
            command_line(verb, shop.saga_id, *more, "--by", verb, "--db", shop.db),
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for verb, more in with_outcome.items()
    }  # fmt: skip
    told = {verb: process.communicate(timeout=PATIENCE_S)[1] for verb, process in running.items()}
    codes = {verb: process.returncode for verb, process in running.items()}
    winner = min(codes, key=lambda verb: codes[verb])
    (loser,) = codes.keys() - {winner}
    assert (codes[winner], told[winner]) == (0, "")
    assert codes[loser] in (1, 2), "it was refused by the engine, or the saga had ended when it was looked at"
    assert told[loser].count("\n") == 1
    assert (
        f"the saga is {'abandoned' if winner == 'abandon' else 'compensated'}" in told[loser] or "ended" in told[loser]
    )
    bounded(lambda: shop.engine.describe(shop.saga_id).has_ended)
    assert [verb.by for verb in shop.engine.describe(shop.saga_id).verbs] == [winner]
