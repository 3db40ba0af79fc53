"""One suite that every database and driver runs: what is asked twice, late or backwards happens once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amends import Call, Changed, Done, Kind, Later, ParticipantError, Refused, Request, Unknown, inbox, local
from amends.core.inbox import TOMBSTONE, Inbox, receive
from tests.inbox.databases import Database

DO, UNDO = Call("s1/CHARGED/do"), Call("s1/CHARGED/undo")
LIMIT = 5


class Crash(Exception):
    """The process dies, as far as the database can see."""


@pytest.fixture
def account(database: Database) -> Database:
    """Every database, with an account of which nothing is used."""
    database.open_account()
    return database


def charge(account: Database, db: Any, amount: int) -> Callable[[], Done | Refused]:
    """Return an effect that uses the account, up to its limit; it writes first, and refuses then."""

    def effect() -> Done | Refused:
        account.add(db, amount)
        used = account.execute(db, "SELECT used FROM account WHERE id = 'a'")[0][0]
        return Done({"charged": amount}) if used <= LIMIT else Refused(f"{used} would be used, of {LIMIT}")

    return effect


def refund(account: Database, db: Any) -> Callable[[Any], None]:
    """Return an effect that takes back what the action's answer says."""
    return lambda answer: account.add(db, -answer["charged"])


@contextmanager
def transaction(account: Database) -> Iterator[Any]:
    """Connect, and begin."""
    with account.connect() as db, account.transaction(db):
        yield db


def do(account: Database, amount: int = 2, call: Call = DO) -> Done | Refused:
    """Deliver the action, in a transaction on a connection of its own."""
    with transaction(account) as db:
        return inbox.once(db, call, charge(account, db, amount))


def undo(account: Database) -> Done | Refused:
    """Deliver the undo likewise."""
    with transaction(account) as db:
        return inbox.undo_once(db, UNDO, refund(account, db))


def deliver(account: Database, db: Any, call: Call, amount: int, *, crashes: bool) -> Done | Refused | None:
    """Deliver a request; ``None`` when the process dies before the transaction ends."""
    said = None
    with suppress(Crash), account.transaction(db):
        if call.key.endswith("/do"):
            said = inbox.once(db, call, charge(account, db, amount))
        else:
            said = inbox.undo_once(db, call, refund(account, db))
        if crashes:
            raise Crash
    return None if crashes else said


def test_an_action_and_its_undo(account: Database) -> None:
    """The undo gets the action's answer, from the inbox."""
    assert (do(account), account.used()) == (Done({"charged": 2}), 2)
    assert (undo(account), account.used()) == (Done(), 0)


def test_a_duplicate_gets_the_first_answer_again(account: Database) -> None:
    """Whatever it asks, done or undone."""
    assert [do(account), do(account, 3)] == [Done({"charged": 2})] * 2
    assert account.used() == 2
    assert [undo(account), undo(account)] == [Done()] * 2
    assert do(account) == Done({"charged": 2})
    assert account.used() == 0


def test_a_duplicate_in_the_same_transaction(account: Database) -> None:
    """A batch of messages may hold a key twice."""
    with transaction(account) as db:
        first, again = (inbox.once(db, DO, charge(account, db, 2)) for _ in range(2))
    assert first == again == Done({"charged": 2})
    assert account.used() == 2


def test_a_refusal_is_remembered_and_leaves_nothing(account: Database) -> None:
    """It stays a no when there is room by then; what was written before it is taken back."""
    refused = Refused("9 would be used, of 5")
    assert (do(account, 9), account.used()) == (refused, 0)
    assert (do(account, 1), account.used()) == (refused, 0)


def test_an_undo_of_what_was_refused_has_nothing_to_undo(account: Database) -> None:
    """It is done, and its effect is not called."""
    do(account, 9)
    assert (undo(account), account.used()) == (Done(), 0)


def test_an_undo_before_its_action_leaves_a_tombstone(account: Database) -> None:
    """The late action is refused, and stays refused."""
    assert [undo(account), do(account), do(account), undo(account)] == [Done(), TOMBSTONE, TOMBSTONE, Done()]
    assert account.used() == 0


