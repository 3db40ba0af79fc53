"""``POST /operations``: a batch in the contract's format, and its report (docs/contract.md), once for each key.

That a batch was taken is stored before it is carried out, and its report behind it. So the same batch under the same
key is not carried out twice: it is answered with its report, or, where it was cut off, with how to go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody

from amends.client.client import Client
from amends.client.handle import ClientHandle
from amends.core.definition import Saga, local
from amends.engine.handle import Result
from amends.entrypoints.http.preferences import idempotency_key_of
from amends.entrypoints.http.problems import RETRY, Problem, documented
from amends.entrypoints.http.scopes import Scope, caller_of
from amends.entrypoints.http.starting import KeyHeader
from amends.errors import EngineStopped, KeyReused, OperatorNeeded, RequestRefused
from amends.shop import Session
from amends.storefront.spread import PATIENCE_S, SpreadLedger
from amends.views.sagas import SagaView

OPERATIONS_MAX: Final = 1_000  # of one batch over HTTP: some ten seconds and more; `amends run` takes any number
CUT_OFF: Final = (
    "this batch was taken, and cut off before its report: a server ended meanwhile. See what it did, and send what is "
    "left of it under another key"
)
Answer = TypeVar("Answer")


def note(many: int | None, _: Any) -> int:
    """BATCH_TAKEN, BATCH_REPORTED: the batch itself is the saga's request; kept beside it is how many there were."""
    return (many or 0) + 1


TAKEN: Final = Saga(
    "batch taken", Any, [local("BATCH_TAKEN", note, entity=lambda _: "taken", service="BATCH", pivot=True)]
)
REPORTED: Final = Saga(
    "batch reported", Any, [local("BATCH_REPORTED", note, entity=lambda _: "reported", service="BATCH", pivot=True)]
)
BATCH_SAGAS: Final = (TAKEN, REPORTED)


class OperationsWanted(msgspec.Struct, forbid_unknown_fields=True):
    """A batch in the form of the contract's examples; the list alone does as well.

    Attributes:
        operations: each a list that begins with its name.
    """

    operations: list[Any]


class HandleFromThread:
    """A handle, as a thread waits for it."""

    def __init__(self, handle: ClientHandle, loop: asyncio.AbstractEventLoop) -> None:
        self._handle = handle
        self._loop = loop

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end; see `ClientHandle.result`."""
        return _awaited(self._handle.result(timeout), self._loop)


class ClientFromThread:
    """A client, as a session in another thread asks it."""

    def __init__(self, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        """Ask in the client's own event loop.

        Args:
            client: that is asked.
            loop: of the client.
        """
        self._client = client
        self._loop = loop

    def submit(self, saga: Saga, wanted: Any, *, key: str | None = None) -> HandleFromThread:
        """Ask for a saga; see `Client.submit`."""
        return HandleFromThread(_awaited(self._client.submit(saga, wanted, key=key), self._loop), self._loop)

    def find(self, key: str) -> SagaView | None:
        """The saga of a client key; see `Client.find`."""
        return _awaited(self._client.find(key), self._loop)


def _awaited(asked: Coroutine[Any, Any, Answer], loop: asyncio.AbstractEventLoop) -> Answer:
    return asyncio.run_coroutine_threadsafe(asked, loop).result()


@dataclass
class Batches:
    """The batches of this process, one after the other: each takes the order numbers behind those of the one before.

    Attributes:
        client: that carries them out.
    """

    client: Client
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _running: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    async def report(self, key: str, operations: list[Any]) -> Any:
        """The report of a batch, carried out once.

        Args:
            key: of the caller.
            operations: of the batch.

        Raises:
            Problem: it was cut off, or an engine is away.
            KeyReused: the key stands for another batch.
        """
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(self._carried_out(key, operations), name="amends-batch")
            task.add_done_callback(lambda _: self._running.pop(key, None))
        return await asyncio.shield(task)

    async def _carried_out(self, key: str, operations: list[Any]) -> Any:
        async with self._lock:
            before = await self.client.find(f"{key} taken")
            taken = await self.client.submit(TAKEN, operations, key=f"{key} taken")
            own_id = taken.saga_id
            if await taken.started(PATIENCE_S) != own_id or before is not None:  # another process had it first
                return await self._known(key)
            loop = asyncio.get_running_loop()
            report = await asyncio.to_thread(self._process, ClientFromThread(self.client, loop), operations)
            reported = await self.client.submit(REPORTED, report, key=f"{key} report")
            await reported.result(PATIENCE_S)
            return await self._known(key)

    async def _known(self, key: str) -> Any:
        """The report that is stored.

        Raises:
            Problem: there is none.
        """
        found = await self.client.find(f"{key} report")
        if found is None:
            raise Problem(HTTPStatus.CONFLICT, CUT_OFF, field="Idempotency-Key")
        return msgspec.json.decode(found.request)

    @staticmethod
    def _process(client: ClientFromThread, operations: list[Any]) -> Any:
        session = Session(ledger=SpreadLedger(client, PATIENCE_S))  # type: ignore[arg-type]  # as far as it is asked
        return session.process(operations)


TheBatches = NamedDependency[Batches]


@post(
    "/operations",
    scope=Scope.start,
    status_code=HTTPStatus.OK,
    summary="carry out a batch of operations",
    responses=documented(HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY),
)
async def run_operations(
    request: Request[Any, Any, State],
    batches: TheBatches,
    data: JSONBody[list[Any] | OperationsWanted],
    idempotency_key: KeyHeader = None,  # noqa: ARG001 - for the document; `idempotency_key_of` reads it
) -> dict[str, Any]:
    """Carry out a batch, and give its report: what is not accepted is left out of it, as the contract has it."""
    key = f"{caller_of(request).name} {idempotency_key_of(request)}"
    operations = data.operations if isinstance(data, OperationsWanted) else data
    if len(operations) > OPERATIONS_MAX:
        rule = f"{OPERATIONS_MAX} operations are the most; send them in parts"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, rule, rule=rule)
    try:
        report: dict[str, Any] = await batches.report(key, operations)
    except KeyReused as error:
        rule = "a key stands for one batch"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), field="Idempotency-Key", rule=rule) from error
    except (EngineStopped, TimeoutError, OperatorNeeded) as error:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers=RETRY) from error
    except RequestRefused as refused:
        raise Problem(HTTPStatus.CONFLICT, str(refused)) from refused
    return report
