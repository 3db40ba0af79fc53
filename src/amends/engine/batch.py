"""A batch of tasks: decided on what is committed, and committed whole; or in parts, where it cannot be.

Nothing is decided on what is not committed, and nothing goes out before it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any, Final, NamedTuple

from amends.core.definition import Step
from amends.core.effects import CallOperator, Contradicted, Send
from amends.core.step import SagaInstance
from amends.engine.batch_width import BatchWidth
from amends.engine.commits import commit_of
from amends.engine.committed import BatchCommit, CommittedState
from amends.engine.due import DueSagas
from amends.engine.effects import FailedAttempt
from amends.engine.in_flight import AttemptId, Outgoing
from amends.engine.limits import COMMIT_LETTERS_MAX
from amends.engine.room import CommitFull
from amends.engine.task import Task, Unfinished
from amends.engine.tasks import StartSagas
from amends.engine.turn_io import CommitChanges, NotAtHand, ReadHead, Turn
from amends.engine.unit_of_work import UnitOfWork
from amends.engine.versions import Versions
from amends.engine.waking import Wake
from amends.errors import LockTimeout, RequestRefused, StoreConflict, StoreError, StoreFailed, StoreTooBig
from amends.exceptions import answerable, raised
from amends.storage.codecs.values import opened_request
from amends.storage.rows import Unreadable

SPOILT_MAX: Final = 4  # tasks of a batch that raise and are left out of it; with more, it is carried out in parts
CONFLICTS_MAX: Final = 3  # times that a batch is decided because another writer was faster; then it is taken in parts
RESTARTS_MAX: Final = 8  # times that a batch is decided again with what it met; a chain of so many is taken in parts


class BatchResult(NamedTuple):
    """What became of a turn.

    Attributes:
        due_ms: when to take the next turn at the latest, which may be before anything is due; ``None`` when nothing
            waits for the time.
        replies: one for each task, in their order: a value, the exception that it ended with, or `Unfinished`: then
            what is left of it is the first of its lane in the next turn.
        sends: requests that are now to be sent, in order.
        dropped: attempts whose answer no saga waits for any more.
        recalled: attempts that are not to be sent any more, if they were not yet: `ReturnUnsent` says which were not.
        held: attempts that wait for a slot at their participants: `SendHeldBack` says when there is one.
        ended: sagas that became final, by id.
        needs_operator: sagas that now wait for an operator.
        failures: attempts that failed, for the log.
        immovable: sagas that were found to be set aside, and why.
        contradicted: answers that contradict what is known, for the log.
        letters: how many letters it acted on.
        posts: how many letters to owners of sagas it wrote.
        moved: attempts of sagas that are another engine's now.
        lasted_ms: for how long each of the sagas in `ended` was under way, in their order.
        commits: how many commits it made.
    """

    due_ms: int | None
    replies: Sequence[Any]
    sends: Sequence[Outgoing] = ()
    dropped: Sequence[AttemptId] = ()
    recalled: Sequence[AttemptId] = ()
    held: Sequence[tuple[Step, AttemptId]] = ()
    ended: Mapping[str, SagaInstance] = {}
    needs_operator: Sequence[CallOperator] = ()
    failures: Sequence[FailedAttempt] = ()
    immovable: Mapping[str, str] = {}
    contradicted: Sequence[Contradicted] = ()
    letters: int = 0
    posts: int = 0
    moved: Sequence[AttemptId] = ()
    lasted_ms: Sequence[int] = ()
    commits: int = 0


class _Spoilt(Exception):
    def __init__(self, place: int, error: Exception) -> None:
        super().__init__(place, error)
        self.place = place
        self.error = error


class BatchRunner:
    """Carries out batches, on a store that does what they yield."""

    def __init__(self, committed: CommittedState, versions: Versions, due: DueSagas) -> None:
        """Carry out none yet.

        Args:
            committed: what a batch decides on.
            versions: told as what a batch is the first to store something.
            due: told of the sagas that a batch committed.
        """
        self._committed = committed
        self._versions = versions
        self._due = due
        self._width = BatchWidth()

    def run(self, tasks: Sequence[Task], now_ms: int) -> Turn[BatchResult]:
        """Carry out a batch, as much of it as can be committed at once."""
        size = _size(tasks)
        if size > self._width.most:
            return (yield from self._first_parts(tasks, now_ms, self._width.most))
        spoilt: dict[int, Exception] = {}
        conflicts = 0
        while True:
            try:
                result = yield from self._taken(tasks, now_ms, spoilt, trusts_fresh=not conflicts)
            except _Spoilt as reason:
                spoilt[reason.place] = reason.error
                if len(spoilt) > SPOILT_MAX:
                    return (yield from self._apart(tasks, now_ms, reason.error))
            except LockTimeout:  # each takes a third of a lease, which is renewed between turns
                self._width.narrow(size)
                yield from self._forget(spoilt)
                return _left(tasks)
            except StoreConflict as conflict:
                conflicts += 1
                yield from self._forget(spoilt)
                if conflicts == CONFLICTS_MAX:
                    return (yield from self._contended(tasks, now_ms, conflict))
            else:
                self._width.widen()
                return result

    def _forget(self, spoilt: dict[int, Exception]) -> Turn[None]:
        """Forget what a batch was decided on: also what raised, which may have been told what is no longer so."""
        spoilt.clear()
        yield from self._committed.reread()
        self._due.reread()

    def look(self, tasks: Sequence[Task], now_ms: int) -> Turn[list[Any]]:
        """Carry out tasks that only look, while nothing can be written."""
        while True:
            work = UnitOfWork(self._committed, max(now_ms, self._committed.head.at_ms), {})
            replies = [self._carried_out(place, task, work) for place, task in enumerate(tasks)]
            if not (yield from self._committed.read_missing()):
                return replies

    def _taken(
        self,
        tasks: Sequence[Task],
        now_ms: int,
        spoilt: Mapping[int, Exception],
        *,
        trusts_fresh: bool,
        is_careful: bool = False,
    ) -> Turn[BatchResult]:
        """Read what a batch says that it needs, and decide it, again and again while it meets what is not at hand."""
        saga_ids = [task.saga_id for task in tasks if task.saga_id]
        known, unread = yield from self._committed.read(saga_ids, (key for task in tasks for key in task.keys))
        letters_max = COMMIT_LETTERS_MAX if _size(tasks) > 1 else sys.maxsize
        if unread:
            decided = _size(takewhile(lambda task: task.saga_id not in unread, tasks))
            return (yield from self._apart(tasks, now_ms, CommitFull(letters_max, 0), decided, is_careful=is_careful))
        yield from self._committed.foresee(saga_ids, (name for task in tasks for name in task.entities))
        first = self._committed.new_id.number
        restarts = 0
        while True:
            work = UnitOfWork(
                self._committed,
                now_ms,
                known,
                trusts_fresh=trusts_fresh,
                is_careful=is_careful,
                letters_max=letters_max,
            )
            result = yield from self._attempted(tasks, work, spoilt, is_careful=is_careful)
            if result is not None:
                return result
            self._committed.new_id.number = first
            restarts += 1
            if restarts == RESTARTS_MAX and _size(tasks) > 1:
                return (yield from self._apart(tasks, now_ms, NotAtHand(), is_careful=is_careful))

    def _attempted(
        self, tasks: Sequence[Task], work: UnitOfWork, spoilt: Mapping[int, Exception], *, is_careful: bool
    ) -> Turn[BatchResult | None]:
        """Decide and commit a batch; ``None`` where it met what was not at hand, and has been read now."""
        replies: list[Any] = []
        commit = None
        try:
            for place, task in enumerate(tasks):
                replies.append(spoilt[place] if place in spoilt else self._carried_out(place, task, work))
            if (yield from self._committed.read_missing()):
                work.overlay.unlearn()
                return None
            if not work.is_empty():
                commit = yield from self._written(work)
        except CommitFull as full:
            decided = _size(tasks[: len(replies)]) + full.done
            return (yield from self._apart(tasks, work.now_ms, full, decided, is_careful=is_careful))
        except StoreTooBig as error:
            return (yield from self._apart(tasks, work.now_ms, error, is_careful=is_careful))
        except (StoreError, _Spoilt):
            raise
        except Exception as error:  # one task cannot be stored, or not at once; the rest can
            head = yield ReadHead(self._committed.head.chain)
            if head.number != self._committed.head.number:  # it was raised here after the commit
                raise StoreFailed(f"a turn was interrupted between its commit and its end: {raised(error)}") from error
            return (yield from self._apart(tasks, work.now_ms, error, is_careful=is_careful))
        finally:
            work.overlay.end()
        if commit:
            self._take_over(commit)
        return self._result(work, replies, commit)

    def _carried_out(self, place: int, task: Task, work: UnitOfWork) -> Any:
        try:
            if place:
                work.room.expect()
            if self._committed.shards.are_shared:
                self._committed.shards.expect(task.saga_id)
            return task.carry_out(work)
        except BaseException as raising:
            error = answerable(raising)
            if self._committed.is_missing:  # the answer is none: the batch is decided again
                work.overlay.take_back()
                return error.with_traceback(None)  # its frames hold this turn, and it: no count would free them
            if isinstance(raising, CommitFull):
                raise
            if task.is_whole:
                raise _Spoilt(place, error) from raising
            work.overlay.take_back()
            if isinstance(task, Wake):
                work.unreadable.add(Unreadable("saga", task.saga_id, raised(error)))
            return error

    def _written(self, work: UnitOfWork) -> Turn[BatchCommit]:
        commit = commit_of(work)
        if shapes := self._versions.to_write(commit.changes, commit.entities):
            commit = commit._replace(changes=commit.changes._replace(shapes=shapes))
        yield CommitChanges(commit.changes)
        self._versions.written(shapes)
        return commit

    def _take_over(self, commit: BatchCommit) -> None:
        self._committed.take_over(commit)
        self._due.note(commit.changes.sagas)

    def _result(self, work: UnitOfWork, replies: Sequence[Any], commit: BatchCommit | None = None) -> BatchResult:
        """What became of a batch that is committed."""
        effects, immovable = work.effects, work.unreadable.sagas
        self._committed.immovable |= immovable
        traffic = self._committed.in_flight.take_off(work.runs(), effects.requests, work.now_ms)
        sends = [(step, _owned(send)) for step, send in (*traffic.sends, *effects.late_undos)]
        return BatchResult(
            None,
            replies,
            sends,
            traffic.dropped,
            traffic.recalled,
            traffic.held,
            effects.ended,
            effects.needs_operator,
            effects.failures,
            immovable,
            effects.contradicted,
            posts=len(commit.changes.posted) if commit else 0,
            lasted_ms=[work.now_ms - work.sagas[saga_id].started_ms for saga_id in effects.ended],
            commits=int(commit is not None),
        )

    # A batch that cannot be committed -------------------------------------------------------------------------

    def _contended(self, tasks: Sequence[Task], now_ms: int, conflict: StoreConflict) -> Turn[BatchResult]:
        """Other engines were faster each time: decide on less, and leave a task that is alone to the next turn."""
        if not self._committed.shards.are_shared:
            raise StoreFailed("another process writes to this store") from conflict
        if _size(tasks) > 1:
            return (yield from self._apart(tasks, now_ms, conflict))
        return _left(tasks)

    def _apart(
        self, tasks: Sequence[Task], now_ms: int, error: Exception, decided: int = 0, *, is_careful: bool = False
    ) -> Turn[BatchResult]:
        """It cannot be stored, or not at once: carry out the first half, and leave the rest to the turns that follow.

        So the part that is the reason is found by halving, and what is committed goes out before anything else is done.

        Args:
            tasks: all of it.
            now_ms: the clock.
            error: the reason.
            decided: how many parts fit, where that is known; these are carried out then, in place of the half.
            is_careful: whether each participant was called by itself.
        """
        size = _size(tasks)
        if size == 1:
            return (yield from self._alone(tasks[0], now_ms, error, is_careful=is_careful))
        first = decided if 0 < decided < size else size // 2
        return (yield from self._first_parts(tasks, now_ms, first))

    def _first_parts(self, tasks: Sequence[Task], now_ms: int, number: int) -> Turn[BatchResult]:
        """Carry out so many parts, and leave the rest to the turns that follow."""
        parts = islice((part for task in tasks for part in task.parts()), number)
        result = yield from self.run([*parts], now_ms)
        answers = iter([reply for reply in result.replies if not isinstance(reply, Unfinished)])
        return result._replace(replies=[task.joined([*islice(answers, task.size)]) for task in tasks])

    def _alone(self, task: Task, now_ms: int, error: Exception, *, is_careful: bool) -> Turn[BatchResult]:
        """What one task leads to cannot be stored.

        A saga starts, or hears it, all the same, and its participants are called one by one: the one that left what
        cannot be stored has changed nothing, as if it had raised. Where that does not help, the saga is set aside.
        """
        refused = RequestRefused(f"what it leads to cannot be stored: {error}")
        if (task.saga_id or isinstance(task, StartSagas)) and not is_careful:
            return (yield from self._taken([task], now_ms, {}, trusts_fresh=False, is_careful=True))
        work = UnitOfWork(self._committed, now_ms, {})
        if isinstance(task, Wake):
            work.unreadable.add(Unreadable("saga", task.saga_id, str(refused)))
            if not work.is_empty():
                self._take_over((yield from self._written(work)))
        return self._result(work, [task.joined([refused])])


def _size(tasks: Iterable[Task]) -> int:
    """How many sagas, commands or inputs they are."""
    return sum(task.size for task in tasks)


def _left(tasks: Sequence[Task]) -> BatchResult:
    """All of it is left to the turns that follow."""
    return BatchResult(None, [task.joined(()) for task in tasks])


def _owned(send: Send) -> Send:
    """A request to be sent, with a copy of each value that the participant could change."""
    request = opened_request(send.request)
    return send if request is send.request else send._replace(request=request)