def test_a_refused_undo_is_remembered(account: Database) -> None:
    """It is for an operator then, and the action stands."""
    do(account)
    for _ in range(2):
        with transaction(account) as db:
            assert inbox.undo_once(db, UNDO, lambda _answer: Refused("closed")) == Refused("closed")
    assert account.used() == 2


def test_an_undo_changes_nothing_of_what_was_answered(account: Database) -> None:
    """It may do with its copy what it wants."""
    do(account)
    with transaction(account) as db:
        inbox.undo_once(db, UNDO, lambda answer: answer.clear())
    assert do(account) == Done({"charged": 2})


def test_a_rollback_leaves_nothing(account: Database) -> None:
    """Neither effect nor answer: the request comes again, and happens then."""
    with account.connect() as db:
        assert deliver(account, db, DO, 2, crashes=True) is None
    with transaction(account) as db:
        assert not account.execute(db, "SELECT * FROM amends_inbox")
    assert account.used() == 0
    assert (do(account), account.used()) == (Done({"charged": 2}), 2)


def test_an_effect_that_raises_leaves_nothing(account: Database) -> None:
    """Not even when its user goes on and commits: the request comes again, and happens then."""

    def fails() -> Done:
        account.add(db, 2)
        raise Crash

    with transaction(account) as db:
        with pytest.raises(Crash):
            inbox.once(db, DO, fails)
        account.add(db, 1)
    assert account.used() == 1
    assert (do(account), account.used()) == (Done({"charged": 2}), 3)


def test_an_error_of_the_database_leaves_nothing(account: Database) -> None:
    """The transaction can go on, also on PostgreSQL, which aborts it up to the savepoint."""

    def opens_again() -> None:
        account.execute(db, "INSERT INTO account (id, used) VALUES ('a', 0)")

    with transaction(account) as db:
        with pytest.raises(Exception, match=r"(?i)unique"):
            inbox.once(db, DO, opens_again)
        account.add(db, 1)
    assert (do(account), account.used()) == (Done({"charged": 2}), 3)


def test_the_first_answer_is_what_is_read_again(account: Database) -> None:
    """So that it equals those that follow: a tuple is the list that it comes back as."""
    said = []
    for _ in range(2):
        with transaction(account) as db:
            said.append(inbox.once(db, DO, lambda: Done({"rows": (1, 2.5), "text": "ü\0'\"%s :x", "no": None})))
    assert said == [Done({"rows": [1, 2.5], "text": "ü\0'\"%s :x", "no": None})] * 2


WRONG = [object(), "\ud800", {1, 2}, float("nan"), b"a", {1: 2}]


@pytest.mark.parametrize("answer", WRONG, ids=["object", "surrogate", "set", "nan", "bytes", "keys"])
def test_an_answer_that_would_not_come_back_leaves_nothing(account: Database, answer: object) -> None:
    """It is an error of the participant."""

    def effect() -> Done:
        account.add(db, 2)
        return Done(answer)

    with pytest.raises(ValueError, match="s1/CHARGED/do: the answer cannot be stored"), transaction(account) as db:
        inbox.once(db, DO, effect)
    assert (account.used(), do(account), account.used()) == (0, Done({"charged": 2}), 2)


@pytest.mark.parametrize("said", [Later(5), Unknown("?"), 1], ids=repr)
def test_an_effect_says_done_refused_or_nothing(account: Database, said: Any) -> None:
    """Anything else leaves nothing."""

    def effect() -> Any:
        account.add(db, 2)
        return said

    with pytest.raises(ParticipantError, match="s1/CHARGED/do: the effect gave back"), transaction(account) as db:
        inbox.once(db, DO, effect)
    assert account.used() == 0


