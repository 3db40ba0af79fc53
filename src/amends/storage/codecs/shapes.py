"""The shape of what is stored: the names, types and order of its fields, as data that is stored beside it.

JSON says little of what it is of: two numbers of a named tuple that swap places are read back as each other. So what is
stored is read only by a type whose shape takes it right. See docs/versions.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import inspect

from amends.storage.codecs.models import is_model
from amends.storage.codecs.values import json_of

LIMITS: Final = {
    "gt": 1,
    "ge": 1,
    "lt": -1,
    "le": -1,
    "min_length": 1,
    "max_length": -1,
    "multiple_of": 0,
    "pattern": 0,
}
"""Limits of a value: which are looser when they are less (1), when they are more (-1), and when they are gone (0)."""
NATIVE: Final = frozenset(("any", "none", "bool", "int", "float", "str"))  # read back as they are where no type is told


class TypeNode(msgspec.Struct, frozen=True, tag_field="is", omit_defaults=True):
    """A type; each kind of it is a class of its own."""


class Plain(TypeNode, frozen=True, tag="plain"):
    """A value without parts, or one that is not looked into.

    Attributes:
        name: of its type: ``int``, ``datetime``, ``any``.
        limits: what `msgspec.Meta` declares of it.
    """

    name: str
    limits: dict[str, Any] = {}


class Choice(TypeNode, frozen=True, tag="choice"):
    """One of some values: a ``Literal``."""

    values: tuple[int | str | None, ...]


class Members(TypeNode, frozen=True, tag="enum"):
    """A member of an enumeration: its name to what is stored."""

    name: str
    members: dict[str, int | str]


class Many(TypeNode, frozen=True, tag="many"):
    """Any number of values of one type: a list, a set, a tuple of any length."""

    name: str
    item: AnyNode
    limits: dict[str, Any] = {}


class TupleType(TypeNode, frozen=True, tag="row"):
    """A tuple of so many values."""

    items: tuple[AnyNode, ...]


class Pairs(TypeNode, frozen=True, tag="pairs"):
    """A dict."""

    key: AnyNode
    item: AnyNode
    limits: dict[str, Any] = {}


class OneOf(TypeNode, frozen=True, tag="one of"):
    """A union."""

    members: tuple[AnyNode, ...]


class NamedType(TypeNode, frozen=True, tag="record"):
    """A record; `Shape.records` has it."""

    name: str


AnyNode = Plain | Choice | Members | Many | TupleType | Pairs | OneOf | NamedType


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field of a record.

    Attributes:
        name: as it is stored.
        type: what it holds.
        is_required: whether it has to be given.
        default: JSON of what it is when it is not given; words that are no JSON where that is not known beforehand.
        is_omitted: whether some of what is stored may be without it.
    """

    name: str
    type: AnyNode
    is_required: bool = True
    default: str = ""
    is_omitted: bool = False


class RecordType(msgspec.Struct, frozen=True, omit_defaults=True):
    """A class with fields.

    Attributes:
        fields: in their order.
        by_position: whether it is stored as a list, without the names of its fields: a named tuple, a struct that is
            ``array_like``.
        tag: that tells it from other structs.
    """

    fields: tuple[Field, ...]
    by_position: bool = False
    tag: tuple[str, int | str] | None = None

    def field(self, name: str) -> Field | None:
        """The field of a name; ``None`` when there is none."""
        return next((field for field in self.fields if field.name == name), None)


class Shape(msgspec.Struct, frozen=True, omit_defaults=True):
    """A type with all that it holds.

    Attributes:
        root: the type itself.
        records: the classes that are met in it, by name.
    """

    root: AnyNode
    records: dict[str, RecordType] = {}


@lru_cache(maxsize=1000)  # a simulation opens engines all the time, on the same types
def shape_of(kind: Any) -> Shape:
    """The shape of a type that msgspec takes."""
    reader = _Reader()
    root = reader.node(inspect.type_info(kind))
    return Shape(root, dict(sorted(reader.records.items())))


