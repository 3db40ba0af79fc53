"""``POST /sagas``: a saga is asked for by its definition's name, once for each key."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.params import HeaderParameter, JSONBody

from amends.client.client import Client
from amends.client.handle import ClientHandle
from amends.core.definition import Saga
from amends.engine.definitions import Definitions
from amends.entrypoints.http.documents import TheClient, location_of, saga_document
from amends.entrypoints.http.preferences import idempotency_key_of, wait_of
from amends.entrypoints.http.problems import RETRY, Problem, documented, where_of
from amends.entrypoints.http.scopes import Scope, caller_of
from amends.errors import KeyReused, OperatorNeeded, RequestRefused
from amends.storage.codecs.sagas import SagaCodec

STARTED_WITHIN_S: Final = 10.0
"""For an engine to act on the letter: one that is started anew takes less, and a proxy waits longer."""
LATER: Final = (
    "no engine has started it within {:g} s; what was asked for is stored, and starts once an engine runs that knows "
    "its definition: ask again under the same key"
)


class SagaWanted(msgspec.Struct, forbid_unknown_fields=True):
    """A saga that is asked for.

    Attributes:
        definition: its name, ``name`` or ``name/version``.
        request: what it is to do, in the form that its definition says.
    """

    definition: str
    request: Any


class StartAccepted(msgspec.Struct):
    """A saga that was started.

    Attributes:
        saga_id: its id.
        definition: ``name/version/fingerprint``.
        location: where it is to be seen.
    """

    saga_id: str
    definition: str
    location: str


KeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key", required=False, description="a new one for each new request; the same one to repeat it"
    ),
]
PreferHeader = Annotated[
    str | None,
    HeaderParameter(name="Prefer", required=False, description="wait=N, to wait N seconds for the end, 60 at most"),
]


@post(
    "/sagas",
    scope=Scope.start,
    status_code=HTTPStatus.ACCEPTED,
    summary="start a saga",
    responses=documented(HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
    raises=[],
)
async def start_saga(
    request: Request[Any, Any, State],
    data: JSONBody[SagaWanted],
    client: TheClient,
    idempotency_key: KeyHeader = None,  # noqa: ARG001 - for the document; `begun` reads it
    prefer: PreferHeader = None,  # noqa: ARG001 - the same
) -> Response[StartAccepted]:
    """Ask for a saga. The same key and request start one saga, and are answered the same, however often they come."""
    codec = codec_named(client.definitions, data.definition)
    return await begun(request, client, codec.saga, request_in(codec, data.request))


async def begun(
    request: Request[Any, Any, State], client: Client, saga: Saga, wanted: Any, below: str = "/sagas"
) -> Response[StartAccepted]:
    """Start a saga under the request's key, and answer.

    Args:
        request: with the key, and for how long the end is waited for.
        client: that asks for it.
        saga: its definition.
        wanted: what it is to do.
        below: the path below which it is to be seen.

    Raises:
        Problem: it was refused, or no engine came to it.
    """
    key, wait_s = idempotency_key_of(request), wait_of(request)
    handle = await _asked(client, saga, wanted, f"{caller_of(request).name} {key}")
    saga_id = handle.saga_id
    where = location_of(request, f"{below}/{saga_id}")
    started = StartAccepted(saga_id, client.definitions.codec_of(saga).definition, where)
    headers = {"Location": where}
    if wait_s and await _has_ended(handle, wait_s):
        document = saga_document(await client.describe(saga_id))
        return Response(document, status_code=HTTPStatus.OK, headers={**headers, "Preference-Applied": "wait"})  # type: ignore[arg-type]
    return Response(started, status_code=HTTPStatus.ACCEPTED, headers=headers)


async def _asked(client: Client, saga: Saga, wanted: Any, key: str) -> ClientHandle:
    try:
        handle = await client.submit(saga, wanted, key=key)
        await handle.started(STARTED_WITHIN_S)
    except KeyReused as error:
        rule = "a key stands for one request; give another key to another request"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), field="Idempotency-Key", rule=rule) from error
    except RequestRefused as refused:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(refused), field="request") from refused
    except TimeoutError as error:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, LATER.format(STARTED_WITHIN_S), headers=RETRY) from error
    return handle


async def _has_ended(handle: ClientHandle, wait_s: int) -> bool:
    try:
        await handle.result(wait_s)
    except OperatorNeeded:
        return False
    except TimeoutError:
        return False
    return True


def codec_named(definitions: Definitions, name: str) -> SagaCodec:
    """The definition of a name, ``name`` or ``name/version``.

    Raises:
        Problem: there is none, or more than one.
    """
    found = [codec for codec in definitions.codecs if name in _names_of(codec)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(sorted({codec.saga.name for codec in definitions.codecs})) or "none"
    rule = f"name a version, too: {', '.join(_names_of(codec)[1] for codec in found)}" if found else f"one of: {known}"
    raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"definition: {rule}", field="definition", value=name, rule=rule)


def _names_of(codec: SagaCodec) -> tuple[str, str, str]:
    name, version, _ = codec.definition.split("/")
    return name, f"{name}/{version}", codec.definition


def request_in(codec: SagaCodec, plain: Any) -> Any:
    """What a saga is asked for, from what JSON holds.

    Raises:
        Problem: it is none of the definition's type, or has a field that the type has not.
    """
    if codec.saga.prepare is not None:
        return plain
    text = msgspec.json.encode(plain).decode()
    try:
        wanted = codec.request.decode(text)
    except msgspec.ValidationError as error:
        field, rule = where_of(error)
        at = ".".join(filter(None, ("request", field)))
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{at}: {rule}", field=at, rule=rule) from error
    expect_known(plain, msgspec.to_builtins(wanted), "request")
    return wanted


def expect_known(given: Any, kept: Any, at: str) -> None:
    """See that what was given is what is kept: each field, and a whole number as one.

    Raises:
        Problem: a field is not, as its type has no such field; or a number is written as a fraction.
    """
    if isinstance(given, dict) and isinstance(kept, dict):
        for name, value in given.items():
            if name not in kept:
                rule = f"the fields are {', '.join(kept)}" if kept else "there is no field"
                where = f"{at}.{name}"
                raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{where}: {rule}", field=where, rule=rule)
            expect_known(value, kept[name], f"{at}.{name}")
    elif type(given) is float and type(kept) is int:
        rule = "a whole number, and written so"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{at}: {rule}", field=at, value=given, rule=rule)
    elif isinstance(given, list) and isinstance(kept, list | tuple):
        for place, (one, other) in enumerate(zip(given, kept, strict=False)):
            expect_known(one, other, f"{at}[{place}]")
