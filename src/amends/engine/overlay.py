"""Entities as one batch sees them: loaded when they are first asked for, changed in memory, written once.

Each saga of a batch writes on what the sagas before it left. When one cannot be carried out, what it wrote is taken
back, and nothing of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Final, NamedTuple

from amends.core.definition import A_NAME, is_name
from amends.engine.entity_cache import EntityCache, StoredEntity, is_id
from amends.engine.turn_io import EntityName, NotAtHand
from amends.errors import ParticipantError
from amends.storage.codecs.entities import Entities, entities_of, kept_text, put, raw, settle
from amends.storage.codecs.sagas import SagaCodec
from amends.storage.codecs.values import Sealed, encode, shown
from amends.storage.rows import EntityRow

new_row: Final[Any] = tuple.__new__
"""Makes a NamedTuple of all its fields, ``new_row(EntityRow, (...))``; its own constructor takes twice the time."""

NO_ID: Final = "is no id of an entity; give a str that UTF-8 can hold"
NEVER: Final = StoredEntity(None, 0)

Touched = tuple[Entities, str, Any]
"""An entity that may be about to change: its service's entities, its id, and what is kept of it so far."""


class ServiceEntities(NamedTuple):
    """The entities of one service in one batch, by id.

    Attributes:
        values: as the batch sees them now, of those that were looked at; ``None`` where there is none.
        stored: as the last commit left them, of those that were read.
        touched: those that may have changed since.
    """

    values: Entities
    stored: dict[str, StoredEntity]
    touched: dict[str, None]


Place = tuple[Callable[[Any], str], Entities, dict[str, StoredEntity], dict[str, None]]
"""From a request to the id of an entity, and what is known of its service in one batch; see `ServiceEntities`."""