class _Reader:
    """What msgspec knows of a type, as a shape.

    Attributes:
        records: the classes that were met, by name.
    """

    def __init__(self) -> None:
        self.records: dict[str, RecordType] = {}
        self._names: dict[Any, str] = {}

    def node(self, info: Any) -> AnyNode:
        """A type."""
        while isinstance(info, inspect.Metadata):
            info = info.type
        limits = {limit: value for limit in LIMITS if (value := getattr(info, limit, None)) is not None}
        if isinstance(info, inspect.UnionType):
            return OneOf(tuple(sorted(map(self.node, info.types), key=json_of)))
        if isinstance(info, inspect.TupleType):
            return TupleType(tuple(map(self.node, info.item_types)))
        if hasattr(info, "fields"):
            return NamedType(self._record(info))
        if isinstance(info, inspect.CustomType) and is_model(info.cls):
            return NamedType(self._model(info.cls))
        if hasattr(info, "key_type"):
            return Pairs(self.node(info.key_type), self.node(info.value_type), limits)
        if hasattr(info, "item_type"):
            return Many(_name_of(info), self.node(info.item_type), limits)
        return _leaf(info, limits)

    def _named(self, kind: Any) -> str:
        """The name of a class that was not met before."""
        plain = getattr(kind, "__name__", str(kind))
        name = self._names[kind] = plain if plain not in self._names.values() else f"{plain} {len(self._names)}"
        return name

    def _model(self, kind: Any) -> str:
        """A model of pydantic, whose fields are stored by their names, or aliases."""
        name: str | None = self._names.get(kind)
        if name is None:
            name = self._named(kind)
            fields = kind.__pydantic_fields__.items()
            self.records[name] = RecordType(tuple(self._field_of_model(name, field) for name, field in fields))
        return name

    def _field_of_model(self, name: str, field: Any) -> Field:
        factory = field.default_factory
        default = _made_by(factory) if factory else "" if field.is_required() else _written(field.default)
        node = self.node(inspect.type_info(field.annotation))
        return Field(field.alias or name, node, field.is_required(), default, is_omitted=False)

    def _record(self, info: Any) -> str:
        name = self._names.get(info.cls)
        if name is None:
            name = self._named(info.cls)
            tag = (info.tag_field, info.tag) if getattr(info, "tag", None) is not None else None
            by_position = isinstance(info, inspect.NamedTupleType) or getattr(info, "array_like", False)
            omits = getattr(getattr(info.cls, "__struct_config__", None), "omit_defaults", False)
            fields = tuple(self._field(field, omits) for field in info.fields)
            self.records[name] = RecordType(fields, by_position, tag)
        return name

    def _field(self, field: Any, omits: bool) -> Field:
        default = "" if field.required else _default_of(field)
        is_omitted = not field.required and (omits or not default)
        return Field(field.encode_name, self.node(field.type), field.required, default, is_omitted)


def _leaf(info: Any, limits: dict[str, Any]) -> AnyNode:
    match info:
        case inspect.LiteralType():
            return Choice(tuple(sorted(info.values, key=repr)))
        case inspect.EnumType():
            return Members(info.cls.__name__, {name: member.value for name, member in info.cls.__members__.items()})
        case inspect.CustomType():
            return Plain(f"{info.cls.__module__}.{info.cls.__qualname__}")
    return Plain(_name_of(info), limits)


def _name_of(info: Any) -> str:
    return type(info).__name__.removesuffix("Type").lower()


def _default_of(field: Any) -> str:
    default, factory = field.default, field.default_factory
    if isinstance(factory, type) and factory.__module__ == "builtins":
        default = factory()
    elif factory is not msgspec.NODEFAULT:
        return _made_by(factory)
    if default is msgspec.NODEFAULT:  # what may be left out, and is nothing then
        return ""
    return _written(default)


def _made_by(factory: Any) -> str:
    return f"made by {factory.__module__}.{getattr(factory, '__qualname__', repr(factory))}"


def _written(default: Any) -> str:
    try:
        return json_of(default)
    except (TypeError, ValueError):
        return f"one that cannot be stored, of {type(default).__qualname__}"


# What was stored as one shape, read as another -------------------------------------------------------------------


