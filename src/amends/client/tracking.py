"""What became of the sagas that letters ask for: whether they were started, how they stand, and how they ended."""

from __future__ import annotations

from amends.client.connection import StoreConnection
from amends.client.letters import StartLetter, acted_on
from amends.client.watch import Row, Subject
from amends.engine.definitions import Definitions
from amends.engine.ends import end_of
from amends.engine.handle import Result
from amends.engine.patience import Patience
from amends.errors import OperatorNeeded, RequestRefused
from amends.exceptions import raised
from amends.storage.codecs.values import shown
from amends.storage.letters import start_in
from amends.storage.rows import KeyRow, Letter, SagaRow, Unreadable
from amends.views.story import Description, describe


class SagaTracker:
    """Follows sagas of a store, from the letter that asks for one to its end."""

    def __init__(self, connection: StoreConnection, definitions: Definitions) -> None:
        """Follow none yet.

        Args:
            connection: to the store.
            definitions: those whose sagas can be read.
        """
        self._connection = connection
        self._definitions = definitions

    async def started(self, start: StartLetter, patience: Patience) -> str:
        """Wait until a letter has started its saga; the saga's id. See `ClientHandle.started`."""
        self._connection.expect_caller()
        try:
            return start.started(await self.answer_to(start.letter.letter_id, patience))
        except TimeoutError as error:
            raise TimeoutError(
                f"saga {start.saga_id} was not started within {patience.words}; its letter stays, and it starts once "
                f"an engine runs that knows its definition{_under(start.letter)}"
            ) from error

    async def describe(self, saga_id: str) -> Description:
        """A saga, step by step; see `Client.describe`."""
        try:
            return await self._connection.look(
                lambda records, as_of: describe(records, saga_id, as_of, self._definitions.sagas)
            )
        except RequestRefused as refused:
            if isinstance(letter := await self._connection.standing(saga_id), Letter):
                raise RequestRefused(
                    f"saga {saga_id!r} has not started yet: its letter waits for an engine that knows its definition"
                    f"{_under(letter)}"
                ) from refused
            raise

    async def end_of(self, saga_id: str, patience: Patience) -> Result:
        """Wait for the end of a saga; see `Client.result`."""
        self._connection.expect_caller()
        try:
            standing = await patience.look(self._connection.standing(saga_id))
            if isinstance(standing, Letter):
                await self._started_by(standing, saga_id, patience)
                standing = await patience.look(self._connection.standing(saga_id))
            if ended := self._ended(saga_id, standing):
                return ended
            ended = self._ended(saga_id, await patience.end_with(self._connection.wait(Subject("saga", saga_id))))
        except OperatorNeeded:
            raise
        except TimeoutError as error:
            raise TimeoutError(f"saga {saga_id} has not ended within {patience.words}; it goes on") from error
        assert ended is not None, "it is over"
        return ended

    async def answer_to(self, letter_id: str, patience: Patience) -> KeyRow | Unreadable:
        """Wait until an engine has acted on a letter; what it stored under the letter's id.

        Raises:
            TimeoutError: none had by then.
        """
        row = await patience.end_with(self._connection.wait(Subject("key", letter_id)))
        assert isinstance(row, KeyRow | Unreadable), "it was waited for"
        return row

    async def _started_by(self, letter: Letter, saga_id: str, patience: Patience) -> None:
        """Wait until the letter that is to start a saga is acted on.

        Raises:
            RequestRefused: that started none, or another one.
        """
        started = acted_on(await self.answer_to(letter.letter_id, patience))
        if started != saga_id:
            raise RequestRefused(f"there is no saga {saga_id!r}: its key had started saga {started!r} before")

    def _ended(self, saga_id: str, standing: Row | Letter) -> Result | None:
        """How a saga ended; ``None`` while it goes on.

        Raises:
            RequestRefused: there is none, or it cannot be read.
            OperatorNeeded: it waits for an operator.
        """
        if isinstance(standing, Unreadable):
            raise RequestRefused(f"saga {saga_id!r} cannot be read: {standing.why}")
        if not isinstance(standing, SagaRow):
            raise RequestRefused(f"there is no saga {shown(saga_id)}")
        codec = self._definitions.by_name.get(standing.definition)
        if codec is None:
            raise RequestRefused(
                f"saga {saga_id!r} cannot be read: its definition {standing.definition} was not given to connect()"
            )
        try:
            return end_of(codec.run_of(standing))
        except (KeyError, ValueError) as error:
            raise RequestRefused(f"saga {saga_id!r} cannot be read: {raised(error)}") from error


def _under(letter: Letter) -> str:
    """The definition of the saga that a letter starts, behind the word."""
    asked = start_in(letter)
    return f", {asked.definition}" if asked else ""
