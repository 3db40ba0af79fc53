"""Values as they are kept: what is decided on is what will be read back, and it cannot be changed in place.

A closed value (`amends.storage.codecs.closed`) is kept as it is. Any other is kept sealed: as its JSON, of which each
caller who is given the value gets a copy of its own. What would come back as another value is refused where it is met.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from math import isfinite
from typing import Any, Final, is_typeddict

import msgspec

from amends.core.messages import Done, Outcome, Refused, Request, SealedValue, Unknown, worded
from amends.errors import DefinitionError
from amends.exceptions import complaint, is_interrupt
from amends.storage.codecs.closed import SCALARS, closed
from amends.storage.codecs.models import is_model, plain, read, written

SHOWN: Final = 120  # characters of a value in a message
UTF_8_MAX: Final = 4  # bytes for a character
JSON_MAX: Final = 6  # bytes for one in a text: ``\\u0000``
DEPTH_MAX: Final = 100  # of lists in lists: what is deeper is no data, and a function that walks over it has a stack
PLAIN_IS: Final = "dicts with text keys, lists, text, finite numbers, True, False and None"

OF_AN_ANSWER: Final = (
    "declare its type where the function says what it gives back, as in `-> Done[Receipt] | Refused` or "
    f"`-> Changed[Seats, Receipt]`, or use {PLAIN_IS}"
)


def of_a_request(declared: Any, request: object) -> str:
    """What to do where a request cannot be stored, or would come back as another one."""
    is_class = isinstance(declared, type) and declared is not Any and not is_typeddict(declared)
    if is_class and declared not in type(request).__mro__:
        return f"the saga's request is declared as {declared.__name__}: give one"
    return f"declare its type as the saga's request, or use {PLAIN_IS}"


encode: Final = msgspec.json.Encoder(enc_hook=written).encode
"""Gives a value's JSON as bytes; `json_of` beside it says what is wrong with a value of a user's own type."""


def json_of(value: Any) -> str:
    """A value as JSON text; one that is not finite comes out as ``null``.

    Raises:
        TypeError, ValueError: it holds what JSON cannot (an object of a class of its own, a lone surrogate).
    """
    try:
        return encode(value).decode()
    except (TypeError, ValueError):
        raise
    except BaseException as error:  # what a value's own code raises is no better than what JSON cannot hold
        raise ValueError(complaint(error)) from error


def text_of(value: Any) -> str:
    """A value as JSON text.

    Raises:
        TypeError, ValueError: as `json_of`; or a number in it is not finite.
    """
    text = json_of(value)
    if "null" in text and not all(map(isfinite, _floats(plain(value)))):
        raise ValueError(f"{shown(value)} holds a number that is not finite, which JSON has no word for")
    return text


def refuse_too_large(text: str, most: int) -> None:
    """Look how large a value is.

    Args:
        text: the value, as JSON or a text itself.
        most: so many bytes in UTF-8 are taken.

    Raises:
        ValueError: it is larger.
    """
    if UTF_8_MAX * len(text) > most and (size := len(text.encode())) > most:
        raise ValueError(
            f"it has {size} bytes, and the engine takes {most}: keep it elsewhere and store where, or open the engine "
            "with a larger value_bytes_max"
        )


def refuse_large_answers(answers: Iterable[Any], most: int) -> None:
    """Look how large answers are, as they are kept.

    Raises:
        ValueError: one is too large.
    """
    for answer in answers:
        if isinstance(answer, Sealed):
            refuse_too_large(answer.text, most)
        elif isinstance(answer, str):
            if JSON_MAX * (len(answer) + 1) > most:
                refuse_too_large(json_of(answer), most)
        elif type(answer) not in SCALARS:
            refuse_too_large(json_of(answer), most)


def _floats(value: Any) -> Iterator[float]:
    """The numbers that may not be finite in what is made of dicts, lists and plain values."""
    left = [value]
    while left:
        value = left.pop()
        if type(value) is float:
            yield value
        elif isinstance(value, dict):
            left += (*value.keys(), *value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            left += value


def shown(value: Any) -> str:
    """A value in a message."""
    try:
        text = repr(value)
    except BaseException as error:
        if is_interrupt(error):
            raise
        text = f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"
    return worded(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")


class Sealed(SealedValue):
    """A value that is not closed, as its JSON.

    Attributes:
        text: the JSON.
    """

    __slots__ = ("_codec", "text")

    def __init__(self, text: str, codec: Codec) -> None:
        self.text = text
        self._codec = codec

    @property
    def is_plain(self) -> bool:
        """Whether it is of no declared type."""
        return self._codec is PLAIN

    def open(self) -> Any:
        """A copy of the value, which its receiver owns."""
        return self._codec.decode(self.text)

    def __eq__(self, other: object) -> bool:
        return type(other) is Sealed and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.text:.60}>"


class Codec:
    """How the values of a declared type are kept and read back.

    Attributes:
        kind: the type; ``Any`` where none is declared.
        is_closed: whether a value is closed.
        is_ever_open: whether a value can be of the type and not be closed.
    """

    def __init__(self, kind: Any) -> None:
        """Look at a type, ``Any`` where none is declared.

        Raises:
            TypeError: its values cannot be read back.
        """
        self.kind = kind
        self.decode: Final = msgspec.json.Decoder(kind, dec_hook=read).decode
        for other in _foreign(msgspec.inspect.type_info(kind)):
            raise TypeError(f"{other.__module__}.{other.__qualname__} is of no kind that JSON is read as")
        test = closed(kind)
        self.is_closed: Final = test or _never
        self.is_ever_open: Final = test is None or kind is Any

    def keep(self, value: Any, text: str) -> Any:
        """The value as it is kept: itself if it is closed, else sealed.

        Args:
            value: any.
            text: its JSON.

        Raises:
            ValueError: it would come back as another value, and as which.
        """
        if self.is_closed(value):
            return value
        try:
            again = self.decode(text)
            told = next(_differences(value, again, "", 0), "")
        except BaseException as error:
            raise ValueError(f"{shown(value)} cannot be read back as {self._name()}: {complaint(error)}") from error
        if told:
            raise ValueError(told)
        return self.kept(again, text)

    def kept(self, value: Any, text: str) -> Any:
        """As `keep`, of a value that was read back from its JSON."""
        return value if self.is_closed(value) else Sealed(text, self)

    def read(self, text: str) -> Any:
        """A stored value, as it is kept.

        Raises:
            ValueError: it is not what was written.
        """
        return self.kept(self.decode(text), text)

    def _name(self) -> str:
        return "plain JSON" if self.kind is Any else str(getattr(self.kind, "__qualname__", self.kind))


def codec_of(kind: Any, what: str) -> Codec:
    """How the values of a declared type are kept.

    Args:
        kind: the type.
        what: which values these are, for the error.

    Raises:
        DefinitionError: they cannot be read back.
    """
    try:
        return _codec(kind)
    except BaseException as error:
        raise DefinitionError(
            f"{what} cannot be read back from JSON: {complaint(error)}; use numbers, strings, lists, dicts, "
            "dataclasses or NamedTuples of these"
        ) from error


_codec: Final = lru_cache(maxsize=1000)(Codec)  # a simulation opens engines all the time, on the same types


def _foreign(info: Any) -> Iterator[type]:
    """The classes in a type that msgspec knows nothing of."""
    left, seen = [info], set[int]()
    while left:
        info = left.pop()
        if isinstance(info, msgspec.inspect.CustomType):
            yield from () if is_model(info.cls) else (info.cls,)
        elif isinstance(info, list | tuple):
            left += info
        elif isinstance(info, msgspec.Struct) and id(info) not in seen:  # a type may hold itself
            seen.add(id(info))
            left += msgspec.structs.astuple(info)


def _never(_value: Any) -> bool:
    return False


PLAIN: Final = Codec(Any)
"""Of what has no declared type: dicts with text keys, lists, texts, numbers, truth values and ``None``."""


def _differences(value: Any, again: Any, at: str, depth: int) -> Iterator[str]:
    """Where a value would come back as another one; not even `True` as 1, nor an enum as its text."""
    kind = type(again)
    if depth > DEPTH_MAX:
        yield f"it is nested more than {DEPTH_MAX} deep{at and f', at {at:.{SHOWN}}'}"
    elif type(value) is not kind and not (kind is float and type(value) is int and value == again):
        yield _told(value, again, at)
    elif kind is dict:
        yield from _differences_of_many(list(value), list(again), f"{at}.keys()", depth)
        yield from _differences_of_many(value, again, at, depth, value)
    elif issubclass(kind, list | tuple):
        yield from _differences_of_many(value, again, at, depth, range(len(value)))
    elif (names := _names(kind)) is not None:
        for name in names:
            yield from _differences(getattr(value, name), getattr(again, name), f"{at}.{name}", depth + 1)
        if is_model(kind) and value != again:  # what no field holds
            yield _told(value, again, at)
    elif kind is Decimal and not again.is_finite():
        yield f"{shown(value)}{at and f', at {at:.{SHOWN}},'} is not finite"
    elif not value == again:  # noqa: SIM201 - of a set of numbers that are none, both can be false
        yield _told(value, again, at)


def _differences_of_many(value: Any, again: Any, at: str, depth: int, keys: Any = None) -> Iterator[str]:
    if len(value) != len(again):
        yield _told(value, again, at)
        return
    for key in range(len(value)) if keys is None else keys:
        more = "" if keys is None else f"[{shown(key)}]"
        yield from _differences(value[key], again[key], at + more, depth + 1)


def _names(kind: Any) -> Sequence[str] | None:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if is_model(kind):
        return [*kind.__pydantic_fields__]
    names: Sequence[str] | None = getattr(kind, "__struct_fields__", None)
    return names


def _told(value: Any, again: Any, at: str) -> str:
    return f"{shown(value)}{at and f', at {at:.{SHOWN}},'} would come back as {shown(again)}"


# What is handed out -------------------------------------------------------------------------------------------


def opened(value: Any) -> Any:
    """A value as its receiver may have it: one that is closed, or a copy of its own."""
    return value.open() if type(value) is Sealed else value


def opened_all(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The same for answers by step."""
    return {event: opened(answer) for event, answer in answers.items()}