class ShapeComparison:
    """Whether what was stored as one shape is read right as another.

    Attributes:
        faults: what is not, each naming the field; empty when all is.
        defaults: of these, where a default that is read in place of what was not stored is another one now.
    """

    def __init__(self, stored: Shape, today: Shape, name: str) -> None:
        """Compare.

        Args:
            stored: what was stored.
            today: of the type that is to read it.
            name: what to call it.
        """
        self._stored = stored
        self._today = today
        self._left_out: set[tuple[str, str]] = set()
        self._met: set[tuple[str, str]] = set()
        self.defaults: list[str] = []
        self.faults: Sequence[str] = [*self._faults(stored.root, today.root, name)]

    def merged(self) -> Shape:
        """Today's shape, with which of its fields may be left out in what is stored by then."""
        records = {
            name: msgspec.structs.replace(record, fields=tuple(self._marked(name, field) for field in record.fields))
            for name, record in self._today.records.items()
        }
        return Shape(self._today.root, records)

    def _marked(self, record: str, field: Field) -> Field:
        return msgspec.structs.replace(field, is_omitted=field.is_omitted or (record, field.name) in self._left_out)

    def _faults(self, stored: AnyNode, today: AnyNode, at: str) -> Iterator[str]:
        match stored, today:
            case OneOf(), _:
                for member in stored.members:
                    yield from self._faults(member, today, at)
            case _, OneOf():
                yield from self._faults_of_member(stored, today, at)
            case NamedType(), NamedType():
                yield from self._faults_of_record(stored.name, today.name, at)
            case Members(), Members():
                yield from _faults_of_members(stored, today, at)
            case _ if (parts := _parts(stored, today, at)) is not None:
                for part in parts:
                    yield from self._faults(*part)
            case _ if not _takes(stored, today):
                yield _unlike(stored, today, at)

    def _faults_of_member(self, stored: AnyNode, today: OneOf, at: str) -> Iterator[str]:
        """Of a union one member takes a value: no two of them are stored alike, but for structs with a tag."""
        found = [[*self._faults(stored, member, at)] for member in today.members if type(member) is type(stored)]
        if not all(found) or any(_takes(stored, member) for member in today.members):
            return
        yield from found[0] if len(found) == 1 else [_unlike(stored, today, at)]

    def _faults_of_record(self, stored: str, today: str, at: str) -> Iterator[str]:
        old, new = self._stored.records[stored], self._today.records[today]
        if (stored, today) in self._met:  # its faults are told once, and a record may be within itself
            return
        if (old.by_position, old.tag) != (new.by_position, new.tag):
            how = {False: "by the names", True: "by the order"}
            yield f"{at} was stored as {stored}, {how[old.by_position]} of its fields, and is {today} now, another kind"
            return
        self._met.add((stored, today))
        yield from self._moved(old, new, at) if new.by_position else ()
        for field in old.fields:
            yield from self._faults_of_field(today, field, new, at)
        for field in new.fields:
            if old.field(field.name) is None:
                if field.is_required:
                    yield f"{at}.{field.name} is new in {today}, and nothing stored has it: give it a default"
                self._left_out.add((today, field.name))

    def _moved(self, old: RecordType, new: RecordType, at: str) -> Iterator[str]:
        """Fields that are not where they were."""
        names, before = [field.name for field in new.fields], [field.name for field in old.fields]
        if names[: len(before)] != before and set(before) <= set(names):
            was, now = ", ".join(before), ", ".join(names)
            yield f"{at} is stored by the order of its fields, which was {was}, and is {now} now"

    def _faults_of_field(self, record: str, field: Field, new: RecordType, at: str) -> Iterator[str]:
        name, today = f"{at}.{field.name}", new.field(field.name)
        if today is None:
            has = ", ".join(sorted(field.name for field in new.fields)) or "none"
            yield f"{name} was stored, and {record} has no such field now; its fields are {has}"
            return
        yield from self._faults(field.type, today.type, name)
        if not field.is_omitted:
            return
        self._left_out.add((record, field.name))
        if (today.is_required, today.default) != (False, field.default):
            now = f"is {today.default} now" if today.default else "has none now"
            fault = f"{name} is left out where it was at its default, which was {field.default or 'none'}, and {now}"
            self.defaults.append(fault)
            yield fault


def _parts(stored: AnyNode, today: AnyNode, at: str) -> list[tuple[AnyNode, AnyNode, str]] | None:
    """What each part was and is now, and where; ``None`` where the whole is not made alike."""
    match stored, today:
        case Many(), Many() if stored.name == today.name and _is_looser(stored.limits, today.limits):
            return [(stored.item, today.item, f"{at}[]")]
        case Pairs(), Pairs() if _is_looser(stored.limits, today.limits):
            return [(stored.key, today.key, f"a key of {at}"), (stored.item, today.item, f"{at}[]")]
        case TupleType(), TupleType() if len(stored.items) == len(today.items):
            pairs = enumerate(zip(stored.items, today.items, strict=True))
            return [(*pair, f"{at}[{place}]") for place, pair in pairs]
    return None


