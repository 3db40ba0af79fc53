"""What a program wants to hear of its sagas: their ends, and what an operator has to see to.

Functions are called one after the other, after the commit that they tell of, beside the turns: one that blocks keeps
those behind it waiting, and no saga. A plain function is called in a thread of its own, a coroutine function in the
engine's event loop.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, NamedTuple

from amends.engine.batch import BatchResult
from amends.engine.handle import Result, result_of
from amends.engine.logger import about, log
from amends.engine.thread import OneThread
from amends.errors import EngineStopped
from amends.exceptions import is_interrupt, raised
from amends.storage.ports import Records
from amends.views.sagas import AsOf
from amends.views.trouble import Failing, Stuck, failing

LOOK_S: Final = 5.0  # between two looks for steps that are failing: short beside the minutes for which they have failed
RAISED: Final = "%s raised %s; what it was to hear of is lost to it, and the engine goes on"
"""The format of an entry: which hook, and what it raised."""


class EventHooks(NamedTuple):
    """The functions of a program; ``None`` for none.

    Attributes:
        on_end: of each saga that ended.
        on_needs_operator: of each saga that waits for an operator from now on.
        on_failing: of each step that is failing from now on.
    """

    on_end: Callable[[Result], Any] | None = None
    on_needs_operator: Callable[[Stuck], Any] | None = None
    on_failing: Callable[[Failing], Any] | None = None


NO_HOOKS: Final = EventHooks()
Looking = Callable[[Callable[[Records, AsOf], list[Failing]]], Awaitable[list[Failing]]]
"""Has a function look at the store beside the turns."""


class HookCaller:
    """Calls the hooks of one engine."""

    def __init__(self, hooks: EventHooks) -> None:
        """Call none yet.

        Args:
            hooks: of the program.
        """
        self._hooks = hooks
        self._heard = asyncio.Queue[tuple[str, Any]]()
        self._known: set[tuple[str, str, str]] = set()  # steps that are failing, and were told
        self._tasks: list[asyncio.Task[None]] = []
        self._thread: OneThread | None = None

    def open(self, look: Looking) -> None:
        """Begin to call them, where there are any.

        Args:
            look: has a look at the store beside the turns.
        """
        if any(self._hooks):
            self._tasks = [asyncio.create_task(self._call_all(), name="amends-hooks")]
        if self._hooks.on_failing:
            self._tasks.append(asyncio.create_task(self._watch(look), name="amends-failing"))

    def tell(self, turn: BatchResult) -> None:
        """Have the hooks hear of a turn that is committed."""
        if self._hooks.on_end:
            for run in turn.ended.values():
                self._heard.put_nowait(("on_end", result_of(run)))
        if self._hooks.on_needs_operator:
            for saga_id, outstanding, trouble in turn.needs_operator:
                self._heard.put_nowait(("on_needs_operator", Stuck(saga_id, outstanding, trouble)))

    async def close(self, patience_s: float) -> None:
        """Call them for what was heard so far, and no more.

        Args:
            patience_s: for how long to wait for them, in seconds.
        """
        for task in self._tasks[1:]:
            task.cancel()
        if self._tasks:
            self._heard.put_nowait(("", None))
            _, late = await asyncio.wait(self._tasks[:1], timeout=patience_s)
            for task in late:
                log.warning("hooks have not heard of %d events, as the engine was closed", self._heard.qsize())
                task.cancel()
        if self._thread is not None:
            self._thread.shutdown(wait=False)

    async def _call_all(self) -> None:
        while (heard := await self._heard.get())[0]:
            name, event = heard
            try:
                await self._call(getattr(self._hooks, name), event)
            except BaseException as error:
                if is_interrupt(error) or isinstance(error, asyncio.CancelledError):
                    raise
                log.exception(RAISED, name, raised(error), extra=about(f"{name} raised"))

    async def _call(self, hook: Callable[[Any], Any], event: Any) -> None:
        if inspect.iscoroutinefunction(hook):
            await hook(event)
            return
        if self._thread is None:
            self._thread = OneThread("amends-hooks")
        answer = await self._thread.call(hook, event)
        if inspect.isawaitable(answer):  # of an object that is called, and is no coroutine function
            await answer

    async def _watch(self, look: Looking) -> None:
        """Look for steps that are failing, now and then; each is told once, for as long as it goes on."""
        while True:
            try:
                for step in self._news(await look(failing)):
                    self._heard.put_nowait(("on_failing", step))
            except EngineStopped:
                return
            except Exception as error:  # noqa: BLE001 - whatever a look raises ends none of those after it
                log.warning("steps that are failing are not looked for now: %s", raised(error))
            await asyncio.sleep(LOOK_S)

    def _news(self, now: list[Failing]) -> Iterator[Failing]:
        before, self._known = self._known, {(step.saga_id, step.step, step.kind) for step in now}
        return (step for step in now if (step.saga_id, step.step, step.kind) not in before)
