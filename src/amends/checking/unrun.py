"""What can be said for certain of a function that is not run, since a ready model acts in its place.

Its code is read, and never called: it could charge a card. What is not certain is not said.
"""

from __future__ import annotations

import builtins
import dis
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any, Final

from amends.core.definition import Step
from amends.core.messages import Call, Done, Later, Refused, Unknown

OUTCOMES: Final = (Done, Refused, Later, Unknown)
CONSTANTS: Final = (str, int, float, bool, type(None))
GUARDS: Final = {"hasattr", "getattr", "AttributeError", "NameError", "Exception"}
PARAMETERS: Final = 3  # (client, request, call)


def only_asks(step: Step, request: Any) -> bool:
    """Whether a step outside provably changes nothing there: it answers something, and its functions touch no client.

    Args:
        step: the step.
        request: to call the action with, once it is certain that this does nothing.
    """
    if step.asks:
        return True
    if not (_touches_nothing(step.action) and step.undo is not None and _touches_nothing(step.undo)):
        return False
    try:
        answer = step.action(None, request, Call(""))
    except Exception:  # noqa: BLE001 - a sketch, which says nothing of the function to come
        return False
    return isinstance(answer, Done) and answer.answer is not None


def undo_does_nothing(step: Step) -> bool:
    """Whether the undo of a step provably touches nothing."""
    return step.undo is not None and _touches_nothing(step.undo)


def slip_of(function: Callable[..., Any], request: Any) -> str:
    """What a function would raise for, whoever asks it: a name that nothing has; empty where nothing is certain.

    Args:
        function: ``(client, request, call)``.
        request: what it would be asked with.
    """
    code = _code_of(function)
    if code is None or not GUARDS.isdisjoint(code.co_names) or code.co_argcount != PARAMETERS:
        return ""
    return next(_slips(function, code, request), "")


def _slips(function: Any, code: CodeType, request: Any) -> Iterator[str]:
    _, about, call = code.co_varnames[:PARAMETERS]
    known = {about: request, call: Call("")}
    stored = {name for each in dis.get_instructions(code) if "STORE_FAST" in each.opname for name in _names(each)}
    last = ""
    for each in dis.get_instructions(code):
        if each.opname == "LOAD_GLOBAL" and not _is_defined(function, each.argval):
            yield f"reads {each.argval}, which nothing defines"
        is_read = each.opname in ("LOAD_ATTR", "LOAD_METHOD") and last in known.keys() - stored
        if is_read and not hasattr(known[last], each.argval):
            yield f"reads {last}.{each.argval}, which a {type(known[last]).__name__} does not have"
        last = _names(each)[-1] if "LOAD_FAST" in each.opname else ""


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