def _unlike(stored: AnyNode, today: AnyNode, at: str) -> str:
    return f"{at} was stored as {words(stored)}, and is {words(today)} now"


def _takes(stored: AnyNode, today: AnyNode) -> bool:
    """Whether a value that is no record is read as what it was."""
    match stored, today:
        case Plain(), Plain() if stored.name == today.name:
            return _is_looser(stored.limits, today.limits)
        case _, Plain("any"):
            return _is_native(stored)
        case Choice(), Choice():
            return set(map(repr, stored.values)) <= set(map(repr, today.values))
        case Choice(), Plain(name, limits):
            return not limits and {type(value).__name__ for value in stored.values} == {name}
    return False


def _is_native(node: AnyNode) -> bool:
    match node:
        case Plain(name):
            return name in NATIVE
        case Many("list", item) | Pairs(Plain("str" | "any"), item):
            return _is_native(item)
        case OneOf(members):
            return all(map(_is_native, members))
    return isinstance(node, Choice)


def _is_looser(stored: dict[str, Any], today: dict[str, Any]) -> bool:
    return all(
        limit in stored
        and (stored[limit] == value or (LIMITS.get(limit, 0) and (stored[limit] - value) * LIMITS[limit] >= 0))
        for limit, value in today.items()
    )


def _faults_of_members(stored: Members, today: Members, at: str) -> Iterator[str]:
    for name, value in stored.members.items():
        if today.members.get(name) != value:
            has = ", ".join(f"{name} = {value!r}" for name, value in today.members.items())
            yield f"{at} was stored as {stored.name}.{name} = {value!r}, which {today.name} has not now; it has {has}"


def words(node: AnyNode) -> str:
    """A type in words."""
    match node:
        case OneOf(members):
            return " or ".join(map(words, members))
        case Many(name, item):
            return f"a {name} of {words(item)}"
        case TupleType(items):
            return f"a tuple of {', '.join(map(words, items))}"
        case Pairs(key, item):
            return f"a dict of {words(key)} to {words(item)}"
        case Choice(values):
            return f"one of {', '.join(map(repr, values))}"
        case Plain(name, limits):
            return f"{name} ({', '.join(f'{limit} {value}' for limit, value in limits.items())})" if limits else name
    return node.name


# What was stored, by the names of its fields -----------------------------------------------------------------------


def by_names(shape: Shape, value: Any) -> Any:
    """What was stored, with dicts for records: a field that is not there is at its default, where that is known.

    Args:
        shape: of what was stored.
        value: plain JSON.
    """
    return _by_names(shape, shape.root, value)


def _by_names(shape: Shape, node: AnyNode, value: Any) -> Any:
    match node:
        case NamedType(name):
            return _record_by_names(shape, shape.records[name], value)
        case Many(_, item) if isinstance(value, list):
            return [_by_names(shape, item, one) for one in value]
        case TupleType(items) if isinstance(value, list):
            return [_by_names(shape, *pair) for pair in zip(items, value, strict=False)]
        case Pairs(_, item) if isinstance(value, dict):
            return {key: _by_names(shape, item, one) for key, one in value.items()}
        case OneOf(members):
            member = next((member for member in members if _may_hold(shape, member, value)), None)
            return value if member is None else _by_names(shape, member, value)
    return value


def _may_hold(shape: Shape, node: AnyNode, value: Any) -> bool:
    if not isinstance(node, NamedType):
        return isinstance(
            value, dict if isinstance(node, Pairs) else list if isinstance(node, Many | TupleType) else ()
        )
    record = shape.records[node.name]
    if record.by_position:
        return isinstance(value, list) and (record.tag is None or value[:1] == [record.tag[1]])
    return isinstance(value, dict) and (record.tag is None or value.get(record.tag[0]) == record.tag[1])


def _record_by_names(shape: Shape, record: RecordType, value: Any) -> dict[str, Any]:
    if record.by_position:
        given = value[record.tag is not None :]
        value = {field.name: one for field, one in zip(record.fields, given, strict=False)}
    named = dict(value)
    for field in record.fields:
        if field.name in value:
            named[field.name] = _by_names(shape, field.type, value[field.name])
        elif field.default:
            try:
                named[field.name] = _by_names(shape, field.type, msgspec.json.decode(field.default))
            except msgspec.DecodeError:  # it is not known
                continue
    return named
