"""The entities as the last commit left them: those that were used lately are at hand, the others are read first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from amends.core.definition import is_name
from amends.engine.turn_io import EntityName, NotAtHand
from amends.errors import AmendsError
from amends.exceptions import is_interrupt
from amends.storage.codecs.entities import kept_text
from amends.storage.codecs.sagas import EntityCodecs, SagaCodec
from amends.storage.codecs.values import Codec, opened
from amends.storage.rows import EntityRow, Unreadable

KEPT_MAX: Final = 20_000  # entities of a service that are at hand when a turn begins; of more, the newer half stays


class EntityDamaged(AmendsError):
    """An entity's row cannot be read: what asks for it has to wait for an operator.

    Attributes:
        row: what is known of it.
    """

    def __init__(self, row: Unreadable) -> None:
        super().__init__(f"{row.name} cannot be read: {row.why}")
        self.row = row


class StoredEntity(NamedTuple):
    """An entity as it is stored.

    Attributes:
        value: closed or sealed (`amends.storage.codecs.values`); ``None`` when it does not exist.
        version: 0 when it never did.
    """

    value: Any
    version: int


class EntityCache:
    """The entities as the last commit left them.

    Attributes:
        missing: those that a decision needs, and that are not at hand.
        missing_services: of which it needs to know whether there are any.
        are_any: service to whether there are.
    """

    def __init__(self, codecs: EntityCodecs) -> None:
        """Hold none yet.

        Args:
            codecs: how a body is read.
        """
        self.missing: dict[EntityName, None] = {}
        self.missing_services: dict[str, None] = {}
        self.are_any: dict[str, bool] = {}
        self._codecs = codecs
        self._kept: defaultdict[str, dict[str, StoredEntity]] = defaultdict(dict)
        self._damaged: dict[EntityName, Unreadable] = {}

    def get(self, service: str, entity_id: str) -> StoredEntity:
        """An entity at hand.

        Raises:
            NotAtHand: it has to be read first.
            EntityDamaged: its row cannot be read.
        """
        kept = self._kept[service].get(entity_id)
        if kept is not None:
            return kept
        damaged = self._damaged.get((service, entity_id))
        if damaged is not None:
            raise EntityDamaged(damaged)
        self.missing[service, entity_id] = None
        raise NotAtHand

    def has_any(self, service: str) -> bool:
        """Whether a service has entities.

        Raises:
            NotAtHand: that has to be read first.
        """
        if service not in self.are_any:
            self.missing_services[service] = None
            raise NotAtHand
        return self.are_any[service]

    def expect(self, names: Iterable[EntityName]) -> None:
        """Note which of some entities are not at hand."""
        kept, damaged = self._kept, self._damaged
        for name in names:
            if is_id(name[1]) and name[1] not in kept[name[0]] and name not in damaged:
                self.missing[name] = None

    def put_rows(self, rows: Iterable[tuple[EntityName, EntityRow | Unreadable | None]]) -> None:
        """Hold what was read; ``None`` where there is none."""
        for name, row in rows:
            try:
                self._kept[name[0]][name[1]] = self._stored(name[0], row)
            except EntityDamaged as error:
                self._damaged[name] = error.row

    def names(self) -> list[EntityName]:
        """Those that are at hand."""
        return [(service, entity_id) for service, kept in self._kept.items() for entity_id in kept]

    def codec(self, service: str) -> Codec:
        """How the entities of a service are kept."""
        return self._codecs.codec(service)

    def relearn(self, service: str) -> None:
        """The entities of a service are of other types than was known."""
        kept = self._kept.pop(service, {})
        self.put_rows(((service, name), _row(service, name, stored)) for name, stored in kept.items())

    def unlearn(self, service: str, types: set[Any]) -> None:
        """What told other types is taken back."""
        self._codecs.unlearn(service, types)
        self.relearn(service)

    def put(self, service: str, entities: dict[str, StoredEntity]) -> None:
        """Take over what was committed."""
        self._kept[service].update(entities)

    def begin(self) -> None:
        """A turn begins: not too many are at hand, and what could not be read is looked at again."""
        self.missing.clear()
        self.missing_services.clear()
        self.are_any.clear()
        self._damaged.clear()
        for kept in self._kept.values():
            if len(kept) > KEPT_MAX:
                for entity_id in list(kept)[: len(kept) - KEPT_MAX // 2]:
                    del kept[entity_id]

    def clear(self) -> None:
        """Forget everything, so that it is read anew."""
        self._kept.clear()
        self._damaged.clear()

    def _stored(self, service: str, row: EntityRow | Unreadable | None) -> StoredEntity:
        if row is None:
            return StoredEntity(None, 0)
        if isinstance(row, Unreadable):
            raise EntityDamaged(row)
        if row.body is None:
            return StoredEntity(None, row.version)
        try:
            return StoredEntity(self.codec(service).read(row.body), row.version)
        except ValueError as error:  # msgspec.DecodeError is one: the text is not what its functions take
            raise EntityDamaged(Unreadable("entity", f"{service}/{row.entity_id}", str(error))) from error


def entities_of(codec: SagaCodec, request: Any) -> Sequence[EntityName]:
    """The entities that the steps of a saga are about, as far as its request says so."""
    return _named(lambda: ((service, id_of(opened(request))) for service, id_of in codec.asks))


def entities_for(codec: SagaCodec, asked: Any) -> Sequence[EntityName]:
    """The entities that the start of a saga is about, as far as what is asked says so."""
    if codec.saga.prepare is None:
        return entities_of(codec, asked)
    reads = codec.saga.reads
    return _named(lambda: ((service, name) for service, name in reads(asked) if is_name(service))) if reads else ()


def _named(names: Callable[[], Iterable[EntityName]]) -> Sequence[EntityName]:
    try:
        return [*names()]
    except BaseException as error:
        if is_interrupt(error):
            raise
        return ()  # a function of the definition raises: it is called again where that is answered


def _row(service: str, entity_id: str, stored: StoredEntity) -> EntityRow | None:
    value, version = stored
    body = None if value is None else kept_text(value)
    return EntityRow(service, entity_id, body, version) if version else None


def is_id(entity_id: object) -> bool:
    """Whether an entity can have an id: text that UTF-8 can hold."""
    if type(entity_id) is not str:
        return False
    try:
        entity_id.encode()
    except UnicodeEncodeError:
        return False
    return True
