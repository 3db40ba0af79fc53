"""What can be seen of sagas, by an engine as by a client: read from what is stored, without a turn of any engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, TypedDict, TypeVar, Unpack

from amends.core.definition import Saga
from amends.engine.arguments import take_key, take_list, take_name
from amends.errors import RequestRefused
from amends.lines import SECOND_MS
from amends.storage.codecs.values import shown
from amends.storage.ports import Records
from amends.views.owed import OwedLedger, OwedReader
from amends.views.pending import PendingAnswer, pending
from amends.views.sagas import AsOf, SagaView
from amends.views.search import FAILING, LIMIT, OWED, STATUS_WORDS, Page, Search, found_by, page
from amends.views.story import Description, describe

LIMIT_MAX: Final = 10_000  # sagas in a page: a document of 20 MB

Answer = TypeVar("Answer")
Look = Callable[[Records, AsOf], Answer]
"""Reads what is stored, as it is at a moment."""


class SagaSearch(TypedDict, total=False):
    """Which sagas are looked for; what is not given may be anything.

    Attributes:
        status: ``forward``, ``backward`` or ``needs-operator``, which all are ``waiting``; ``completed``,
            ``compensated`` or ``abandoned``. Beside one of them, or alone: ``failing``, of which a step has failed for
            long, and ``owed``, of which something is owed. A list means any of these statuses, with both of the others.
        definition: the name of the definition, in any version.
        service: that wait for this participant now.
        step: that wait for this step now, by its event.
        started_before: started before that; a ``datetime`` with a time zone.
        started_from: started then or later.
        limit: how many at most, 1 to 10 000; 100 by default. Raise it for a program that reads all of them.
        after: `Page.after` of the page before; ``None`` for the first page.
    """

    status: str | Sequence[str]
    definition: str
    service: str
    step: str
    started_before: datetime | None
    started_from: datetime | None
    limit: int
    after: str | None


class Looks(ABC):
    """What there is to be seen, in asyncio."""

    async def describe(self, saga_id: str) -> Description:
        """A saga, step by step: what is done, asked and undone, why it turned back, what it waits for, what is owed.

        It is read beside the engine's turns, so that it neither waits for one nor keeps one waiting.

        Args:
            saga_id: of the saga.

        Raises:
            RequestRefused: there is no such saga, or it cannot be read.
        """
        name, sagas = take_name(saga_id), self._sagas()
        return await self._look(lambda records, as_of: describe(records, name, as_of, sagas))

    async def list(self, **wanted: Unpack[SagaSearch]) -> Page:
        """A page of sagas, the one that started last first; what starts meanwhile neither shifts nor doubles any.

        Args:
            wanted: which sagas, and how many: see `SagaSearch`.

        Raises:
            RequestRefused: there is no such filter, or one is not what it has to be; or the saga that the page is to
                come after has left for an archive.
        """
        search = search_of(wanted)
        return await self._look(lambda records, as_of: page(records, search, as_of))

    async def find(self, key: str) -> SagaView | None:
        """The saga that was started under a client key; ``None`` while none was.

        Args:
            key: as it was given to `submit`.

        Raises:
            RequestRefused: what came under the key was refused, and why; or it cannot be read.
        """
        return await self._look(partial(found_by, key=take_key(key)))

    async def pending(self, **wanted: Unpack[SagaSearch]) -> Sequence[PendingAnswer]:
        """The answers that are to come from outside, those of the saga that started last first.

        Args:
            wanted: of which sagas, and how many answers at most: see `SagaSearch`.

        Raises:
            RequestRefused: as for `list`.
        """
        search, sagas = search_of(wanted), self._sagas()
        return await self._look(lambda records, as_of: tuple(pending(records, search, as_of, sagas)))

    async def owed(self, *, with_books: bool = False) -> OwedLedger:
        """What is owed: what sagas hold, what is not answered, what waits for an operator to be undone, and debts.

        What a saga holds of an entity is what its compensations would put back. Definitions that were not given here
        cannot tell that; of their sagas, the rest is told.

        Args:
            with_books: whether all entities are compared of which sagas can hold something, and not only those of which
                one holds something now. It reads all of them: set it where the store is at rest, or small.
        """
        sagas = self._sagas()
        return await self._look(lambda records, as_of: OwedReader(sagas).ledger(records, as_of, with_books=with_books))

    @abstractmethod
    def _look(self, look: Look[Answer]) -> Awaitable[Answer]:
        """Have a look at the store."""

    @abstractmethod
    def _sagas(self) -> Mapping[str, Saga]:
        """The definitions that are known here, by ``name/version/fingerprint``."""


class BlockingLooks(ABC):
    """The same for callers without asyncio."""

    def describe(self, saga_id: str) -> Description:
        """See `Looks.describe`."""
        return self.ask(lambda looks: looks.describe(saga_id))

    def list(self, **wanted: Unpack[SagaSearch]) -> Page:
        """See `Looks.list`."""
        return self.ask(lambda looks: looks.list(**wanted))

    def find(self, key: str) -> SagaView | None:
        """See `Looks.find`."""
        return self.ask(lambda looks: looks.find(key))

    def pending(self, **wanted: Unpack[SagaSearch]) -> Sequence[PendingAnswer]:
        """See `Looks.pending`."""
        return self.ask(lambda looks: looks.pending(**wanted))

    def owed(self, *, with_books: bool = False) -> OwedLedger:
        """See `Looks.owed`."""
        return self.ask(lambda looks: looks.owed(with_books=with_books))

    @abstractmethod
    def ask(self, question: Callable[[Looks], Coroutine[Any, Any, Answer]]) -> Answer:
        """Have the asyncio twin do something, in its own thread, and wait for the answer."""


def search_of(wanted: Mapping[str, Any]) -> Search:
    """The sagas that are looked for.

    Args:
        wanted: as `SagaSearch`, from a caller who may have given anything.

    Raises:
        RequestRefused: there is no such filter, or one is not what it has to be.
    """
    for name in wanted:
        if name not in SagaSearch.__annotations__:
            raise RequestRefused(f"{shown(name)} is no filter; those are: {', '.join(SagaSearch.__annotations__)}")
    words = _words_of(wanted.get("status", ()))
    limit = wanted.get("limit", LIMIT)
    if type(limit) is not int or not 1 <= limit <= LIMIT_MAX:
        raise RequestRefused(f"limit is {shown(limit)}; give a whole number, 1 to {LIMIT_MAX}")
    return Search(
        tuple(dict.fromkeys(status for word in words for status in STATUS_WORDS.get(word, ()))),
        _text_of(wanted, "definition"),
        _text_of(wanted, "service"),
        _moment_of(wanted, "started_before"),
        _moment_of(wanted, "started_from"),
        limit,
        is_owed=OWED in words,
        step=_text_of(wanted, "step"),
        is_failing=FAILING in words,
        after=_text_of(wanted, "after"),
    )


def _words_of(status: object) -> Sequence[str]:
    """The words for a status, also as rows and documents have it, with a space."""
    given = [status] if isinstance(status, str) else take_list(status, "statuses")
    words = [word.replace(" ", "-") if isinstance(word, str) else word for word in given]
    for word in words:
        if word not in (*STATUS_WORDS, FAILING, OWED):
            raise RequestRefused(f"status is {shown(word)}; give one of {', '.join((*STATUS_WORDS, FAILING, OWED))}")
    return words


def _text_of(wanted: Mapping[str, Any], name: str) -> str:
    value = wanted.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not value.isprintable():
        raise RequestRefused(f"{name} is {shown(value)}; give printable text")
    return value


def _moment_of(wanted: Mapping[str, Any], name: str) -> int | None:
    value = wanted.get(name)
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise RequestRefused(f"{name} is {shown(value)}; give a datetime with a time zone, as datetime.now(UTC)")
    return round(value.timestamp() * SECOND_MS)
