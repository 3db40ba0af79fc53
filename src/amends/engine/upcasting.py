"""Entities that are stored as another type than today's: a user's functions make them of it, when an engine opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from amends.engine.recording import Recording
from amends.errors import DefinitionError
from amends.exceptions import is_interrupt, raised
from amends.storage.codecs.sagas import EntityCodecs
from amends.storage.codecs.shapes import Shape, ShapeComparison, by_names, shape_of
from amends.storage.codecs.values import Codec, json_of, shown, text_of
from amends.storage.ports import Records, Store
from amends.storage.records import EntityWritten
from amends.storage.rows import ENTITY, Changes, EntityRow, Head, ShapeRow

PAGE: Final = 500  # entities that are rewritten at a time
PAGE_LETTERS: Final = 2**24  # of entities that are rewritten in one commit: they are in memory until then
UPCAST: Final = "upcast"
"""By what an entity was written that was rewritten."""

Upcast = Callable[[Any], Any]
"""From what was stored, its records as dicts by the names of their fields, to a value of today's type."""

NO_UPCASTS: Final[Mapping[str, Upcast]] = {}

OF_AN_ENTITY: Final = (
    "take the change back; or give open(upcasts={{{0!r}: function}}), from the stored entity, a dict by field names, "
    "to one of today's type"
)


class EntityShape(msgspec.Struct, frozen=True, omit_defaults=True):
    """As what the entities of a service are stored.

    Attributes:
        shape: of all of them; or of those that are not rewritten yet.
        becomes: of those that are, while that is under way.
        first: the id from which on they are not.
    """

    shape: Shape
    becomes: Shape | None = None
    first: str = ""


def shape_row(service: str, kind: Any) -> ShapeRow:
    """That the entities of a service are stored as a type."""
    return entity_shape_row(service, EntityShape(shape_of(kind)))


def entity_shape_row(service: str, stored: EntityShape) -> ShapeRow:
    """As what the entities of a service are stored, as a row."""
    return ShapeRow(ENTITY, service, 0, json_of(stored))


class EntityUpcasts:
    """The upcasters of entities, and what they are to do in one store.

    Attributes:
        to_do: service to what its entities are stored as, and to be.
    """

    def __init__(self, records: Records, codecs: EntityCodecs, upcasts: Mapping[str, Upcast]) -> None:
        """Have nothing to do yet.

        Args:
            records: hold the entities.
            codecs: of the types of today's entities.
            upcasts: by service, for entities that today's type does not read right.
        """
        self.to_do: dict[str, tuple[EntityShape, Shape]] = {}
        self._records = records
        self._codecs = codecs
        self._upcasts = upcasts

    def has_any(self, service: str) -> bool:
        """Whether a service has entities."""
        return any(True for _ in self._existing(service))

    def add(self, service: str, stored: EntityShape, today: Shape) -> None:
        """The entities of a service are to be rewritten.

        Raises:
            DefinitionError: there is no upcaster for them, or another one began with them.
        """
        if stored.becomes not in (None, today):
            raise DefinitionError(
                f"the entities of {service}: an earlier start began to upcast them to another type, and did not come "
                "to the end; open the store with that code again, and then with this one"
            )
        if service not in self._upcasts:
            faults = ShapeComparison(stored.shape, today, service).faults
            fault = faults[0] if faults else "they are being upcast"
            raise DefinitionError(f"the entities of {service}: {fault}; {OF_AN_ENTITY.format(service)}")
        self.to_do[service] = stored, today

    def check(self) -> None:
        """Try the upcasters on all that they have to do.

        Raises:
            DefinitionError: one fails, or is for entities of which no function says the type.
        """
        for service in self.to_do:
            self.try_on(service)
        for service in self._upcasts:
            if self._codecs.kind_of(service) is None:
                raise DefinitionError(
                    f"upcasts has {service}, and nobody says what its entities are; declare the type of the first "
                    "parameter of its functions"
                )

    def try_on(self, service: str) -> None:
        """Try the upcaster of a service on all that it has to do, if that is anything.

        Raises:
            DefinitionError: it fails.
        """
        if service in self.to_do:
            stored, _ = self.to_do[service]
            for row in self._existing(service, stored.first):
                self._upcasted(row, stored.shape)

    def carry_out(self, store: Store, head: Head, now_ms: int) -> Head:
        """Rewrite the entities, in as many commits as that takes; killed at any moment, it goes on at the next start.

        Args:
            store: what was read, to be written to.
            head: where the audit ends.
            now_ms: the clock.

        Returns:
            Where it ends then.
        """
        for service, (stored, today) in self.to_do.items():
            for rows, first in self._pages(service, stored):
                recording = Recording(now_ms)
                for entity in rows:
                    cause = EntityWritten(service, entity.entity_id, UPCAST)
                    recording.add(f"{service}/{entity.entity_id}", 0, cause, value=entity.body)
                now = EntityShape(today) if first is None else EntityShape(stored.shape, today, first)
                recording.write_entities(service, rows)
                block = recording.block(head)
                store.commit(Changes((), rows, (), block, {}, shapes=[entity_shape_row(service, now)]))
                head = block.as_head()
        self.to_do.clear()
        return head

    def _pages(self, service: str, stored: EntityShape) -> Iterator[tuple[list[EntityRow], str | None]]:
        """Entities as they are to be, and the id from which on they are not; ``None`` after the last."""
        page, letters = list[EntityRow](), 0
        for row in self._existing(service, stored.first):
            if page and (len(page) == PAGE or letters > PAGE_LETTERS):
                yield page, row.entity_id
                page, letters = [], 0
            body = self._upcasted(row, stored.shape)
            page.append(row._replace(body=body, version=row.version + 1))
            letters += len(body)
        yield page, None

    def _upcasted(self, row: EntityRow, shape: Shape) -> str:
        service, what = row.service, f"the upcaster of {row.service}: {row.entity_id}"
        return upcast_text(self._upcasts[service], shape, str(row.body), self._codecs.codec(service), what)

    def _existing(self, service: str, first: str = "") -> Iterator[EntityRow]:
        """The entities of a service that exist and can be read."""
        for row in self._records.entities(service, first):
            if isinstance(row, EntityRow) and row.body is not None:
                yield row


def upcast_text(upcast: Upcast, shape: Shape, text: str, codec: Codec, what: str) -> str:
    """JSON of what an upcaster makes of what is stored.

    Raises:
        DefinitionError: it raised, gave something of another type, or something else the second time.
    """
    stored = [by_names(shape, msgspec.json.decode(text)) for _ in "12"]
    told = shown(stored[0])
    try:
        values = [upcast(one) for one in stored]
    except BaseException as error:
        if is_interrupt(error):
            raise
        raise DefinitionError(f"{what} raised {raised(error)}; it was given {told}") from error
    try:
        first, second = map(text_of, values)
        codec.keep(values[0], first)
    except (TypeError, ValueError) as error:
        raise DefinitionError(f"{what} gave what is not of today's type: {error}") from error
    if first != second:
        raise DefinitionError(f"{what} gave {shown(values[0])}, and then {shown(values[1])}, of the same")
    return first
