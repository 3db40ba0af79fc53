"""Sagas as the last commit left them: those under way stay at hand, the others are read for the turns about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from amends.core.step import SagaInstance
from amends.engine.entity_cache import entities_of
from amends.engine.limits import COMMIT_LETTERS_MAX
from amends.engine.turn_io import EntityName, NotAtHand
from amends.errors import RequestRefused
from amends.exceptions import raised
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.rows import SagaRow, Unreadable

SAGAS_MAX: Final = 20_000  # at hand: 13 MB of sagas with a small request and two steps (tracemalloc)
LETTERS_MAX: Final = 4 * COMMIT_LETTERS_MAX  # of the requests of these: 256 MB, where all sagas have large ones


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


class DefinitionUnknown(RequestRefused):
    """A saga runs under a definition that this engine does not know.

    Attributes:
        definition: as ``name/version/fingerprint``.
    """

    def __init__(self, row: SagaRow) -> None:
        super().__init__(f"saga {row.saga_id!r} runs under {row.definition}, which was not given to open()")
        self.definition = row.definition


class SagaCache:
    """The sagas as the last commit left them.

    Attributes:
        missing: those that a decision needs, and that are not at hand.
    """

    def __init__(self, codecs: Mapping[str, SagaCodec]) -> None:
        """Hold none yet.

        Args:
            codecs: by definition, as rows name it.
        """
        self.missing: dict[str, None] = {}
        self._codecs = codecs
        self._loaded: dict[str, LoadedSaga] = {}
        self._letters = 0
        self._rows: dict[str, SagaRow | LoadedSaga | Unreadable | None] = {}

    def expect(self, saga_ids: Iterable[str]) -> None:
        """Note which of some sagas are not at hand."""
        loaded, rows = self._loaded, self._rows
        self.missing.update((name, None) for name in saga_ids if name not in loaded and name not in rows)

    def get(self, saga_id: str) -> LoadedSaga | Unreadable | None:
        """A saga at hand; `Unreadable` when its row cannot be used, ``None`` when there is none.

        Raises:
            NotAtHand: it has to be read first.
            DefinitionUnknown: it runs under a definition that this engine does not know, and is left alone.
        """
        loaded = self._loaded.get(saga_id)
        if loaded is not None:
            return loaded
        if saga_id not in self._rows:
            self.missing[saga_id] = None
            raise NotAtHand
        row = self._rows[saga_id]
        if not isinstance(row, SagaRow):
            return row
        read = self._rows[saga_id] = self._loaded_of(row)
        return read

    def entities_of(self, saga_id: str) -> Sequence[EntityName]:
        """The entities that the request of a saga names, as far as the saga is at hand."""
        try:
            loaded = self.get(saga_id)
        except (NotAtHand, RequestRefused):
            return ()
        return entities_of(loaded.codec, loaded.run.request) if isinstance(loaded, LoadedSaga) else ()

    def _loaded_of(self, row: SagaRow) -> LoadedSaga | Unreadable:
        codec = self._codecs.get(row.definition)
        if codec is None:
            raise DefinitionUnknown(row)
        try:
            return LoadedSaga(codec, codec.run_of(row), row.request, row.started_ms, row.version, row.status)
        except (LookupError, TypeError, ValueError) as error:
            return Unreadable("saga", row.saga_id, raised(error))

    def put(self, saga_ids: Iterable[str], rows: Mapping[str, SagaRow | Unreadable]) -> None:
        """Hold what was read, for one turn: most of these sagas are over, or change in it."""
        self._rows.update((saga_id, rows.get(saga_id)) for saga_id in saga_ids)

    def take_over(self, sagas: Mapping[str, LoadedSaga | None]) -> None:
        """Take over what was committed; ``None`` stands for a saga that is over, and is read when it is asked for."""
        for saga_id, loaded in sagas.items():
            self._drop(saga_id)
            if loaded is not None:
                self._loaded[saga_id] = loaded
                self._letters += len(loaded.request)
        while len(self._loaded) > SAGAS_MAX or self._letters > LETTERS_MAX:
            self._drop(next(iter(self._loaded)))

    def begin(self) -> None:
        """A turn begins: the rows that were read for the last one may be others since."""
        self.missing.clear()
        self._rows.clear()

    def clear(self) -> None:
        """Forget everything, so that it is read anew."""
        self._rows.clear()
        self._loaded.clear()
        self._letters = 0

    def _drop(self, saga_id: str) -> None:
        loaded = self._loaded.pop(saga_id, None)
        if loaded is not None:
            self._letters -= len(loaded.request)
