"""The entities of one service in one batch, as functions meet them: to each its own copy, and only what comes back.

Those of a service whose values are all closed are looked up as in any dict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from amends.errors import ParticipantError
from amends.storage.codecs.values import PLAIN_IS, Codec, Sealed, json_of, shown, text_of

raw: Final = dict.get
"""Gives an entity as it is kept: closed, or sealed."""

put: Final = dict.__setitem__
"""Takes one as it is kept."""


class Unstorable(ParticipantError):
    """An entity that a function gave back would come back as something else, or not at all."""


class Entities(dict[str, Any]):
    """Id to entity as it is kept, of those that were looked at; ``None`` where there is none.

    Attributes:
        service: whose entities they are.
        codec: how they are kept.
        is_settled: whether an entity that was written is as it will be read back.
    """

    __slots__ = ("codec", "is_settled", "service")

    def __init__(self, service: str, codec: Codec) -> None:
        super().__init__()
        self.service = service
        self.codec = codec
        self.is_settled: Callable[[Any], bool] = _always

    def become(self, codec: Codec) -> None:
        """Read these entities, until the end of the batch, as others than was known."""
        self.__class__ = Entities
        self.codec = codec
        self.is_settled = _always

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


class Closed(Entities):
    """Those of a service whose values are all closed: there, reading and writing is a dict's own.

    So what was written is settled before it is built on, by `settle`.
    """

    __slots__ = ()
    get = dict.get  # type: ignore[assignment]  # which is typed more exactly
    __setitem__ = put

    def __init__(self, service: str, codec: Codec) -> None:
        super().__init__(service, codec)
        self.is_settled = codec.is_closed


def entities_of(service: str, codec: Codec) -> Entities:
    """No entities yet, of a service whose values are kept in this way."""
    return (Entities if codec.is_ever_open else Closed)(service, codec)


def settle(entities: Entities, entity_id: str) -> None:
    """See to it that an entity which a function wrote is as it will be read back.

    Raises:
        Unstorable: it would come back as something else.
    """
    value = raw(entities, entity_id)
    if value is not None and not entities.is_settled(value):
        Entities.__setitem__(entities, entity_id, value)


def _always(_value: Any) -> bool:
    return True


def kept_text(value: Any) -> str:
    """The JSON of an entity as it is kept; ``null`` of none.

    Raises:
        Unstorable: JSON cannot hold it: text that is no Unicode, a number of thousands of digits.
    """
    try:
        return value.text if type(value) is Sealed else json_of(value)
    except (TypeError, ValueError) as error:
        raise Unstorable(f"the entity {shown(value)} cannot be stored: {error}") from error
