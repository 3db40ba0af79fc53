"""The entities of one service in one batch, as functions meet them: to each its own copy, and only what comes back.

Those of a service whose values are all closed are looked up as in any dict.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from amends.engine.values import PLAIN_IS, Codec, Sealed, json_of, shown, text_of
from amends.errors import ParticipantError

raw: Final = dict.get
"""Gives an entity as it is kept: closed, or sealed."""

put: Final = dict.__setitem__
"""Takes one as it is kept."""


class Unstorable(ParticipantError):
    """An entity that a function gave back would come back as something else, or not at all."""


class Entities(dict[str, Any]):
    """Id to entity as it is kept, of those that were looked at; ``None`` where there is none."""

    __slots__ = ("codec", "service")

    def __init__(self, service: str, codec: Codec) -> None:
        super().__init__()
        self.service = service
        self.codec = codec

    def become(self, codec: Codec) -> None:
        """Read these entities, until the end of the batch, as others than was known."""
        self.__class__ = Entities
        self.codec = codec

    def get(self, entity_id: str, default: Any = None) -> Any:
        """An entity; a copy where it could be changed in place."""
        value = raw(self, entity_id, default)
        return self.codec.decode(value.text) if type(value) is Sealed else value

    def __setitem__(self, entity_id: str, value: Any) -> None:
        """Take an entity over, as it will be read back.

        Raises:
            Unstorable: it would come back as something else.
        """
        try:
            put(self, entity_id, self.codec.keep(value, text_of(value)))
        except (TypeError, ValueError) as error:
            raise Unstorable(
                f"the entity {self.service}/{entity_id} cannot be stored: {error}; declare its type as the first "
                f"parameter of {self.service}'s functions, or use {PLAIN_IS}"
            ) from error


def entities_of(service: str, codec: Codec) -> Entities:
    """No entities yet, of a service whose values are kept in this way."""
    return (Entities if codec.is_ever_open else _closed(codec))(service, codec)


@lru_cache(maxsize=1000)  # a simulation opens engines all the time, on the same types
def _closed(codec: Codec) -> type[Entities]:
    """Entities that need no copy; how they are is looked at when they are written."""
    is_closed, take = codec.is_closed, Entities.__setitem__

    class Closed(Entities):
        __slots__ = ()
        get = dict.get  # type: ignore[assignment]  # it is told more exactly there

        def __setitem__(self, entity_id: str, value: Any) -> None:
            if is_closed(value):
                put(self, entity_id, value)
            else:
                take(self, entity_id, value)

    return Closed


def kept_text(value: Any) -> str:
    """The JSON of an entity as it is kept; ``null`` of none.

    Raises:
        Unstorable: JSON cannot hold it: text that is no Unicode, a number of thousands of digits.
    """
    try:
        return value.text if type(value) is Sealed else json_of(value)
    except (TypeError, ValueError) as error:
        raise Unstorable(f"the entity {shown(value)} cannot be stored: {error}") from error
