"""Sagas as the last commit left them: those under way are at hand, the others are read when a batch is about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from amends.core.step import SagaInstance
from amends.engine.limits import COMMIT_LETTERS_MAX
from amends.errors import RequestRefused
from amends.exceptions import raised
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.ports import Store
from amends.storage.rows import SagaRow, Unreadable

SAGAS_MAX: Final = 20_000  # at hand: 13 MB of sagas with a small request and two steps (tracemalloc)
LETTERS_MAX: Final = 4 * COMMIT_LETTERS_MAX  # of the requests of these: 256 MB, where all sagas have large ones
ROWS_PAGE: Final = 100  # sagas that are read at once, before it is looked how large they are


class LoadedSaga(NamedTuple):
    """A saga at hand.

    Attributes:
        codec: of its definition.
        run: where it stands.
        request: as JSON.
        started_ms: when it was started.
        version: of its row; 0 before the first commit.
        status: of its row; empty before the first commit.
    """

    codec: SagaCodec
    run: SagaInstance
    request: str
    started_ms: int
    version: int = 0
    status: str = ""


class SagaCache:
    """The sagas as the last commit left them."""

    def __init__(self, store: Store, codecs: Mapping[str, SagaCodec]) -> None:
        """Hold none yet.

        Args:
            store: where they are read.
            codecs: by definition, as rows name it.
        """
        self._store = store
        self._codecs = codecs
        self._loaded: dict[str, LoadedSaga] = {}
        self._letters = 0
        self._rows: dict[str, SagaRow | Unreadable] = {}

    def prefetch(self, saga_ids: Iterable[str]) -> None:
        """Read the rows that a batch is about; of very large ones the first, as the others are read when they are met.

        Raises:
            StoreError: they could not be read.
        """
        self._rows = {}
        names, letters = [saga_id for saga_id in saga_ids if saga_id and saga_id not in self._loaded], 0
        for first in range(0, len(names), ROWS_PAGE):
            page = self._store.sagas(names[first : first + ROWS_PAGE])
            self._rows |= page
            letters += sum(len(row.request) + len(row.body) for row in page.values() if isinstance(row, SagaRow))
            if letters > COMMIT_LETTERS_MAX:
                break

    def get(self, saga_id: str) -> LoadedSaga | Unreadable | None:
        """A saga; `Unreadable` when its row cannot be used, ``None`` when there is none.

        Raises:
            RequestRefused: it runs under a definition that this engine does not know, and is left alone.
            StoreError: it could not be read.
        """
        loaded = self._loaded.get(saga_id)
        if loaded is not None:
            return loaded
        row = self._rows.get(saga_id) or self._store.sagas([saga_id]).get(saga_id)
        if row is None or isinstance(row, Unreadable):
            return row
        codec = self._codecs.get(row.definition)
        if codec is None:
            raise RequestRefused(f"saga {saga_id!r} runs under {row.definition}, which was not given to open()")
        try:
            return LoadedSaga(codec, codec.run_of(row), row.request, row.started_ms, row.version, row.status)
        except (LookupError, TypeError, ValueError) as error:
            return Unreadable("saga", saga_id, raised(error))

    def take_over(self, sagas: Mapping[str, LoadedSaga | None]) -> None:
        """Take over what was committed; ``None`` stands for a saga that is over, and is read when it is asked for."""
        for saga_id, loaded in sagas.items():
            self._drop(saga_id)
            if loaded is not None:
                self._loaded[saga_id] = loaded
                self._letters += len(loaded.request)
        while len(self._loaded) > SAGAS_MAX or self._letters > LETTERS_MAX:
            self._drop(next(iter(self._loaded)))

    def clear(self) -> None:
        """Forget everything, so that it is read anew."""
        self._loaded.clear()
        self._letters = 0

    def _drop(self, saga_id: str) -> None:
        loaded = self._loaded.pop(saga_id, None)
        if loaded is not None:
            self._letters -= len(loaded.request)
