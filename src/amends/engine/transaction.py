"""What a caller's own function reads and writes, as one transaction with its audit records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

import msgspec

from amends.core.definition import Command, Saga
from amends.core.messages import Refused
from amends.core.step import SagaInstance
from amends.engine.unit_of_work import UnitOfWork
from amends.errors import RequestRefused
from amends.storage.records import KeyRemembered
from amends.storage.rows import Unreadable


class Transaction:
    """What a function given to `Engine.transact` works on: all that it does here is stored at once, or none of it.

    It is over when the function returns: a use after that is a `ParticipantError`.

    Attributes:
        entities: of the participants whose state the engine keeps: service, then id, to entity. They are read and
            written like dictionaries; deleting an entity ends it.
    """

    def __init__(self, work: UnitOfWork) -> None:
        """Work on a unit of work.

        Args:
            work: of the batch that the function is carried out in.
        """
        self.entities: Mapping[str, MutableMapping[str, Any]] = work.entities
        self._work = work

    def prefetch(self, entities: Iterable[tuple[str, str]] = (), sagas: Iterable[str] = ()) -> None:
        """Have read at once what the function looks at next.

        The function is called again for what it looks at and was not at hand. So one that looks at many entities or
        sagas says first which they are; one that looks at a few need not.

        Args:
            entities: service and id of each; they need not exist.
            sagas: their ids.
        """
        self._work.prefetch(entities, sagas)

    def execute(self, command: Command, entity_id: str, body: Any) -> Refused | None:
        """Carry out a command on its entity; `Refused` when its participant refused, and nothing has changed then.

        Args:
            command: what to do.
            entity_id: of the entity.
            body: what the command's function gets a copy of.

        Raises:
            Exception: an exception of the command's function; nothing has changed then.
        """
        return self._work.writes.execute(command, entity_id, body)

    def start(self, saga: Saga, saga_id: str, request: Any) -> SagaInstance:
        """Start a saga of a given id, and carry it on until it waits; `Saga.prepare` is not called.

        Args:
            saga: its definition, one of those that the engine was opened with.
            saga_id: printable text without ``/``, unique in the store.
            request: what the saga is to do.

        Raises:
            DefinitionError: the engine was not opened with this definition.
            RequestRefused: there is such a saga, or the id or the request cannot be stored.
        """
        return self._work.start(self._work.committed.definitions.codec_of(saga), saga_id, request)

    def saga(self, saga_id: str) -> SagaInstance | None:
        """A saga as it stands; ``None`` when there is none of this id.

        Args:
            saga_id: of the saga.

        Raises:
            RequestRefused: it cannot be read.
        """
        loaded = self._work.saga(saga_id)
        if isinstance(loaded, Unreadable):
            raise RequestRefused(f"saga {saga_id!r} cannot be read: {loaded.why}")
        return None if loaded is None else loaded.run

    def recall(self, key: str, request: str, default: Any = None) -> Any:
        """What was remembered under a client key.

        Args:
            key: one of those that `Engine.transact` was given.
            request: what is asked under it, as text, or a digest of it.
            default: what is returned for a key that is new; give a value of your own where ``None`` is an answer.

        Raises:
            KeyReused: another request came under this key.
            RequestRefused: what the key stands for cannot be read.
        """
        text = self._work.keys.recall(key, request)
        return default if text is None else msgspec.json.decode(text)

    def remember(self, key: str, request: str, answer: Any) -> None:
        """Keep an answer under a client key: for good, but where its month of the audit leaves (docs/postgres.md).

        Args:
            key: as for `recall`.
            request: as for `recall`.
            answer: a value that JSON can hold.
        """
        row = self._work.keys.remember(key, request, answer)
        self._work.record("", 0, KeyRemembered(key), row.answer)
