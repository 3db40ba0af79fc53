"""What can be said for certain of a function that is not run, since a ready model acts in its place.

Its code is read, and never called: it could charge a card. What is not certain is not said.
"""

from __future__ import annotations

import builtins
import dis
import inspect
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from types import CodeType, FunctionType, MethodType
from typing import Any, Final, get_origin

from amends.core.definition import Step
from amends.core.messages import Call, Done, Later, Refused, Unknown

OUTCOMES: Final = (Done, Refused, Later, Unknown)
CONSTANTS: Final = (str, int, float, bool, type(None))
GUARDS: Final = {
    "hasattr", "getattr", "isinstance", "type", "AttributeError", "NameError", "Exception", "BaseException",
}  # fmt: skip
PARAMETERS: Final = 3  # (client, request, call)
OF_ANSWERS: Final = (dict, list, str, int, float, bool)
"""The classes of plain JSON: an answer is of one of them where its step declares no type."""
OF_RECORDS: Final = ("_fields", "__dataclass_fields__", "__struct_fields__")
"""What a class has whose values have its fields and nothing more."""


def only_asks(step: Step, request: Any) -> bool:
    """Whether a step outside provably changes nothing there: it answers something, and its functions touch no client.

    Args:
        step: the step.
        request: to call the action with, once it is certain that this does nothing.
    """
    return step.asks or (undo_does_nothing(step) and answer_of(step, request) is not None)


def answer_of(step: Step, request: Any) -> Done[Any] | None:
    """What the action of a step outside answers, where it touches no client for certain; ``None`` where it may.

    Args:
        step: the step.
        request: to call the action with, once it is certain that this does nothing.
    """
    if step.action is None or step.wait is not None or not _touches_nothing(step.action):
        return None
    try:
        answer = step.action(None, request, Call(""))
    except Exception:  # noqa: BLE001 - a sketch, which says nothing of the function to come
        return None
    return answer if isinstance(answer, Done) and answer.answer is not None else None


def undo_does_nothing(step: Step) -> bool:
    """Whether the undo of a step provably touches nothing."""
    return step.undo is not None and _touches_nothing(step.undo)


def slip_of(function: Callable[..., Any], request: Any, answers: Sequence[Any] | None = None) -> str:
    """What a function would raise for at every call: a name that nothing has; empty where nothing is certain.

    Args:
        function: ``(client, request, call)``; also a method, a partial, or one whose decorator hands everything on.
        request: what it would be asked with.
        answers: the types that what it reads as ``call.answer`` may be of, with none for plain JSON; ``None`` where
            that is not known.
    """
    inner, names = _written(function), _parameters(function)
    if inner is None or len(names) != PARAMETERS or not GUARDS.isdisjoint(inner.__code__.co_names):
        return ""
    return next(_slips(inner, names, request, answers), "")


def _slips(function: FunctionType, names: Sequence[str], request: Any, answers: Sequence[Any] | None) -> Iterator[str]:
    code, (_, about, call) = function.__code__, names
    known = {about: request, call: Call("")}
    stored = {name for each in dis.get_instructions(code) if "STORE_FAST" in each.opname for name in _names(each)}
    last = ""
    for each in dis.get_instructions(code):
        is_read = each.opname in ("LOAD_ATTR", "LOAD_METHOD")
        if each.opname == "LOAD_GLOBAL" and not _is_defined(function, each.argval):
            yield f"reads {each.argval}, which nothing defines"
        if is_read and last in known.keys() - stored and not hasattr(known[last], each.argval):
            yield f"reads {last}.{each.argval}, which a {type(known[last]).__name__} does not have"
        if is_read and last == f"{call}.answer" and answers is not None and _all_lack(answers, each.argval):
            yield f"reads {last}.{each.argval}, which {_told(answers)}"
        is_of_call = is_read and last == call and call not in stored
        last = f"{call}.{each.argval}" if is_of_call else _names(each)[-1] if "LOAD_FAST" in each.opname else ""


def _told(kinds: Sequence[Any]) -> str:
    """That values of these types do not have what is read of them."""
    if not kinds:
        return (
            "plain JSON does not have, as which an answer is read back that nobody typed; declare its type where the "
            "function says what it gives back, as in `-> Done[Receipt] | Refused`"
        )
    return f"{' or '.join(getattr(kind, '__name__', str(kind)) for kind in kinds)} does not have"


def _all_lack(kinds: Sequence[Any], name: str) -> bool:
    """Whether no value of these types has an attribute, for certain."""
    classes = [get_origin(kind) or kind for kind in kinds or OF_ANSWERS]
    return all(isinstance(each, type) and not _may_have(each, name) for each in classes)


def _may_have(kind: type, name: str) -> bool:
    """Whether values of a class may have an attribute; that is not known of a class that makes some up."""
    is_known = kind in OF_ANSWERS or any(hasattr(kind, mark) for mark in OF_RECORDS)
    makes_up = hasattr(kind, "__getattr__") or hasattr(kind, "__post_init__")
    declared = (inspect.get_annotations(each) for each in kind.__mro__)
    return not is_known or makes_up or hasattr(kind, name) or any(name in each for each in declared)


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of what a function has to be given, in order."""
    try:
        given = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # it does not tell
        return ()
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(each.name for each in given if each.kind in by_position and each.default is each.empty)


def _written(function: Any) -> FunctionType | None:
    """The function as written, within methods, partials, and decorators that hand on what they are given."""
    while not (isinstance(function, FunctionType) and not hasattr(function, "__wrapped__")):
        if isinstance(function, partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, FunctionType) and _hands_on(function.__code__):
            function = function.__wrapped__  # type: ignore[attr-defined]  # which it was just asked for
        elif callable(function) and isinstance(type(function).__call__, FunctionType):
            function = type(function).__call__
        else:
            return None
    return function


def _hands_on(decorator: CodeType) -> bool:
    """Whether a decorator takes any arguments, and catches nothing of what the decorated function raises."""
    is_open = not decorator.co_argcount and bool(decorator.co_flags & inspect.CO_VARARGS)
    return is_open and GUARDS.isdisjoint(decorator.co_names)


def _touches_nothing(function: Callable[..., Any]) -> bool:
    """Whether a function reads neither its client nor anything global but outcomes and constants."""
    code = _code_of(function)
    if code is None or not code.co_argcount or code.co_freevars or code.co_cellvars:
        return False
    if any(isinstance(each, CodeType) for each in code.co_consts):
        return False
    client = code.co_varnames[0]
    return all(_is_harmless(function, each, client) for each in dis.get_instructions(code))


def _is_harmless(function: Any, each: dis.Instruction, client: str) -> bool:
    if each.opname.startswith(("IMPORT", "STORE_GLOBAL", "STORE_ATTR", "STORE_SUBSCR", "RETURN_GENERATOR")):
        return False
    if each.opname == "LOAD_GLOBAL":
        value = function.__globals__.get(each.argval, getattr(builtins, each.argval, function))
        return value in OUTCOMES or isinstance(value, CONSTANTS)
    return "FAST" not in each.opname or client not in _names(each)


def _names(each: dis.Instruction) -> tuple[str, ...]:
    return each.argval if isinstance(each.argval, tuple) else (each.argval,)


def _is_defined(function: Any, name: str) -> bool:
    return name in function.__globals__ or hasattr(builtins, name)


def _code_of(function: Callable[..., Any]) -> CodeType | None:
    return function.__code__ if isinstance(function, FunctionType) else None
