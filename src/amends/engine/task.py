"""What a turn carries out on its unit of work: the tasks themselves are in `amends.engine.tasks` and `waking`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

from amends.engine.turn_io import EntityName
from amends.engine.unit_of_work import UnitOfWork


class Task(Protocol):
    """Something to do in a turn."""

    @property
    def saga_id(self) -> str:
        """The saga that it is about; empty for none, or a new one."""
        ...

    @property
    def keys(self) -> Sequence[str]:
        """The client keys that it comes with."""
        ...

    @property
    def entities(self) -> Iterable[EntityName]:
        """Entities that it is known to be about; those that its saga's request names need not be among them."""
        ...

    @property
    def size(self) -> int:
        """How many sagas, commands or inputs it is."""
        ...

    @property
    def is_whole(self) -> bool:
        """Whether it does several things which stand or fall together."""
        ...

    def carry_out(self, work: UnitOfWork) -> Any:
        """Do it, and give the answer.

        Raises:
            Exception: the answer to this task, which leaves nothing then.
        """
        ...

    def parts(self) -> Sequence[Task]:
        """The same as several tasks, as small as can be."""
        ...

    def joined(self, answers: Sequence[Any]) -> Any:
        """The answer, of the answers of its parts; `Unfinished` of those of the first ones alone."""
        ...

    def stopped(self, error: Exception) -> Any:
        """The answer, where nothing more of it is carried out, and why."""
        ...


class Unfinished(NamedTuple):
    """The answer to a task of which a turn could not carry out all.

    Attributes:
        task: the rest of it, to be carried out before anything else.
    """

    task: Task


class Single:
    """A task of one part."""

    __slots__ = ()
    keys: Sequence[str] = ()
    entities: Iterable[EntityName] = ()
    size: ClassVar[int] = 1
    is_whole: ClassVar[bool] = False

    def parts(self) -> Sequence[Any]:
        """The task alone: it is not divided."""
        return (self,)

    def joined(self, answers: Sequence[Any]) -> Any:
        """The only answer."""
        return answers[0] if answers else Unfinished(self)  # type: ignore[arg-type]  # what has this mixed in is one

    def stopped(self, error: Exception) -> Any:
        """Why: nothing of it was carried out."""
        return error