class Overlay:
    """What a batch sees of the entities.

    Attributes:
        values: service, then id, to entity, of those that were looked at; ``None`` where there is none.
        sheets: the same, with what is known beside it.
        views: the same, as others than sagas meet them.
        fresh: ids that no entity is taken to have yet, without a look at the store.
        elsewhere: the services whose entities are not kept here.
        places: what `places_of` gave before.
        pending: what was written by `write` since the last `keep`, to be taken back.
    """

    def __init__(self, shelf: EntityCache, elsewhere: Collection[str] = ()) -> None:
        """Hold nothing yet.

        Args:
            shelf: the entities as the last commit left them.
            elsewhere: the services whose entities are not kept here.
        """
        self._shelf = shelf
        self.pending: list[Touched] = []
        self._recorded: set[tuple[str, str]] = set()
        self._relearned: dict[str, set[Any]] = {}
        self.places: dict[SagaCodec, list[Place]] = {}
        self._is_over = False
        self.values = Values(shelf)
        self.sheets = EntitiesByService(self.values)
        self.fresh: set[str] = set()
        self.elsewhere = elsewhere
        self.views = EntityMaps(self)

    def end(self) -> None:
        """Nothing is read or written here any more: the batch is committed, or given up."""
        self._is_over = True

    def expect_open(self) -> None:
        """Refuse a function that kept the entities, or the unit of work, of a batch that is over.

        Raises:
            ParticipantError: it is.
        """
        if self._is_over:
            raise ParticipantError(
                "this unit of work is over, and nothing that is done in it is stored; read and write within the "
                "function that it was given to"
            )

    def places_of(self, codec: SagaCodec) -> list[Place]:
        """Where in this batch the entities are that the local steps of a definition are about."""
        places = self.places[codec] = [self.place(*ask) for ask in codec.asks]
        return places

    def place(self, service: str, id_of: Callable[[Any], str]) -> Place:
        """Where in this batch the entities of a service are."""
        return (id_of, *self.sheets[service])

    def touch(self, places: Iterable[Place], request: Any) -> list[Touched]:
        """Look at what a saga's steps are about, so that they find it in `values`.

        Args:
            places: what they are about; see `places_of`.
            request: the saga's.

        Raises:
            NotAtHand: some of them have to be read first.
            EntityDamaged: a row cannot be read.
            Exception: what the function of an id raises.
        """
        touched: list[Touched] = []
        fresh = self.fresh
        try:
            for id_of, values, stored, may_change in places:
                entity_id = id_of(request)
                before = raw(values, entity_id)
                if before is None and entity_id not in fresh and entity_id not in stored:
                    _refuse_no_id(values.service, entity_id)
                    before = self.load(values.service, entity_id)
                may_change[entity_id] = None
                touched.append((values, entity_id, before))
        except NotAtHand:  # all of them are read at once
            self.expect((values.service, id_of(request)) for id_of, values, *_ in places)
            raise
        return touched

    def expect(self, names: Iterable[EntityName]) -> None:
        """Have entities read that will be looked at, where they are not at hand."""
        self._shelf.expect(name for name in names if name[1] not in self.fresh)

    def settle(self, touched: Iterable[Touched]) -> None:
        """See to it that what was written of these is as it will be read back.

        Raises:
            Unstorable: it would come back as something else.
        """
        for values, entity_id, before in touched:
            after = raw(values, entity_id)
            if after is not before and not values.is_settled(after):
                settle(values, entity_id)

    def restore(self, touched: Iterable[Touched]) -> None:
        """What was written of these was never written."""
        for values, entity_id, before in touched:
            put(values, entity_id, before)

    def load(self, service: str, entity_id: str) -> Any:
        """Look at an entity, and give it as it is kept; ``None`` when there is none.

        Raises:
            NotAtHand: it has to be read first.
            EntityDamaged: its row cannot be read.
            ParticipantError: the batch is over.
        """
        self.expect_open()
        values, stored, _ = self.sheets[service]
        if entity_id in stored:  # it was deleted in this batch
            return None
        is_known = entity_id in self.fresh or not is_id(entity_id)
        kept = stored[entity_id] = NEVER if is_known else self._shelf.get(service, entity_id)
        put(values, entity_id, kept.value)
        return kept.value

    def write(self, service: str, entity_id: str, value: Any) -> None:
        """Write an entity, to stay or to be taken back.

        Raises:
            ParticipantError: its id is no text that can be stored, it would come back as another one, or this is over.
        """
        self.expect_open()
        _refuse_no_id(service, entity_id)
        values, _, may_change = self.sheets[service]
        before = raw(values, entity_id) if entity_id in values else self.load(service, entity_id)
        if value is None:
            put(values, entity_id, None)
        else:
            Entities.__setitem__(values, entity_id, value)
        self.pending.append((values, entity_id, before))
        may_change[entity_id] = None

    def written(self) -> dict[tuple[str, str], str]:
        """What was written by `write` since the last `keep`: service and id to the entity's JSON."""
        return {(values.service, entity_id): kept_text(raw(values, entity_id)) for values, entity_id, _ in self.pending}

    def recorded(self, service: str, entity_id: str) -> None:
        """An entity has a record of its own, and so a row, also where it is gone before it was ever stored.

        Raises:
            ParticipantError: its id is no text that can be stored.
        """
        _refuse_no_id(service, entity_id)
        self.sheets[service].touched[entity_id] = None
        self._recorded.add((service, entity_id))

    def relearn(self, service: str, before: set[Any]) -> None:
        """The entities of a service turned out to be of other types than was known: read them as those.

        Args:
            service: the participant.
            before: the types that were known.
        """
        self._shelf.relearn(service)
        self._relearned.setdefault(service, before)
        self.values[service].become(self._shelf.codec(service))

    def unlearn(self) -> None:
        """What told other types is decided again, as if it never had."""
        for service, before in self._relearned.items():
            self._shelf.unlearn(service, before)

    def keep(self) -> None:
        """What was written by `write` since the last time is there to stay."""
        self.pending.clear()

    def take_back(self) -> None:
        """What was written by `write` since the last `keep` was never written."""
        self.restore(reversed(self.pending))
        self.pending.clear()

    def rows(self, over: Collection[str] = ()) -> Iterator[tuple[str, list[EntityRow], dict[str, StoredEntity]]]:
        """For each service the rows of the entities that are not as they were, and what is stored once they are.

        Args:
            over: ids that were fresh, and whose entities are not to be kept at hand: few of them are read again soon.

        Raises:
            TypeError, ValueError: an entity that JSON cannot hold.
        """
        for service, (values, stored, touched) in self.sheets.items():
            rows, kept = list[EntityRow](), dict[str, StoredEntity]()
            is_other = service in self._relearned
            for entity_id in touched:
                value, at = raw(values, entity_id), stored.get(entity_id, NEVER)
                before, version = at
                if value is before and (version or (service, entity_id) not in self._recorded):
                    continue
                body = None if value is None else value.text if type(value) is Sealed else encode(value).decode()
                if type(before) is Sealed and body == before.text:
                    continue
                version += 1
                rows.append(new_row(EntityRow, (service, entity_id, body, version)))
                if is_other and body is not None:  # it may have been kept as of another type
                    value = self._shelf.codec(service).read(body)
                if entity_id not in over:
                    kept[entity_id] = new_row(StoredEntity, (value, version))
            yield service, rows, kept

    def unchanged(self, service: str, rows: Iterable[EntityRow]) -> Iterator[tuple[str, int]]:
        """The entities of a service that were looked at and stay as they are: id, and version of the row."""
        changed = {row.entity_id for row in rows}
        stored = self.sheets[service][1]
        return ((name, stored[name].version) for name in sorted(stored) if name not in changed)


