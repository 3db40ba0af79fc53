"""What the functions of participants declare: as what they take an entity, and as what they give an answer back.

That is what is stored as these types, and read back as them; where nothing is declared, it is plain JSON.
"""

from __future__ import annotations

import inspect
import operator
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from functools import lru_cache, partial, reduce
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from amends.core.definition import Command, Step
from amends.core.messages import Changed, Done, Kind
from amends.errors import DefinitionError
from amends.storage.codecs.values import PLAIN, Codec, codec_of

GIVES: Final = ("Done[", "Changed[")  # how an annotation begins that says what an answer is


@lru_cache(maxsize=1000)  # a simulation opens engines all the time, on the same definitions
def entity_types(function: Callable[..., Any]) -> frozenset[Any]:
    """The types that a function's first parameter is declared to have, without ``None``.

    Raises:
        DefinitionError: a type is named that cannot be found, so that nothing could be read back as it.
    """
    try:
        first = next(iter(inspect.signature(function).parameters.values()))
    except (StopIteration, TypeError, ValueError):  # it has none, or does not tell
        return frozenset()
    if first.annotation is first.empty or first.kind is first.VAR_POSITIONAL:  # it takes any argument
        return frozenset()
    return frozenset(_members(_found(first.name, first.annotation, function, "entities are")))


@lru_cache(maxsize=1000)  # as above
def answer_codec(step: Step, kind: Kind = Kind.DO) -> Codec:
    """How the answers of a step are kept: as the types that action and probe are declared to give back.

    No function reads what an undo answers; it is plain JSON.

    Raises:
        DefinitionError: they cannot be read back as these, or one cannot be found.
    """
    kinds = () if kind in (Kind.UNDO, Kind.UNDO_LATE) else answer_types(step)
    if not kinds:
        return PLAIN
    declared = reduce(operator.or_, kinds)
    return codec_of(declared, f"step {step.event!r}: its answers, {declared},")


def answer_types(step: Step) -> tuple[Any, ...]:
    """The types of a step's answers: as action and probe are declared to give back, or as it waits for; none for JSON.

    Raises:
        DefinitionError: one cannot be found.
    """
    functions = filter(None, (step.action, step.probe))
    declared = (kind for function in functions for kind in _answer_types(function))
    kinds = tuple(dict.fromkeys(declared if step.wait is None else _members(step.wait.answer)))
    return () if Any in kinds else kinds


def _answer_types(function: Callable[..., Any]) -> Iterator[Any]:
    """What is between the brackets of each `Done` and `Changed` that a function is declared to give back."""
    try:
        given = inspect.signature(function).return_annotation
    except (TypeError, ValueError):  # it does not tell
        return
    if given is inspect.Signature.empty or (isinstance(given, str) and not any(name in given for name in GIVES)):
        return
    hint = _found("return", given, function, "answers are")
    if get_origin(hint) in (Awaitable, Coroutine):
        hint = get_args(hint)[-1]
    for member in _members(hint):
        if get_origin(member) in (Done, Changed):
            yield from _members(get_args(member)[-1])


def _members(hint: Any) -> Iterator[Any]:
    """The members of a union, without ``None``; of any other type itself."""
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    return (kind for kind in members if kind is not NoneType)


def _found(name: str, annotation: Any, function: Callable[..., Any], what: str) -> Any:
    """What an annotation means in its function's module."""
    while isinstance(function, partial):
        function = function.func
    function = inspect.unwrap(function)
    known = getattr(function, "__globals__", None) or vars(sys.modules[type(function).__module__])
    alone = type("Alone", (), {"__annotations__": {name: annotation}})
    try:
        return get_type_hints(alone, known)[name]
    except NameError as error:
        named = f"{getattr(function, '__qualname__', repr(function))}: {name}"
        raise DefinitionError(
            f"{named} is declared as {annotation}, and {error}; {what} read back as that type, so define it in the "
            "module itself: not in a function, not under TYPE_CHECKING"
        ) from error


@lru_cache(maxsize=1000)  # as above
def body_codec(command: Command) -> Codec:
    """How the body of a command is read back: as its function's second parameter is declared.

    Raises:
        DefinitionError: it cannot be read back as that.
    """
    parameters = list(inspect.signature(command.apply).parameters.values())[1:]
    if not parameters or parameters[0].annotation is inspect.Parameter.empty:
        return PLAIN
    kind = _found(parameters[0].name, parameters[0].annotation, command.apply, "bodies are")
    return codec_of(kind, f"command {command.event!r}: its bodies, {kind},")
