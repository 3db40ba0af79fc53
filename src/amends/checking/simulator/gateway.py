"""How clients, operators and webhooks reach the engine: they call its process, or write letters to several.

A letter is posted by clients that run nothing themselves; its answer lies under its id, once an owner has acted on it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from amends.adapters.memory.mailbox import MemoryMailbox
from amends.checking.simulator.environment import Environment, Reply
from amends.checking.simulator.sightings import Sightings
from amends.client.letters import LetterWriter, acted_on
from amends.core.effects import Decline
from amends.core.messages import Answered, Input, Verb
from amends.core.step import SagaInstance
from amends.engine.definitions import Definitions
from amends.engine.limits import VALUE_BYTES_MAX
from amends.engine.tasks import Deliver, StartSagas
from amends.errors import RequestRefused
from amends.storage.rows import KeyRow, Letter

CLIENTS: Final = "c"  # before the ids of the sagas of all clients: no engine has that
POLL_MS: Final = 500  # as often as a client looks for its answer, where nothing wakes it


class DirectGateway:
    """Calls a process."""

    def __init__(self, world: Environment, sightings: Sightings) -> None:
        self._world = world
        self._sightings = sightings

    def start(self, request: Any, key: str, reply: Reply) -> bool:
        """See `Gateway.start`."""
        process = self._world.reached()
        if process is None:
            return False
        codec = process.coordinator.definitions.codec_of(self._world.setting.form.saga)
        process.ask(StartSagas(codec, [request], [key] if key else ()), lambda answer: reply(_first(answer)))
        return True

    def deliver(self, saga_id: str, said: Input, reply: Reply) -> bool:
        """See `Gateway.deliver`."""
        process = self._world.reached()
        if process is None:
            return False
        if isinstance(said, Answered):
            self._sightings.of_answer(saga_id, said)
        process.ask(Deliver(saga_id, said), lambda answer: reply(None if isinstance(answer, SagaInstance) else answer))
        return True


def _first(answer: Any) -> Any:
    """The answer to the only request: the id of its saga, or an exception."""
    first = answer[0] if isinstance(answer, list) else answer
    return first.saga_id if isinstance(first, SagaInstance) else first


class MailboxGateway:
    """Posts the letters that the product's clients write, and looks now and then what became of each."""

    def __init__(self, world: Environment, sightings: Sightings) -> None:
        self._world = world
        self._sightings = sightings
        self._mailbox = MemoryMailbox(world.database)
        self._writer = LetterWriter(Definitions(world.setting.played, ()), CLIENTS, VALUE_BYTES_MAX)

    def start(self, request: Any, key: str, reply: Reply) -> bool:
        """See `Gateway.start`; the client makes the saga's id."""
        start = self._writer.start(self._world.setting.form.saga, request, key or None, self._world.now_ms)
        self._ask(start.letter, start.started, reply)
        return True

    def deliver(self, saga_id: str, said: Input, reply: Reply) -> bool:
        """See `Gateway.deliver`."""
        now_ms = self._world.now_ms
        if isinstance(said, Verb):
            letter = self._writer.verb(saga_id, said, now_ms)
            declined = partial(Decline, saga_id, said)
            self._ask(letter, acted_on, lambda no: reply(declined(str(no)) if isinstance(no, Exception) else None))
        else:
            assert isinstance(said, Answered), "the time comes to an engine by itself"
            self._sightings.of_answer(saga_id, said)
            key = f"{saga_id}/{said.step}/{said.kind.value}"
            self._ask(self._writer.answer(key, said.outcome, said.by, said.why, now_ms), acted_on, reply)
        return True

    def _ask(self, letter: Letter, read: Callable[[KeyRow], str], reply: Reply) -> None:
        """Post a letter, unless there is an answer to it already; some of them twice.

        So does a client that does not know whether it was stored.
        """
        world = self._world
        if letter.letter_id not in world.database.keys:
            world.journal.letters.setdefault(letter.letter_id)
            self._mailbox.post([letter])
            if world.chance.hit("post", world.swarm.twin):
                world.after(world.chance.below("post", POLL_MS), self._mailbox.post, [letter])
        world.after(POLL_MS, self._poll, letter.letter_id, read, reply)

    def _poll(self, letter_id: str, read: Callable[[KeyRow], str], reply: Reply) -> None:
        row = self._world.database.keys.get(letter_id)
        if row is None:
            self._world.after(POLL_MS, self._poll, letter_id, read, reply)
            return
        try:
            answer: Any = read(row)
        except RequestRefused as refused:
            answer = refused
        reply(answer)
