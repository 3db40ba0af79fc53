"""The starts of sagas: what a client asks for is looked at, handed to the engine's loop, and told apart afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amends.core.definition import Saga
from amends.core.step import SagaInstance
from amends.engine.arguments import key_or_fault, take_keys, take_requests
from amends.engine.loop import EngineLoop
from amends.engine.tasks import StartSagas
from amends.errors import AmendsError, EngineStopped, RequestRefused, StoreError
from amends.exceptions import raised
from amends.storage.codecs.sagas import SagaCodec


class SagaStarter:
    """Starts sagas on an engine's loop, for every kind of handle."""

    def __init__(self, loop: EngineLoop) -> None:
        """Start them on this loop."""
        self._loop = loop

    async def start(self, saga: Saga, request: Any, key: str | None) -> SagaInstance | str:
        """Where a new saga stands, or the id of the one that its client key started before; see `Engine.submit`."""
        codec = self._codec_of(saga)
        self._loop.calls.expect_slots(saga)
        begun: SagaInstance | str | Exception
        (begun,) = await self._loop.call(StartSagas(codec, [request], take_keys(key)))
        if isinstance(begun, Exception):
            raise begun
        return begun

    async def start_many(
        self, saga: Saga, requests: Sequence[Any], keys: Sequence[str] | None
    ) -> list[SagaInstance | str | AmendsError]:
        """The same for many, in order, or for each why it was not started; see `Engine.submit_many`."""
        codec = self._codec_of(saga)
        given, names = take_requests(requests, keys)
        self._loop.calls.expect_slots(saga)
        started: list[SagaInstance | str | AmendsError] = []
        size = self._loop.part_max
        for first in range(0, len(given), size):
            part = slice(first, first + size)
            try:
                begun = await self._start_part(codec, given[part], names[part], waits=first > 0)
            except AmendsError as error:
                if not first:
                    raise
                return [*started, *[error] * (len(given) - first)]
            started += [self._refusal(one) if isinstance(one, Exception) else one for one in begun]
        return started

    async def _start_part(self, codec: SagaCodec, requests: list[Any], keys: list[Any], *, waits: bool) -> list[Any]:
        """Start some sagas, but for those whose keys are none: for each where it stands, its id, or why not."""
        names = [key_or_fault(key) for key in keys]
        faults = {place: fault for place, fault in enumerate(names) if isinstance(fault, RequestRefused)}
        for place in reversed(faults):
            del requests[place], names[place]
        task = StartSagas(codec, requests, names)  # type: ignore[arg-type]  # the faults are out
        begun: list[Any] = await self._loop.call(task, waits=waits) if requests else []
        for place, fault in faults.items():
            begun.insert(place, fault)
        return begun

    def _refusal(self, error: Exception) -> AmendsError:
        """Why one of many was not started: a bug of its `prepare` refuses it, as `prepare` itself may."""
        is_stopped = isinstance(error, EngineStopped) and self._loop.stopped is not None
        if is_stopped or isinstance(error, RequestRefused | StoreError):
            return error  # type: ignore[return-value]  # it is one of these
        refused = RequestRefused(raised(error))
        refused.__cause__ = error
        return refused

    def _codec_of(self, saga: Saga) -> SagaCodec:
        self._loop.expect_running()
        return self._loop.coordinator.definitions.codec_of(saga)
