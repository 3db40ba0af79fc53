"""Telling sagas what to do: it is shown first, then it is said, once, by letters to the engines of the store.

Those that run act on them, and so does one that is opened later. Where none runs, and the definitions are named, one is
opened here.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack, closing
from typing import Final, NamedTuple

from amends.bootstrap import connect, open  # noqa: A004 - it opens, as `amends.open`
from amends.core.definition import Command, Saga
from amends.engine.outside import refuse_no_name
from amends.entrypoints.cli.definitions import load_module
from amends.entrypoints.cli.store.documents import write_document
from amends.entrypoints.cli.store.sagas import now
from amends.entrypoints.cli.verbs.orders import TEXT_MAX, Order, VerbGiven, search_of
from amends.entrypoints.drawing.words import one_line
from amends.errors import RequestRefused, UnusableInput
from amends.lines import counted
from amends.storage.location import LastingLocation
from amends.storage.rows import Unreadable
from amends.views.sagas import AsOf
from amends.views.search import sagas as found_sagas
from amends.views.story import describe

DONE: Final = 0
REFUSED: Final = 1
WAITS: Final = 3
AWAY_S: Final = 1.0  # for an engine that cannot be seen from here, such as one in another container
NO_ENGINE: Final = "no engine has acted on it yet; the letter waits for one. To open one here, give --saga MODULE"


class Options(NamedTuple):
    """What the commands have in common.

    Attributes:
        db: the store.
        saga_id: of the saga; empty for those of a filter.
        where: the filter.
        limit: how many sagas it means at most.
        module: what has the definitions for an engine that is opened here; empty for none.
        timeout_s: how long to wait for the engine.
        is_agreed: whether nothing is asked.
        as_json: whether a document is printed.
    """

    db: LastingLocation
    saga_id: str
    where: tuple[str, ...]
    limit: int
    module: str
    timeout_s: float
    is_agreed: bool
    as_json: bool


class OrderResult(NamedTuple):
    """What became of what was said to a saga.

    Attributes:
        saga_id: of the saga.
        step: the step that it was about; empty for the whole saga.
        came_to: ``done``, ``refused``, or ``waits`` where no engine has acted on it.
        why: why it was refused.
    """

    saga_id: str
    step: str
    came_to: str
    why: str = ""


def tell_sagas(said: VerbGiven, options: Options) -> int:
    """Show what is to be done, and have it done.

    Returns:
        The exit code.

    Raises:
        UnusableInput: it cannot be said; nothing is changed.
    """
    if not said.by:
        raise UnusableInput(f"{said.verb}: say who you are: --by WHO; it is kept in the saga's record")
    try:
        refuse_no_name(said.by)
    except RequestRefused as refused:
        raise UnusableInput(str(refused)) from refused
    if bool(options.saga_id) == bool(options.where):
        raise UnusableInput(f"{said.verb}: name a saga, or give --where KEY=VALUE, and not both")
    definitions = load_module(options.module) if options.module else None
    orders, outcomes = _orders(said, options)
    if not options.as_json:
        sys.stdout.write("".join(f"{order.line()}\n" for order in orders) or "no saga is like that\n")
        sys.stdout.flush()
    if orders and not (options.is_agreed or options.as_json or _is_agreed(len(orders))):
        sys.stderr.write("amends: nothing was changed\n")
        return REFUSED
    outcomes += asyncio.run(_said(orders, options, definitions)) if orders else []
    return _told(said, outcomes, as_json=options.as_json)


def _orders(said: VerbGiven, options: Options) -> tuple[list[Order], list[OrderResult]]:
    """What is said to each saga; and of those that a filter means, to which it cannot be said."""
    orders, refused = list[Order](), list[OrderResult]()
    with closing(options.db.records()) as store:
        as_of = AsOf.of(store, now())
        if options.saga_id:
            try:
                return [said.of(describe(store, options.saga_id, as_of))], []
            except RequestRefused as error:
                raise UnusableInput(f"{options.db.shown}: {error}") from error
        here = list(found_sagas(store, search_of(options.where, options.limit, as_of.now_ms), as_of))
        if len(here) == options.limit:
            sys.stderr.write(f"amends: only the newest {counted(len(here), 'saga')}; --limit N means N of them\n")
        for found in here:
            name = found.name if isinstance(found, Unreadable) else found.saga_id
            try:
                orders.append(said.of(describe(store, name, as_of)))
            except (RequestRefused, UnusableInput) as error:
                refused.append(OrderResult(name, said.step, "refused", str(error)))
    return orders, refused


def _is_agreed(number: int) -> bool:
    """Whether the person at the terminal wants it; where there is none, the command says so."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return True
    sys.stderr.write(f"do that to {counted(number, 'saga')}? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def _said(
    orders: Sequence[Order], options: Options, definitions: tuple[list[Saga], list[Command]] | None
) -> list[OrderResult]:
    """Say it to each saga; where definitions are given and no engine runs, one is opened here for as long."""
    runs = options.db.has_engine()
    async with AsyncExitStack() as ends:
        if definitions and not runs:
            sagas, commands = definitions
            await ends.enter_async_context(open(options.db.url, sagas=sagas, commands=commands, store_wait_s=0))
        client = await ends.enter_async_context(connect(options.db.url))
        timeout_s = options.timeout_s if runs or definitions else min(options.timeout_s, AWAY_S)
        saying = (_outcome(order, order.say(client, timeout_s)) for order in orders)
        return list(await asyncio.gather(*saying))


async def _outcome(order: Order, saying: Awaitable[None]) -> OrderResult:
    try:
        await saying
    except RequestRefused as refused:
        return OrderResult(order.saga.saga_id, order.step, "refused", str(refused))
    except TimeoutError:
        return OrderResult(order.saga.saga_id, order.step, "waits")
    return OrderResult(order.saga.saga_id, order.step, "done")


def _told(said: VerbGiven, outcomes: Sequence[OrderResult], *, as_json: bool) -> int:
    """Tell what became of it; the exit code."""
    if as_json:
        told = [outcome._asdict() for outcome in outcomes]
        write_document({"verb": said.verb, "by": said.by, "reason": said.reason, "sagas": told})
    for saga_id, _, came_to, why in outcomes:
        if came_to == "done" and not as_json:
            sys.stdout.write(f"{saga_id}: done\n")
        elif came_to != "done":
            about = why if saga_id in why else f"{saga_id}: {why or NO_ENGINE}"
            sys.stderr.write(f"amends: {one_line(about, TEXT_MAX)}\n")
    came = {outcome.came_to for outcome in outcomes}
    return REFUSED if "refused" in came else WAITS if "waits" in came else DONE
