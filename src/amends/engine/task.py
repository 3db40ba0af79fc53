"""What a turn carries out on its unit of work: the tasks themselves are in `amends.engine.tasks` and `waking`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from amends.engine.turn_io import EntityName
from amends.engine.unit_of_work import UnitOfWork


class Task:
    """Something to do in a turn: one thing, which is not divided, where its class says nothing else.

    Attributes:
        keys: the client keys that it comes with.
        entities: those that it is known to be about; those that its saga's request names need not be among them.
        size: how many sagas, commands or inputs it is.
    """

    __slots__ = ()
    keys: Sequence[str] = ()
    entities: Iterable[EntityName] = ()
    size: int = 1

    @property
    def saga_id(self) -> str:
        """The saga that it is about; empty for none, or a new one."""
        return ""

    @property
    def goes_back(self) -> bool:
        """Whether it belongs to a saga that goes back, or turns back with it: then it comes before new work."""
        return False

    @property
    def is_whole(self) -> bool:
        """Whether it does several things which stand or fall together."""
        return False

    def carry_out(self, work: UnitOfWork) -> Any:
        """Do it, and give the answer.

        Raises:
            Exception: the answer to this task, which leaves nothing then.
        """
        raise NotImplementedError

    def parts(self) -> Sequence[Task]:
        """The same as several tasks, as small as can be."""
        return (self,)

    def joined(self, answers: Sequence[Any]) -> Any:
        """The answer, of the answers of its parts; `Unfinished` of those of the first ones alone."""
        return answers[0] if answers else Unfinished(self)

    def stopped(self, error: Exception) -> Any:
        """The answer, where nothing more of it is carried out, and why."""
        return error


class Unfinished(NamedTuple):
    """The answer to a task of which a turn could not carry out all.

    Attributes:
        task: the rest of it, to be carried out before any other of its lane.
    """

    task: Task
