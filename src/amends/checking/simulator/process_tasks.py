"""The tasks of one process: those that wait for a turn, and those that the turn now carries out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from amends.checking.simulator.environment import Reply
from amends.checking.simulator.process_shards import ProcessShards
from amends.engine.batch import BatchResult
from amends.engine.task import Task, Unfinished


class Queued(NamedTuple):
    """A task, and the reply to its client; ``None`` without one: then it must not be lost."""

    task: Task
    reply: Reply | None

    def tell(self, answer: Any) -> None:
        """Answer the client, if there is one."""
        if self.reply is not None:
            self.reply(answer)


class ProcessTasks:
    """What a process was asked, until it has answered."""

    def __init__(self) -> None:
        self._queue: list[Queued] = []
        self._batch: list[Queued] = []

    @property
    def are_waiting(self) -> bool:
        """Whether a turn has something to do."""
        return bool(self._queue)

    def put(self, queued: Queued) -> None:
        """Put a task last."""
        self._queue.append(queued)

    def drop_others(self, shards: ProcessShards) -> bool:
        """Drop what is about sagas of other engines; whether there was any."""
        mine = [each for each in self._queue if not each.task.saga_id or shards.has(each.task.saga_id)]
        has_dropped = len(mine) < len(self._queue)
        self._queue = mine
        return has_dropped

    def put_first(self, tasks: Sequence[Task]) -> None:
        """Put what letters ask for first."""
        self._queue[:0] = [Queued(task, None) for task in tasks]

    def take(self) -> list[Task]:
        """Begin a turn on all that waits."""
        self._batch, self._queue = self._queue, []
        return [queued.task for queued in self._batch]

    def put_back(self, turn: BatchResult) -> tuple[list[Task], BatchResult]:
        """Put what a turn left first for the next one; gives the tasks that it carried out, and what became of them."""
        pairs = list(zip(self._batch, turn.replies, strict=True))
        left = [queued._replace(task=answer.task) for queued, answer in pairs if isinstance(answer, Unfinished)]
        self._queue[:0] = left
        done = [(queued, answer) for queued, answer in pairs if not isinstance(answer, Unfinished)]
        self._batch = [queued for queued, _ in done]
        return [queued.task for queued in self._batch], turn._replace(replies=[answer for _, answer in done])

    def answers(self, turn: BatchResult) -> list[tuple[Queued, Any]]:
        """The tasks of a turn for which clients wait, each with its answer."""
        return [(queued, answer) for queued, answer in zip(self._batch, turn.replies, strict=True) if queued.reply]

    def answer(self, answers: list[tuple[Queued, Any]]) -> Iterator[str]:
        """Answer clients, one by one; before each the process may be stopped."""
        for queued, answer in answers:
            yield "before an answer to a client"
            self._batch.remove(queued)
            queued.tell(answer)

    def refuse_turn(self, error: Exception) -> None:
        """Refuse what clients asked of a turn that was not committed; what must not be lost waits for the next one."""
        self._queue = [queued for queued in self._batch if queued.reply is None] + self._queue
        for queued in self._batch:
            queued.tell(error)

    def refuse_all(self, error: Exception) -> None:
        """The process is gone."""
        for queued in [*self._batch, *self._queue]:
            queued.tell(error)