def opened_request(request: Request) -> Request:
    """A request as the participant may have it that is asked."""
    call = request.call
    if Sealed not in map(type, (request.body, call.answer, *call.answers.values())):
        return request
    call = dataclasses.replace(call, answers=opened_all(call.answers), answer=opened(call.answer))
    return dataclasses.replace(request, body=opened(request.body), call=call)


def are_flat(values: Sequence[Any]) -> bool:
    """Whether these are tuples of what cannot be changed, so that no copy of them is needed."""
    return {*map(type, values)} == {tuple} and SCALARS.issuperset(map(type, chain.from_iterable(values)))


def own(value: Any) -> Any:
    """A copy of what a caller gave, of any type, for a receiver that may change it.

    Raises:
        Exception: it cannot be copied.
    """
    return value if type(value) in SCALARS else deepcopy(value)


def from_outside(outcome: Outcome, what: str) -> Outcome:
    """What a client or an operator says, as it waits for its turn; `heard` sees to it then.

    Raises:
        ValueError: an answer that cannot be stored.
    """
    try:
        return storable(outcome, what)
    except ValueError as error:
        try:  # it is no plain JSON; it may be of its step's type, which is known when the saga is
            return dataclasses.replace(outcome, answer=own(getattr(outcome, "answer", None)))
        except BaseException as copying:
            if is_interrupt(copying):
                raise
            raise error from copying


