"""The letters that a client writes, and what their answers mean, sans I/O: a simulated client writes the same ones."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

from amends.core.messages import Answered, Outcome, Resolve, Verb, worded
from amends.engine.arguments import take_key, take_name, take_outcome
from amends.engine.client_keys import row_of_request, started_by
from amends.engine.definitions import Definitions
from amends.engine.intake import take_asked
from amends.engine.outside import refuse_no_origin, refuse_no_outcome, refuse_no_verb, request_of
from amends.errors import RequestRefused
from amends.storage.codecs.digests import digest_of
from amends.storage.codecs.values import opened, refuse_too_large, shown, text_of
from amends.storage.letters import answer_letter, start_letter, verb_letter
from amends.storage.rows import KeyRow, Letter, Unreadable


class StartLetter(NamedTuple):
    """A letter that starts a saga, as its client remembers it.

    Attributes:
        letter: to be posted.
        saga_id: of the saga, if no other letter under this key came first.
        digest: of the request, by which another one under the same key is told apart.
        is_keyed: whether a client gave the key: then it may have been used before.
    """

    letter: Letter
    saga_id: str
    digest: str
    is_keyed: bool

    def started(self, row: KeyRow | Unreadable) -> str:
        """The id of the saga that the letter's key stands for.

        Args:
            row: what the store has under the key.

        Raises:
            KeyReused: the key stands for another request.
            RequestRefused: no saga was started, and why.
        """
        return acted_on(row_of_request(row, self.letter.letter_id, self.digest))


class LetterWriter:
    """Writes the letters of one client."""

    def __init__(self, definitions: Definitions, prefix: str, value_bytes_max: int) -> None:
        """Have written none.

        Args:
            definitions: those that the client was connected with.
            prefix: of the ids of its sagas and letters; no client and no engine before may have had it.
            value_bytes_max: of one request, as JSON in UTF-8.
        """
        self._definitions = definitions
        self._prefix = prefix
        self._value_bytes_max = value_bytes_max
        self._numbers = count(1)

    def start(self, saga: Any, request: Any, key: object, now_ms: int) -> StartLetter:
        """Ask for a saga.

        Args:
            saga: its definition.
            request: what it is to do; where the definition has a `prepare`, what that gets, as plain JSON.
            key: a client key; ``None`` for none.
            now_ms: the clock.

        Raises:
            DefinitionError: the client does not know the definition.
            RequestRefused: the request cannot be stored, or the key is none.
        """
        codec = self._definitions.codec_of(saga)
        text = take_asked(codec, request, self._value_bytes_max)
        saga_id = f"{self._prefix}-{next(self._numbers)}"
        letter_id = f"letter {saga_id}" if key is None else take_key(key)
        digest = digest_of(codec.saga.name, request)
        letter = start_letter(letter_id, saga_id, codec.definition, text, now_ms, digest)
        return StartLetter(letter, saga_id, digest, key is not None)

    def answer(self, key: object, outcome: Outcome, by: str, reason: str, now_ms: int) -> Letter:
        """Bring the answer to a request.

        Args:
            key: `Call.key` of the request.
            outcome: what became of it.
            by: who brings it; empty where that is not known.
            reason: why; empty where that is not said.
            now_ms: the clock.

        Raises:
            RequestRefused: no request has such a key, or the outcome is none, or cannot be stored.
        """
        saga_id, step, kind = request_of(take_name(key))
        refuse_no_outcome(outcome)
        refuse_no_origin(by, reason)
        said = Answered(step, kind, self._outcome(outcome, step), by=by, why=reason)
        return answer_letter(self._letter_id(), saga_id, said, now_ms)

    def verb(self, saga_id: object, verb: Verb, now_ms: int) -> Letter:
        """Have a verb carried out.

        Args:
            saga_id: of the saga.
            verb: with who wants it, and why.
            now_ms: the clock.

        Raises:
            RequestRefused: no saga can have the id, or it is no verb.
        """
        refuse_no_verb(verb)
        if isinstance(verb, Resolve):
            verb = replace(verb, outcome=self._outcome(verb.outcome, verb.step))
        return verb_letter(self._letter_id(), take_name(saga_id), replace(verb, why=worded(verb.why)), now_ms)

    def _outcome(self, outcome: Any, event: str) -> Any:
        """An outcome, if its letter can have it: its answer travels as plain JSON."""
        kept = take_outcome(outcome, event)
        try:
            refuse_too_large(text_of(opened(getattr(kept, "answer", None))), self._value_bytes_max)
        except (TypeError, ValueError) as error:
            raise RequestRefused(f"{event}: the answer cannot be stored: {error}") from error
        return kept

    def _letter_id(self) -> str:
        return f"letter {self._prefix}-{next(self._numbers)}"


def acted_on(row: KeyRow | Unreadable) -> str:
    """The saga that a letter was about, once its owner has acted on it.

    Args:
        row: what the store has under the letter's id.

    Raises:
        RequestRefused: the owner refused, and why.
    """
    if isinstance(row, Unreadable):
        raise RequestRefused(f"the answer to {shown(row.name)} cannot be read: {row.why}")
    started = started_by(row.answer)
    if isinstance(started, RequestRefused):
        raise started
    return started
