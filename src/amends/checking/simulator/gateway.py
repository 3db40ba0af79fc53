"""How clients, operators and webhooks reach the engine: they call its process, or write letters to several.

A letter is posted by clients that run nothing themselves; its answer lies under its id, once an owner has acted on it.
"""

from __future__ import annotations

from functools import partial
from itertools import count
from typing import Any, Final

from amends.adapters.memory.mailbox import MemoryMailbox
from amends.checking.simulator.environment import Environment, Reply
from amends.checking.simulator.sightings import Sightings
from amends.core.effects import Decline
from amends.core.messages import Answered, Input, Verb
from amends.core.step import SagaInstance
from amends.engine.client_keys import started_by
from amends.engine.tasks import Deliver, StartSagas
from amends.storage.codecs.values import text_of
from amends.storage.letters import answer_letter, start_letter, verb_letter
from amends.storage.rows import Letter

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
        codec = process.coordinator.definitions.codec_of(self._world.setting.played)
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
    """Posts letters to the owners of sagas, and looks now and then what became of each."""

    def __init__(self, world: Environment, sightings: Sightings) -> None:
        self._world = world
        self._sightings = sightings
        self._mailbox = MemoryMailbox(world.database)
        self._number = count(1)

    def start(self, request: Any, key: str, reply: Reply) -> bool:
        """See `Gateway.start`; the client makes the saga's id."""
        number, form = next(self._number), self._world.setting.form
        letter_id = key or f"letter {number}"
        letter = start_letter(letter_id, f"c{number}-1", form.definition, text_of(request), self._world.now_ms)
        self._post(letter, reply)
        return True

    def deliver(self, saga_id: str, said: Input, reply: Reply) -> bool:
        """See `Gateway.deliver`."""
        letter_id, now_ms = f"letter {next(self._number)}", self._world.now_ms
        if isinstance(said, Verb):
            declined = partial(Decline, saga_id, said)
            letter = verb_letter(letter_id, saga_id, said, now_ms)
            self._post(letter, lambda answer: reply(declined(str(answer)) if isinstance(answer, Exception) else None))
        else:
            assert isinstance(said, Answered), "the time comes to an engine by itself"
            self._sightings.of_answer(saga_id, said)
            self._post(answer_letter(letter_id, saga_id, said, now_ms), reply)
        return True

    def _post(self, letter: Letter, reply: Reply) -> None:
        """Post a letter, some of them twice, as a client does that does not know whether it was stored."""
        self._world.journal.letters.setdefault(letter.letter_id)
        self._mailbox.post([letter])
        if self._world.chance.hit("post", self._world.swarm.twin):
            self._world.after(self._world.chance.below("post", POLL_MS), self._mailbox.post, [letter])
        self._world.after(POLL_MS, self._poll, letter.letter_id, reply)

    def _poll(self, letter_id: str, reply: Reply) -> None:
        row = self._world.database.keys.get(letter_id)
        if row is None:
            self._world.after(POLL_MS, self._poll, letter_id, reply)
            return
        reply(started_by(row.answer))
