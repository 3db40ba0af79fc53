"""One verb for many sagas: first exactly which, and what it does to each; then done at a rate, and to be stopped."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeVar

from amends.client.client import Client
from amends.engine.looking import SagaSearch
from amends.entrypoints.cli.verbs.orders import Order, VerbGiven
from amends.errors import AmendsError, RequestRefused, UnusableInput
from amends.views.sagas import SagaView

SAGAS_MAX: Final = 10_000  # of one verb: as many as a page of the client has
KEPT_MAX: Final = 100  # previews, and verbs that were carried out, the last ones
RATE_MAX: Final = 1_000  # sagas a second: as fast as a client and an engine are with letters one by one
PREVIEW_S: Final = 900.0  # for which a preview holds: a quarter of an hour to look at it
TOLD_MAX: Final = 1_000  # failed and skipped sagas that are named
PAUSE_S: Final = 0.1  # between two looks whether a pause is over
ACTED_WITHIN_S: Final = 10.0  # as for one saga

State = Literal["running", "paused", "stopped", "done"]
Kept = TypeVar("Kept")


class BulkItem(NamedTuple):
    """One saga of a bulk verb.

    Attributes:
        saga_id: of the saga.
        effect: what the verb does to it; empty where it does not take it.
        why: why it does not take it, was skipped, or failed; empty for none of these.
    """

    saga_id: str
    effect: str
    why: str


class BulkPreview(NamedTuple):
    """Which sagas a verb is for, and what it does to each. The set is as it was when it was looked at.

    Attributes:
        token: by which it is carried out.
        said: the verb.
        orders: to each saga that takes it.
        items: of each saga, in the order in which they started, the last one first.
        rate: sagas a second; 0 for as fast as they are.
        made_at: the moment, on the monotonic clock.
    """

    token: str
    said: VerbGiven
    orders: list[Order]
    items: list[BulkItem]
    rate: float
    made_at: float


@dataclass
class BulkRun:
    """A verb that is being carried out.

    Attributes:
        bulk_id: its id.
        said: the verb, with who says it and why.
        total: how many sagas it is for.
        started_ms: when it began, milliseconds since 1970 (UTC).
        state: where it is.
        done: how many sagas have taken it.
        failed: which refused it, and why; the first ones.
        skipped: which had changed since the preview; the first ones.
        failures: how many refused it.
        skips: how many had changed.
    """

    bulk_id: str
    said: VerbGiven
    total: int
    started_ms: int
    state: State = "running"
    done: int = 0
    failures: int = 0
    skips: int = 0
    failed: list[BulkItem] = field(default_factory=list)
    skipped: list[BulkItem] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done."""
        return self.state in ("stopped", "done")


class BulkVerbs:
    """Previews and bulk verbs of one process. They are not stored: one that is cut off by its end is previewed anew."""

    def __init__(self, client: Client) -> None:
        """Have carried out none.

        Args:
            client: that tells the sagas.
        """
        self._client = client
        self._previews = OrderedDict[str, BulkPreview]()
        self._runs = OrderedDict[str, BulkRun]()
        self._tasks = set[asyncio.Task[None]]()

    async def preview(self, said: VerbGiven, wanted: SagaSearch, rate: float) -> BulkPreview:
        """Look which sagas a verb is for, and what it does to each.

        Args:
            said: the verb.
            wanted: which sagas; at most `SAGAS_MAX` of them.
            rate: sagas a second; 0 for as fast as they are.

        Raises:
            RequestRefused: a filter is none.
        """
        page = await self._client.list(**wanted)
        orders, items = list[Order](), list[BulkItem]()
        for view in page.sagas:
            order, why = await self._order(said, view)
            items.append(BulkItem(view.saga_id, f"is to {order.effect()}" if order else "", why))
            orders += [order] if order else []
        items += [BulkItem(row.name, "", f"cannot be read: {row.why}") for row in page.unreadable]
        preview = BulkPreview(secrets.token_urlsafe(16), said, orders, items, rate, time.monotonic())
        _keep(self._previews, preview.token, preview)
        return preview

    def start(self, token: str) -> BulkRun | None:
        """Carry out what was previewed, once; ``None`` where there is no such preview, or no longer."""
        preview = self._previews.pop(token, None)
        if preview is None or time.monotonic() - preview.made_at > PREVIEW_S:
            return None
        now_ms = time.time_ns() // 1_000_000
        run = BulkRun(secrets.token_hex(8), preview.said, len(preview.orders), now_ms)
        _keep(self._runs, run.bulk_id, run)
        task = asyncio.create_task(self._carry_out(run, preview), name="amends-bulk")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return run

    def runs(self) -> list[BulkRun]:
        """Those of this process, the last one first."""
        return [*reversed(self._runs.values())]

    def run(self, bulk_id: str) -> BulkRun | None:
        """One of them; ``None`` where there is none."""
        return self._runs.get(bulk_id)

    async def _order(self, said: VerbGiven, view: SagaView) -> tuple[Order | None, str]:
        try:
            return said.of(await self._client.describe(view.saga_id)), ""
        except (RequestRefused, UnusableInput) as error:
            return None, str(error)

    async def _carry_out(self, run: BulkRun, preview: BulkPreview) -> None:
        begun = time.monotonic()
        for number, order in enumerate(preview.orders):
            while run.state == "paused":
                await asyncio.sleep(PAUSE_S)
                begun = time.monotonic() - (number / preview.rate if preview.rate else 0)
            if run.state == "stopped":
                return
            if preview.rate:
                await asyncio.sleep(max(begun + number / preview.rate - time.monotonic(), 0))
            await self._say(run, order)
        run.state = "done"

    async def _say(self, run: BulkRun, order: Order) -> None:
        """Tell one saga, if it is as it was."""
        saga_id = order.saga.saga_id
        try:
            now = await self._client.describe(saga_id)
            if now.number != order.saga.number:
                run.skips += 1
                _name(run.skipped, BulkItem(saga_id, "", f"has changed since: it is {now.status}"))
                return
            await order.say(self._client, ACTED_WITHIN_S)
        except TimeoutError:
            run.failures += 1
            _name(run.failed, BulkItem(saga_id, "", f"no engine has acted on it within {ACTED_WITHIN_S:g} s"))
        except AmendsError as error:
            run.failures += 1
            _name(run.failed, BulkItem(saga_id, "", str(error)))
        else:
            run.done += 1

    async def close(self) -> None:
        """Stop all of them."""
        for task in [*self._tasks]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _name(items: list[BulkItem], item: BulkItem) -> None:
    if len(items) < TOLD_MAX:
        items.append(item)


def _keep(kept: OrderedDict[str, Kept], key: str, value: Kept) -> None:
    kept[key] = value
    while len(kept) > KEPT_MAX:
        kept.popitem(last=False)
