"""One request, answered once, in the transaction of the user who serves it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from amends.core.definition import Step
from amends.core.inbox import receive
from amends.core.messages import Call, Changed, Done, Kind, Refused, Request
from amends.core.walk import key_of, parts_of
from amends.databases.database import Database, commits_each_statement
from amends.databases.kinds import database_of
from amends.errors import ParticipantError
from amends.inbox.rows import InboxRow, as_read, claim, write

Effect = Callable[[Any], Done | Refused | None]
"""From the action's answer (of an action itself: ``None``) to what it says."""

ELSEWHERE: Final = "in the user's database"  # the entity: the rule hands it on, and asks nothing of it


def once(connection: Any, call: Call, effect: Callable[[], Done | Refused | None]) -> Done | Refused:
    """Carry out an action, unless it was answered before or its undo came first.

    Effect and answer are written in the transaction that is open, and are as lasting as it: answer only once it is
    committed. The first delivery has the row; others wait at this call for the end of its transaction.

    Args:
        connection: of sqlite3, apsw, psycopg 3 or Django, or a connection or session of SQLAlchemy 2, on SQLite or
            PostgreSQL; inside a transaction, which is neither committed nor rolled back here.
        call: as the participant got it.
        effect: what to do, on the same connection; it neither commits nor rolls back. ``None`` is ``Done()``. What it
            wrote before it refused is taken back.

    Returns:
        What the effect said, or what was said the first time; `Refused` when the undo came first.

    Raises:
        UnusableInput: the connection is of no known kind.
        ParticipantError: the connection commits each statement by itself; the call asks for an undo; the effect gave
            back what none may.
        ValueError: the effect's answer would not come back from JSON as it was.
        TimeoutError: the call's deadline is over, and the effect was not called: the request comes again.
        Exception: what effect and driver raise (a lock that was not had in time, a transaction that has to be
            tried again). What the effect wrote is taken back; the outcome is unknown, and the request comes again.
    """
    return _answered(connection, call, Kind.DO, lambda _answer: effect())


def undo_once(connection: Any, call: Call, effect: Callable[[Any], Done | Refused | None]) -> Done | Refused:
    """Undo an action, unless that was answered before or there is nothing to undo.

    An action that never came is refused from now on; one that was refused needs no undo. Both are `Done`, and the
    effect is not called.

    Args:
        connection: as for `once`.
        call: as the participant got it.
        effect: as for `once`; gets the answer of the action, from the inbox.

    Returns:
        As for `once`.

    Raises:
        ParticipantError: as for `once`; the call asks for an action.
        UnusableInput, ValueError, TimeoutError, Exception: as for `once`.
    """
    return _answered(connection, call, Kind.UNDO, effect)


def _answered(connection: Any, call: Call, kind: Kind, effect: Effect) -> Done | Refused:
    saga_id, event = _step_of(call, kind)
    database = database_of(connection)
    if commits_each_statement(database.driver):
        raise ParticipantError(
            f"{call.key}: the connection commits each statement by itself, so that effect and inbox could part; "
            "begin a transaction around inbox.once and inbox.undo_once"
        )

    def function(_entity: Any, _body: Any, asked: Call) -> Changed | Refused:
        if time.time() >= call.deadline:  # after the wait for the row
            raise TimeoutError(f"{call.key}: its deadline is over, so that its answer would count for nothing")
        said = _tried(database, call, lambda: effect(asked.answer))
        return said if isinstance(said, Refused) else Changed(ELSEWHERE, said.answer)

    step = Step(event, function, service=event, undo=function)
    keys = [key_of(saga_id, step, each) for each in (Kind.DO, Kind.UNDO)]
    row = claim(database, saga_id, event)
    inbox = {key: said for key, said in zip(keys, row, strict=True) if said is not None}
    after, _entity, answer = receive(inbox, None, Request(saga_id, event, kind, None, call), step)
    if after is not inbox:
        write(database, saga_id, event, InboxRow(*map(after.get, keys)))
    return answer


def _step_of(call: Call, kind: Kind) -> tuple[str, str]:
    saga_id, event, called = parts_of(call.key)
    if called != kind.value or not (saga_id and event):
        raise ParticipantError(
            f"the call's key is {call.key!r}, not 'saga/step/{kind.value}'; an action calls once, an undo undo_once"
        )
    return saga_id, event


class _TurnedBack(Exception):
    """A refusal on its way out of the savepoint, which takes back what was written before it."""

    def __init__(self, refused: Refused) -> None:
        self.refused = refused


def _tried(database: Database, call: Call, effect: Callable[[], object]) -> Done | Refused:
    try:
        with database.savepoint():
            return _done(as_read(_said(call, effect()), call.key))
    except _TurnedBack as back:
        return back.refused


def _done(said: Done | Refused) -> Done:
    if isinstance(said, Refused):
        raise _TurnedBack(said)
    return said


def _said(call: Call, outcome: object) -> Done | Refused:
    if outcome is None:  # it returned, and did not raise: as for every participant's function
        return Done()
    if not isinstance(outcome, Done | Refused):
        raise ParticipantError(
            f"{call.key}: the effect gave back {outcome!r:.200}; return Done(answer), Refused(reason) or nothing"
        )
    return outcome
