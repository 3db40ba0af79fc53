"""Entities as one batch sees them: loaded when they are first asked for, changed in memory, written once.

Each saga of a batch writes on what the sagas before it left. When one cannot be carried out, what it wrote is taken
back, and nothing of the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Final, NamedTuple

from amends.engine.codec import EntityForms, text_of
from amends.errors import AmendsError
from amends.ports import Store
from amends.stored import EntityRow, Unreadable

KEPT_MAX: Final = 50_000  # entities of a service that are at hand; what is not is read when it is asked for


class EntityDamaged(AmendsError):
    """An entity's row cannot be read: what asks for it has to wait for an operator.

    Attributes:
        row: what is known of it.
    """

    def __init__(self, row: Unreadable) -> None:
        super().__init__(f"{row.name} cannot be read: {row.why}")
        self.row = row


class Kept(NamedTuple):
    """An entity as it is stored.

    Attributes:
        value: ``None`` when it does not exist.
        version: 0 when it never did.
    """

    value: Any
    version: int


class Shelf:
    """The entities as the last commit left them; those that were used lately are at hand."""

    def __init__(self, store: Store, forms: EntityForms) -> None:
        self._store = store
        self._forms = forms
        self._kept: defaultdict[str, dict[str, Kept]] = defaultdict(dict)

    def get(self, service: str, entity_id: str) -> Kept:
        """An entity.

        Raises:
            EntityDamaged: its row cannot be read.
        """
        kept = self._kept[service].get(entity_id)
        if kept is None:
            kept = self._kept[service][entity_id] = self._read(service, entity_id)
        return kept

    def put(self, service: str, entities: dict[str, Kept]) -> None:
        """Take over what was committed."""
        kept = self._kept[service]
        kept.update(entities)
        if len(kept) > KEPT_MAX:
            for entity_id in list(kept)[: len(kept) - KEPT_MAX // 2]:
                del kept[entity_id]

    def clear(self) -> None:
        """Forget everything, so that it is read anew."""
        self._kept.clear()

    def _read(self, service: str, entity_id: str) -> Kept:
        row = self._store.entity(service, entity_id)
        if row is None:
            return Kept(None, 0)
        if isinstance(row, Unreadable):
            raise EntityDamaged(row)
        if row.body is None:
            return Kept(None, row.version)
        try:
            return Kept(self._forms.decode(service, row.body), row.version)
        except ValueError as error:  # msgspec.DecodeError is one: the text is not what its functions take
            raise EntityDamaged(Unreadable("entity", f"{service}/{entity_id}", str(error))) from error


class Owned(MutableMapping[str, Any]):
    """The entities of one service in one batch, by id. They can be looked up, not listed."""

    __slots__ = ("_before", "_load", "_values", "changed", "stored")

    def __init__(self, load: Callable[[str], Kept]) -> None:
        """Hold nothing yet.

        Args:
            load: gives an entity as the last commit left it.
        """
        self._load = load
        self._values: dict[str, Any] = {}
        self._before: dict[str, Any] = {}
        self.stored: dict[str, Kept] = {}
        self.changed: dict[str, None] = {}

    def get(self, entity_id: str, default: Any = None) -> Any:
        """An entity, or `default` when it does not exist."""
        try:
            value = self._values[entity_id]
        except KeyError:
            kept = self.stored[entity_id] = self._load(entity_id)
            value = self._values[entity_id] = kept.value
        return default if value is None else value

    def __getitem__(self, entity_id: str) -> Any:
        value = self.get(entity_id)
        if value is None:
            raise KeyError(entity_id)
        return value

    def __contains__(self, entity_id: object) -> bool:
        return isinstance(entity_id, str) and self.get(entity_id) is not None

    def __setitem__(self, entity_id: str, value: Any) -> None:
        if entity_id not in self._before:
            self._before[entity_id] = self.get(entity_id)
        self._values[entity_id] = value

    def __delitem__(self, entity_id: str) -> None:
        self[entity_id]
        self[entity_id] = None

    def __iter__(self) -> Iterator[str]:
        raise TypeError("the entities of a service are looked up by id; to list them, read the store's entities")

    def __len__(self) -> int:
        raise TypeError("the entities of a service are looked up by id; to count them, read the store's entities")

    def keep(self) -> None:
        """What was written since the last time is there to stay."""
        if self._before:
            self.changed.update(self._before)
            self._before.clear()

    def take_back(self) -> None:
        """What was written since the last `keep` was never written."""
        self._values.update(self._before)
        self._before.clear()

    def rows(self, service: str) -> Iterator[tuple[EntityRow, Kept]]:
        """The row of each entity that is not as it was, and what is stored once it is committed.

        Raises:
            TypeError, ValueError: an entity that JSON cannot hold.
        """
        for entity_id in self.changed:
            before, version = self.stored[entity_id]
            value = self._values[entity_id]
            if value is not before:
                body = None if value is None else text_of(value)
                yield EntityRow(service, entity_id, body, version + 1), Kept(value, version + 1)


class Overlay(dict[str, Owned]):
    """What a batch sees of the entities: service to `Owned`.

    Attributes:
        fresh: ids that were given out in this batch. That no entity has such an id yet is taken for granted, which
            saves a look at the store for every new thing; should one have it, its row's version says so at the
            commit, and the batch is decided again with a look.
    """

    def __init__(self, shelf: Shelf, *, trusts_fresh: bool = True) -> None:
        """Hold nothing yet.

        Args:
            shelf: the entities as the last commit left them.
            trusts_fresh: whether an id that was just given out is taken to be nobody's.
        """
        self._shelf = shelf
        self._trusts_fresh = trusts_fresh
        self.fresh: set[str] = set()

    def __missing__(self, service: str) -> Owned:
        owned = self[service] = Owned(lambda entity_id: self._load(service, entity_id))
        return owned

    def keep(self) -> None:
        """What was written since the last time is there to stay."""
        for owned in self.values():
            owned.keep()

    def take_back(self) -> None:
        """What was written since the last `keep` was never written."""
        for owned in self.values():
            owned.take_back()

    def _load(self, service: str, entity_id: str) -> Kept:
        if self._trusts_fresh and entity_id in self.fresh:
            return NEVER
        return self._shelf.get(service, entity_id)


NEVER: Final = Kept(None, 0)
