"""An AsyncAPI 3.0 document of what crosses between processes: requests, answers and events, made of the code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, get_args

import msgspec

from amends.core.definition import Saga
from amends.events.cloud_events import CloudEvent
from amends.storage.codecs.sagas import definition_of
from amends.storage.packed import VERSION, PackedAnswers, PackedRequests

SCHEMAS: Final = "#/components/schemas/"
ANYTHING: Final[dict[str, Any]] = {}
ATTRIBUTE: Final = re.compile(r"^ {8}(\w+): (.+(?:\n {12}.+)*)", re.MULTILINE)
"""What a docstring says of one of the attributes."""
ABOUT: Final = (
    "What a participant that is a program of its own hears and says, and what others are told: requests to services, "
    "answers to coordinators, and events of sagas. A wire may lose, double, delay and reorder requests and answers: "
    "the answer to a key is given again."
)


def asyncapi(sagas: Sequence[Saga], title: str) -> dict[str, Any]:
    """The document of some definitions, for who takes part.

    Args:
        sagas: those whose services may be elsewhere.
        title: of the document.
    """
    services = sorted({step.service for saga in sagas for step in saga.every_step() if step.action is not None})
    names = {service: f"requests-{number}" for number, service in enumerate(services, 1)}
    bodies, schemas = _schemas(sagas)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": title, "version": str(VERSION), "description": ABOUT},
        "defaultContentType": "application/json",
        "channels": {
            **{name: _channel(service, "requests", name) for service, name in names.items()},
            "answers": {**_channel(None, "answers", "answers"), "description": "The one that `reply_to` names."},
            "events": {**_channel(None, "events", "events"), "description": "Wherever events are published."},
        },
        "operations": {
            **{f"serve-{name}": _serving(name) for name in names.values()},
            "hear-events": {"action": "receive", "channel": _ref("channels", "events")},
        },
        "components": {
            "messages": {
                **{name: _requests(service, sagas, bodies) for service, name in names.items()},
                "answers": {"title": "answers", "payload": _ref("components/schemas", "PackedAnswers")},
                "events": {
                    "title": "an event of a saga", "contentType": "application/cloudevents+json",
                    "payload": _ref("components/schemas", "CloudEvent"),
                },
            },
            "schemas": schemas,
        },
    }  # fmt: skip


def _channel(address: str | None, what: str, message: str) -> dict[str, Any]:
    return {"address": address, "messages": {what: _ref("components/messages", message)}}


def _serving(name: str) -> dict[str, Any]:
    """The work of a participant: it hears requests, and answers where they say."""
    return {
        "action": "receive",
        "channel": _ref("channels", name),
        "reply": {"address": {"location": "$message.payload#/reply_to"}, "channel": _ref("channels", "answers")},
    }


def _requests(service: str, sagas: Sequence[Saga], bodies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The messages to a service: of which definitions, about which steps, and with what in them."""
    asked = {
        definition_of(saga): (steps, body)
        for saga, body in zip(sagas, bodies, strict=True)
        if (steps := [step.event for step in saga.every_step() if step.service == service and step.action is not None])
    }
    each = [{"properties": {"step": {"enum": steps}, "body": body}} for steps, body in asked.values()]
    of_these = {"saga": {"enum": [*asked]}, "requests": {"items": {"anyOf": each}}}
    payload = {"allOf": [_ref("components/schemas", "PackedRequests"), {"properties": of_these}]}
    return {"title": f"requests to {service}", "payload": payload}


def _ref(place: str, name: str) -> dict[str, Any]:
    return {"$ref": f"#/{place}/{name}"}


# Schemas ----------------------------------------------------------------------------------------------------------


def _schemas(sagas: Sequence[Saga]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The schema of each saga's request, and all that these and the messages refer to."""
    known = [saga.request if _is_known(saga.request) else Any for saga in sagas]
    messages = [_twin(PackedRequests), _twin(PackedAnswers), CloudEvent]
    found, schemas = msgspec.json.schema_components([*messages, *known], ref_template=SCHEMAS + "{name}")
    bodies = [_draft_7(schema) for schema in found[len(messages) :]]
    return bodies, {name: _draft_7(_told(schema)) for name, schema in schemas.items()}


def _is_known(kind: Any) -> bool:
    """Whether there is a schema of a type; of one that a library of the user's own stores, anything may come."""
    try:
        msgspec.json.schema(kind)
    except TypeError:
        return False
    return True


def _twin(message: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """The same structure, with any JSON in the place of JSON that is not read: of that there is no schema."""
    fields = [
        (field.name, _read(field.type)) if field.required else (field.name, _read(field.type), msgspec.UNSET)
        for field in msgspec.structs.fields(message)
    ]
    return msgspec.defstruct(message.__name__, fields, namespace={"__doc__": message.__doc__}, kw_only=True)


def _read(kind: Any) -> Any:
    if kind is msgspec.Raw:
        return Any
    if kind == dict[str, msgspec.Raw]:
        return dict[str, Any]
    of = next((each for each in get_args(kind) if isinstance(each, type) and issubclass(each, msgspec.Struct)), None)
    return list[_twin(of)] if of else kind  # type: ignore[misc]  # it is made here


def _told(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, with what a docstring says of attributes where these are."""
    about, _, rest = schema.get("description", "").partition("\n\n    Attributes:\n")
    words = {name: " ".join(said.split()) for name, said in ATTRIBUTE.findall(rest)}
    properties = {
        name: {**each, "description": words[name]} if name in words else each
        for name, each in schema.get("properties", ANYTHING).items()
    }
    parts = {"description": about} if about else {}
    return {**schema, **parts, **({"properties": properties} if properties else {})}


def _draft_7(schema: Any) -> Any:
    """A schema as AsyncAPI has it by default: there the items of a tuple are called otherwise."""
    if isinstance(schema, dict):
        return {"items" if name == "prefixItems" else name: _draft_7(each) for name, each in schema.items()}
    return [*map(_draft_7, schema)] if isinstance(schema, list | tuple) else schema
