"""Noticing the rare things, from what is committed, sent and answered; and rules that need the order of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Final

from amends.checking.simulator.environment import Environment
from amends.checking.simulator.site import Site
from amends.checking.simulator.told import ASKED_BY, BACKWARD, FINAL, FORWARD, SagaFollower
from amends.checking.simulator.view import Commit, ReadRecord
from amends.checking.values import frozen
from amends.core.effects import Send
from amends.core.messages import Answered, Done, Kind, Refused
from amends.core.step import SagaInstance
from amends.storage.codecs.sagas import status_of
from amends.storage.rows import NEEDS_OPERATOR

CRASHES: Final = {
    "before a message is posted": "crash before a message is posted",
    "after a message was posted": "crash after a message was posted",
    "before messages are acknowledged": "crash before messages are acknowledged",
    "before a commit": "crash before a commit",
    "after a commit": "crash after a commit, before anything else",
    "before an answer to a client": "crash before an answer to a client",
    "between commit and send": "crash between commit and send",
    "between two sends": "crash between two sends",
    "when an answer arrives": "crash when an answer arrives",
}
ENDS: Final = {"completed": "a saga completed", "compensated": "a saga was compensated"}
ANSWERS: Final = {"done", "refused", "unknown", "taken back", "later"}
RAISED: Final = ("taken back", "unknown")  # of a decider that raised: here, and elsewhere
VERBS: Final = frozenset({"cancel", "compensate", "retry", "resolve", "abandon", "undo"})
OPERATED: Final = {"resolve": "resolved by an operator", "abandon": "abandoned by an operator"}


class Sightings:
    """Who looks at a world.

    Attributes:
        was_full: a commit found no space, and none has gone well since.
        recorded: saga, step, what it was asked and what it said, of every answer that the turn of each engine wrote.
        said: who said a verb, to how many records there are of it.
    """

    def __init__(self, world: Environment, site: Site) -> None:
        self._world = world
        self._view = site.view
        self.was_full = False
        self.recorded: dict[str, set[tuple[str, str, str, str]]] = {}
        self.said: Counter[str] = Counter()
        self._heard: Counter[Hashable] = Counter()
        self._raised: dict[str, None] = {}
        self._posted: dict[str, tuple[str, int]] = {}

    # What is committed ----------------------------------------------------------------------------------------

    def of_commit(self, commit: Commit) -> None:
        """Look at a commit that was not taken over by the view yet."""
        if self.was_full:
            self.was_full = False
            self._world.saw("no space, and then it went on")
        if commit.changes.fences:
            self._world.saw("an engine took over from another")
        for record in commit.said:
            if record.number:
                self._of_record(record, commit.value_of(record), commit.changes.block.chain)
        self._of_children(commit)
        before = commit.before.rows
        for row in commit.changes.sagas:
            last = before.get(row.saga_id)
            if last is not None and last.status == NEEDS_OPERATOR and row.status != NEEDS_OPERATOR:
                self._world.saw("waited for an operator, and went on")

    def _of_children(self, commit: Commit) -> None:
        """Notice which engine started what follows from another saga, and when."""
        for record in commit.said:
            if record.what == "starts":
                self._posted[record.cause[1]] = commit.changes.block.chain, self._world.lives
            elif record.what == "follows":
                chain, lives = self._posted.get(record.subject, ("", 0))
                self._world.saw("a saga started that follows from another")
                if lives < self._world.lives:
                    self._world.saw("it started after a crash")
                if chain != commit.changes.block.chain:
                    self._world.saw("another engine started it")

    def must_be_recorded(self, saga_id: str, said: Answered, answer: object, chain: str) -> None:
        """An answer is on record once its turn is over, in the chain of its engine."""
        outcome = type(said.outcome).__name__.lower()
        if (saga_id, said.step, said.kind.value, outcome) not in self.recorded.get(chain, ()):
            cause = f"{said.step}/{said.kind.value} {outcome}"
            self._world.broke("P5", f"{saga_id}: {cause}, of which there is no record: {answer!r:.500}")

    def _of_record(self, record: ReadRecord, value: str, chain: str) -> None:
        what, saw = record.what, self._world.saw
        if what in ANSWERS:
            _, step, kind, *_ = record.cause
            said = record.subject, step, kind, "unknown" if what == "taken back" else what
            self.recorded.setdefault(chain, set()).add(said)
        if record.changes and record.changes[-1][0] in ENDS:
            saw(ENDS[record.changes[-1][0]])
        if what in OPERATED and record.changes:
            saw(OPERATED[what])
        if what in VERBS:
            self.said[record.cause[-1]] += 1
        if what == "deadline passed" and record.changes:
            saw("deadline passed")
        if what in RAISED and "Decider" in value:
            self._raised[record.subject] = None
        elif record.subject in self._raised and what == "done":
            saw("asked again after a decider raised")

    # What is sent and answered --------------------------------------------------------------------------------

    def of_send(self, send: Send) -> None:
        """Nothing goes out but what is committed."""
        request = send.request
        told = self._view.told.get(request.saga_id)
        if told is None or request.saga_id not in self._view.rows:
            self._world.broke("V07", f"{request.saga_id} is not stored, and asks for {request.step}")
        elif told.members.get(request.step) not in ASKED_BY[request.kind.value] or told.phase in FINAL:
            text = f"{request.saga_id} asks for {request.step}/{request.kind.value}, which is not what is stored"
            self._world.broke("V07", f"{text}: {told.phase}, {told.members}")
        else:
            self._is_phase(send, told)

    def _is_phase(self, send: Send, told: SagaFollower) -> None:
        wrong = {Kind.DO: BACKWARD, Kind.UNDO: FORWARD}.get(send.request.kind)
        if told.phase == wrong:
            self._world.broke("V07", f"{send.request.call.key} is sent, and the saga goes {told.phase}")
        waiting = self._view.bodies[send.request.saga_id]["waiting"][send.request.step]
        if waiting["attempt"] != send.request.call.attempt:
            text = f"{send.request.call.key} is sent as attempt {send.request.call.attempt}"
            self._world.broke("V07", f"{text}, and attempt {waiting['attempt']} is stored")

    def of_answer(self, saga_id: str, said: Answered) -> None:
        """An answer arrives at a process that runs."""
        told = self._view.told.get(saga_id)
        if told is None:
            return
        saw, status = self._world.saw, told.members.get(said.step)
        heard = saga_id, frozen(said)
        self._heard[heard] += 1
        if self._heard[heard] > 1:
            saw("an answer arrived twice")
        waiting = self._view.bodies[saga_id].get("waiting", {}).get(said.step)
        if waiting and said.attempt is not None and said.attempt < waiting["attempt"]:
            saw("an answer to an attempt before")
        if told.phase in FINAL:
            saw("an answer after the saga had ended")
        elif said.kind is Kind.DO and isinstance(said.outcome, Done):
            self._of_success(told, said, status)
        elif said.kind is Kind.PROBE and status == "probing" and isinstance(said.outcome, Done | Refused):
            saw(f"a probe found {'it' if isinstance(said.outcome, Done) else 'nothing'}")

    def _of_success(self, told: SagaFollower, said: Answered, status: str | None) -> None:
        if told.turned_back and said.step not in told.standing:
            self._world.saw("late success while going back")
        elif status == "resent":
            self._world.saw("timeout, then success")

    def of_end(self, saga_id: str, run: SagaInstance) -> None:
        """A client that waits for a saga is told its end."""
        status = status_of(run.state)
        first = self._world.journal.ended.setdefault(saga_id, status)
        if first != status:
            self._world.broke("V02", f"{saga_id} was said to be {first}, and then {status}")

    # Processes ------------------------------------------------------------------------------------------------

    def of_crash(self, where: str, life: int, turns: int) -> None:
        """A process is gone."""
        if where in CRASHES:
            self._world.saw(CRASHES[where])
        if life > 1 and turns == 0:
            self._world.saw("crash while a process takes over")

    def of_restart(self) -> None:
        """Another process starts."""
        for row in self._view.rows.values():
            waiting = self._view.bodies[row.saga_id].get("waiting", {})
            if row.due_ms is not None and any(request.get("taken") for request in waiting.values()):
                self._world.saw("restart while an answer is to come later")
                return
