"""Which functions might answer something else in another process; only these are worth one.

A function is none whose code, with that of the functions which it names, makes no set, asks for no hash, and reads no
global that could change.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, Final

from amends.checking.values import PLAIN, WHOLE
from amends.core.messages import Gone

OPCODES: Final = ("BUILD_SET", "SET_ADD", "SET_UPDATE", "STORE_GLOBAL", "DELETE_GLOBAL")
NAMES: Final = frozenset(("set", "frozenset", "hash", "id", "globals", "vars", "object"))
STEADY: Final = (*WHOLE, Gone, FunctionType, BuiltinFunctionType, ModuleType)


def may_depend_on_process(function: Callable[..., Any], given: tuple[Any, ...]) -> bool:
    """Whether a function might answer something else in another process."""
    return _reads_what_changes(function, set()) or any(map(_has_a_set, given))


def _reads_what_changes(function: Any, seen: set[Any]) -> bool:
    if function in seen or not isinstance(function, FunctionType):
        return False
    seen.add(function)
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    read = [*cells, *_globals_of(function)]
    if any(map(_is_telling, _instructions(function.__code__))) or not all(map(_is_steady, read)):
        return True
    return any(_reads_what_changes(each, seen) for each in read)


def _globals_of(function: FunctionType) -> Iterator[Any]:
    for each in _instructions(function.__code__):
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME") and each.argval in function.__globals__:
            yield function.__globals__[each.argval]


def _instructions(code: CodeType) -> Iterator[dis.Instruction]:
    yield from dis.get_instructions(code)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _instructions(const)


def _is_telling(each: dis.Instruction) -> bool:
    return each.opname in OPCODES or (each.opname in ("LOAD_GLOBAL", "LOAD_NAME") and each.argval in NAMES)


def _is_steady(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_steady, value))
    return type(value) in PLAIN or isinstance(value, STEADY)


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False


def _has_a_set(value: Any) -> bool:
    if isinstance(value, AbstractSet):
        return True
    if isinstance(value, tuple | list):
        return any(map(_has_a_set, value))
    return isinstance(value, dict) and any(map(_has_a_set, value.values()))