def test_a_call_goes_where_its_key_says(account: Database) -> None:
    """An undo never runs an action, nor the other way round."""
    with transaction(account) as db:
        with pytest.raises(ParticipantError, match="'s1/CHARGED/undo', not 'saga/step/do'"):
            inbox.once(db, UNDO, lambda: None)
        with pytest.raises(ParticipantError, match="'s1/CHARGED/do', not 'saga/step/undo'"):
            inbox.undo_once(db, DO, lambda _answer: None)
        with pytest.raises(ParticipantError, match="'CHARGED/do', not"):
            inbox.once(db, Call("CHARGED/do"), lambda: None)


def test_no_effect_begins_after_the_deadline(account: Database) -> None:
    """The request comes again, and gets its answer then; an answer that is there is given at any time."""
    late, later = replace(DO, deadline=time.time()), replace(UNDO, deadline=time.time())
    with pytest.raises(TimeoutError, match="s1/CHARGED/do: its deadline is over"):
        do(account, call=late)
    assert account.used() == 0
    assert do(account, call=replace(DO, deadline=time.time() + 3600)) == do(account, call=late) == Done({"charged": 2})
    with pytest.raises(TimeoutError, match="s1/CHARGED/undo"), transaction(account) as db:
        inbox.undo_once(db, later, refund(account, db))
    assert account.used() == 2


def test_participants_and_sagas_share_a_table(account: Database) -> None:
    """A key has saga and step in it; any text that a name may hold is kept apart."""
    keys = [f"{saga}/{step}/do" for saga in ("s1", "s2", "S1", "s1 ", "ü'%:x") for step in ("CHARGED", "HELD", "?")]
    for key in keys:
        assert do(account, 0, Call(key)) == Done({"charged": 0})
    with transaction(account) as db:
        rows = account.execute(db, "SELECT saga, step, do_answer, undo_answer FROM amends_inbox")
    assert {tuple(row) for row in rows} == {(*key.split("/")[:2], '{"done":{"charged":0}}', None) for key in keys}


def test_an_effect_that_ends_the_transaction_is_told(account: Database) -> None:
    """Loudly: a commit there would part effect and inbox."""

    def commits() -> None:
        account.add(db, 2)
        db.commit() if hasattr(db, "commit") else db.execute("COMMIT")

    with account.connect() as db:
        begun = ExitStack()
        begun.enter_context(account.transaction(db))
        with pytest.raises(Exception, match=r"the effect ended|commit\(\) forbidden|is forbidden when an 'atomic'"):
            inbox.once(db, DO, commits)
        with suppress(Exception):  # the driver may find that nothing is left to end
            begun.close()


# Against the rule itself ---------------------------------------------------------------------------------------


def charge_purely(used: int, amount: int) -> Changed | Refused:
    """What `charge` does, on the number alone."""
    after = used + amount
    return Changed(after, {"charged": amount}) if after <= LIMIT else Refused(f"{after} would be used, of {LIMIT}")


def refund_purely(used: int, _amount: int, call: Call) -> int:
    """What `refund` does."""
    return used - int(call.answer["charged"])


STEP = local("CHARGED", charge_purely, undo=refund_purely, undone="REFUNDED", entity=str)
DELIVERIES = st.tuples(st.sampled_from(["s1", "s2", "s3"]), st.sampled_from([Kind.DO, Kind.UNDO]), st.integers(0, 4))
EXAMPLES = settings().max_examples // 4  # each is a dozen commits to a disk
CRASHES = st.sampled_from([False, False, False, True])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=EXAMPLES)
@given(st.lists(st.tuples(DELIVERIES, CRASHES), max_size=12))
def test_any_deliveries_do_what_the_rule_says(database: Database, deliveries: list[Any]) -> None:
    """Three sagas on one account, in any order, with crashes: each answer and all that is left, as `receive` has it."""
    database.open_account()
    known: Inbox = {}
    used: Any = 0
    with database.connect() as db:
        for (saga_id, kind, amount), crashes in deliveries:
            request = Request(saga_id, "CHARGED", kind, amount, Call(f"{saga_id}/CHARGED/{kind.value}"))
            said = deliver(database, db, request.call, amount, crashes=crashes)
            if not crashes:
                known, used, wanted = receive(known, used, request, STEP)
                assert said == wanted
    assert database.used() == used
