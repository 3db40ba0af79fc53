"""What clients give an engine: looked at before it is queued, so that a bad argument harms no other client."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from amends.core.definition import DURATION_MAX
from amends.engine.entity_cache import is_id
from amends.engine.overlay import NO_ID
from amends.errors import RequestRefused
from amends.storage.codecs.values import from_outside, shown

KEY_LENGTH_MAX: Final = 255  # of a client key; a longer one is no name (Idempotency-Key header, IETF draft-07)


def take_list(given: Any, what: str) -> list[Any]:
    """What is to be a list of requests, or of keys, and no single one of them.

    Raises:
        RequestRefused: it is no such list.
    """
    is_one = hasattr(given, "_fields")  # a named tuple
    if is_one or isinstance(given, str | bytes | Mapping | AbstractSet) or not isinstance(given, Iterable):
        raise RequestRefused(f"the {what} are {shown(given)}, a {type(given).__name__}; give a list of {what}")
    return list(given)


def take_key(key: object) -> str:
    """A client key.

    Raises:
        RequestRefused: it is no printable text of a key's length.
    """
    name = _text(key)
    if not name or len(name) > KEY_LENGTH_MAX:
        raise RequestRefused(f"client key {shown(key)} is not printable text of 1 to {KEY_LENGTH_MAX} characters")
    return name


def take_keys(key: object) -> Sequence[str]:
    """One client key, or none, as a task has it.

    Raises:
        RequestRefused: as for `take_key`.
    """
    return () if key is None else [take_key(key)]


def key_or_fault(key: object) -> str | RequestRefused:
    """A client key, or why it is none."""
    try:
        return take_key(key)
    except RequestRefused as fault:
        return fault


def take_timeout(timeout: object) -> float:
    """How long to wait, in seconds; without end for ``None``.

    Raises:
        RequestRefused: it is no number of seconds.
    """
    if timeout is None:
        return DURATION_MAX
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise RequestRefused(f"timeout is {shown(timeout)}; give seconds, 0 or more, or None for as long as it takes")
    return float(min(timeout, DURATION_MAX))


def take_requests(requests: object, keys: object) -> tuple[list[Any], list[Any]]:
    """Requests, and a client key for each; no keys where none are given.

    Raises:
        RequestRefused: one of them is no list, or there are not as many keys.
    """
    given, names = take_list(requests, "requests"), [] if keys is None else take_list(keys, "keys")
    if keys is not None and len(names) != len(given):
        raise RequestRefused(f"{len(given)} requests came with {len(names)} keys; give each a key, or none")
    return given, names


def take_name(name: object) -> str:
    """A saga's id, or a request's key.

    Raises:
        RequestRefused: no saga can have it.
    """
    text = _text(name)
    if not text:
        raise RequestRefused(f"there is no saga {shown(name)}")
    return text


def take_id(name: object) -> str:
    """An entity's id, or its service's name, without what a class of its own may make of it.

    Raises:
        RequestRefused: no entity can have it.
    """
    text = str.__str__(name) if isinstance(name, str) else ""
    if not isinstance(name, str) or not is_id(text):
        raise RequestRefused(f"{shown(name)} {NO_ID}")
    return text


def take_outcome(outcome: Any, event: str) -> Any:
    """An outcome that a client brings, as it waits for its turn.

    Raises:
        RequestRefused: its answer cannot be stored.
    """
    try:
        return from_outside(outcome, event)
    except ValueError as error:
        raise RequestRefused(str(error)) from error


def _text(name: object) -> str:
    """Printable text, without what a class of its own may make of it; empty for anything else."""
    text = str.__str__(name) if isinstance(name, str) else ""
    return text if text.isprintable() else ""