def heard(outcome: Outcome, what: str, codec: Codec) -> Outcome:
    """What was said, as it is kept: an answer that came as plain JSON is read as the type that its step declares.

    Args:
        outcome: any.
        what: the step that it is about, for the error.
        codec: how answers of the step are kept.

    Raises:
        ValueError: the answer is none of the step's.
    """
    answer = outcome.answer if isinstance(outcome, Done) else None
    if codec is PLAIN or answer is None or not _may_be_plain(answer) or codec.is_closed(answer):
        return storable(outcome, what, codec)
    try:
        return Done(codec.read(answer.text if type(answer) is Sealed else text_of(answer)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: the answer {shown(opened(answer))} is none of the step's: {error}") from error


def _may_be_plain(answer: Any) -> bool:
    return answer.is_plain if type(answer) is Sealed else type(answer) in (*SCALARS, float, list, dict)


def is_bare(outcome: Outcome) -> bool:
    """Whether an outcome is `Done` and nothing else, as most are."""
    return outcome.__class__ is Done and outcome.answer is None


def kept_answer(codec: Codec, answer: Any) -> Any:
    """An answer as it is kept. Without a declared type a tuple, also one with names, is a list: JSON has no other.

    In an entity a tuple is refused. An answer is handed on as the list in the same saga, and a check sees what comes of
    it; an entity may not be read before the next start.

    Raises:
        TypeError, ValueError: JSON cannot hold it, or it would come back as another one.
    """
    return codec.keep(_listed(answer, 0) if codec is PLAIN else answer, text_of(answer))


def _listed(value: Any, depth: int) -> Any:
    if isinstance(value, list | tuple) and depth <= DEPTH_MAX:
        return [_listed(each, depth + 1) for each in value]
    if type(value) is dict and depth <= DEPTH_MAX:
        return {key: _listed(each, depth + 1) for key, each in value.items()}
    return value


def storable(outcome: Outcome, what: str, codec: Codec = PLAIN) -> Outcome:
    """An outcome with its answer as it is kept.

    Args:
        outcome: any.
        what: the step that it is about, for the error.
        codec: how answers of the step are kept.

    Raises:
        ValueError: an answer that JSON cannot hold, or that would come back as another one.
    """
    if is_bare(outcome):
        return outcome
    match outcome:
        case Done(answer) if answer is not None and type(answer) is not Sealed:
            try:
                kept = kept_answer(codec, answer)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{what}: the answer cannot be stored: {error}; {OF_AN_ANSWER}") from error
            return outcome if kept is answer else Done(kept)
        case Refused(reason) if type(reason) is not str or worded(reason) != reason:
            return Refused(worded(reason))
        case Unknown(error):
            return dataclasses.replace(outcome, error=worded(error), taken_back=False)  # which is the engine's to say
    return outcome
