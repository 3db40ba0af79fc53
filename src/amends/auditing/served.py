"""What a host answered to sagas that are elsewhere, computed again from its records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from amends.auditing.findings import Findings
from amends.core.inbox import receive
from amends.core.messages import Call, Done, Kind, Refused, Request
from amends.core.participant import put_entity
from amends.core.straight import Entities
from amends.core.walk import key_of
from amends.errors import UnusableInput
from amends.storage.codecs.hints import answer_codec
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.codecs.values import PLAIN
from amends.storage.inbox import answer_kept, kept_answer
from amends.storage.records import ERASED, Record, RequestServed


class ServedRequests:
    """The requests that a host answered, on its entities, and its inbox as they are computed."""

    def __init__(self, codecs: Mapping[str, SagaCodec], entities: Entities, findings: Findings) -> None:
        """None was answered yet.

        Args:
            codecs: of the definitions, as records have their names.
            entities: read and written.
            findings: gets what cannot be computed.
        """
        self._codecs = codecs
        self._entities = entities
        self._findings = findings
        self._inbox: dict[str, str] = {}

    def take(self, record: Record, cause: RequestServed) -> dict[str, str]:
        """Answer a request again; gives the answer, as it is stored, by its key.

        Raises:
            UnusableInput: the definition of the saga is missing.
            Exception: what the participant raises now.
        """
        codec = self._codecs.get(cause.definition)
        if codec is None:
            raise UnusableInput(f"{cause.definition} was answered, which is not given: recompute needs them all")
        if record.value in (None, ERASED):
            what = f"the request to {cause.step} was erased: what it did cannot be computed"
            self._findings.add(f"entity {record.subject}", what)
            return {}
        key, answer = self._answered(codec, cause, str(record.value))
        self._inbox[key] = kept_answer(answer)
        return {key: self._inbox[key]}

    def _answered(self, codec: SagaCodec, cause: RequestServed, value: str) -> tuple[str, Done | Refused]:
        saga_id, body, heard, reason = _VALUE.decode(value)
        step = codec.saga.step(cause.step)
        assert step.entity is not None, "a host answers for entities"
        do_key, undo_key = key_of(saga_id, step, Kind.DO), key_of(saga_id, step, Kind.UNDO)
        key = undo_key if cause.kind is Kind.UNDO else do_key
        answers = {event: codec.answers.get(event, PLAIN).decode(_text(answer)) for event, answer in heard.items()}
        asked, call = codec.request.decode(_text(body)), Call(key, 1, answers, None, reason)
        of_answers, inbox = answer_codec(step), self._inbox
        known = {each: answer_kept(inbox[each], of_answers) for each in (do_key, undo_key) if each in inbox}
        owned, entity_id = self._entities[step.service], step.entity(asked)
        request = Request(saga_id, step.event, cause.kind, asked, call)
        _, after, answer = receive(known, owned.get(entity_id), request, step)
        put_entity(owned, entity_id, after)
        return key, answer


_VALUE: Final = msgspec.json.Decoder(tuple[str, msgspec.Raw, dict[str, msgspec.Raw], str])


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode()