class Values(dict[str, Entities]):
    """Service to the entities that were looked at in one batch, as the functions of sagas meet them."""

    def __init__(self, shelf: EntityCache) -> None:
        super().__init__()
        self._shelf = shelf

    def __missing__(self, service: str) -> Entities:
        entities = self[service] = entities_of(service, self._shelf.codec(service))
        return entities


class EntitiesByService(dict[str, ServiceEntities]):
    """Service to its entities in one batch; a service that was not met before has none yet."""

    def __init__(self, values: Mapping[str, Entities]) -> None:
        super().__init__()
        self._values = values

    def __missing__(self, service: str) -> ServiceEntities:
        sheet = self[service] = ServiceEntities(self._values[service], {}, {})
        return sheet


class EntityMaps(Mapping[str, "EntityMap"]):
    """The entities as a command, `Saga.prepare` or an embedder meets them: service, then id, to entity."""

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay
        self._owned: dict[str, EntityMap] = {}

    def __getitem__(self, service: str) -> EntityMap:
        if service.__class__ is not str or (owned := self._owned.get(service)) is None:
            if not is_name(service):
                raise ParticipantError(f"{shown(service)} is no service; its name is {A_NAME}")
            if service in self._overlay.elsewhere:
                raise ParticipantError(f"the entities of {service} are elsewhere: read and change them there")
            owned = self._owned[service] = EntityMap(self._overlay, service)
        return owned

    def __iter__(self) -> Iterator[str]:
        return iter(self._owned)

    def __len__(self) -> int:
        return len(self._owned)


class EntityMap(MutableMapping[str, Any]):
    """The entities of one service in one batch, by id. They can be looked up, not listed."""

    __slots__ = ("_overlay", "_service", "_values")

    def __init__(self, overlay: Overlay, service: str) -> None:
        self._overlay = overlay
        self._service = service
        self._values = overlay.values[service]

    def get(self, entity_id: str, default: Any = None) -> Any:
        """An entity, or `default` when it does not exist."""
        values = self._values
        value = values.get(entity_id)
        if value is None and entity_id not in values:
            self._overlay.load(self._service, entity_id)
            value = values.get(entity_id)
        return default if value is None else value

    def __getitem__(self, entity_id: str) -> Any:
        value = self.get(entity_id)
        if value is None:
            raise KeyError(entity_id)
        return value

    def __contains__(self, entity_id: object) -> bool:
        return isinstance(entity_id, str) and self.get(entity_id) is not None

    def __setitem__(self, entity_id: str, value: Any) -> None:
        self._overlay.write(self._service, entity_id, value)

    def __delitem__(self, entity_id: str) -> None:
        self._overlay.write(self._service, entity_id, None)

    def __iter__(self) -> Iterator[str]:
        raise TypeError("the entities of a service are looked up by id; to list them, read the store's entities")

    def __len__(self) -> int:
        raise TypeError("the entities of a service are looked up by id; to count them, read the store's entities")


def _refuse_no_id(service: str, entity_id: object) -> None:
    if not is_id(entity_id):
        raise ParticipantError(f"{service}: {shown(entity_id)} {NO_ID}")
