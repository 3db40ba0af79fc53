"""The budget of a participant: its places for all engines of a store together, and how these are shared out.

An engine has a share of the places for as long as it has its lease, and calls no more at a time than it has places.
What it needs, it asks for now and then, never call by call. Before it asks, it does without what it is to give back,
and says what it keeps: so what is written of it is never less than what it uses, also where the answer is lost. What
others may have is what is left of the limit once all shares are taken off, and what ends a lease ends the share.

Where there are fewer places than engines that want one, they go round: an engine that has had one for a turn gives it
up to the one that has been without for longest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

RESERVED_SHARE: Final = 8  # of the places one in so many is never an action's: one saga in eight seldom goes back
IDLE_SHARE: Final = 8  # with so many places for each engine, one that is idle keeps one, for its first call
TURN_MS: Final = 1_500
"""For how long an engine may keep its places where others have none: longer than handing them on takes."""


class Places(NamedTuple):
    """Room for calls.

    Attributes:
        common: for calls of any kind.
        reserved: for compensations and probes alone.
    """

    common: int = 0
    reserved: int = 0


NO_PLACES: Final = Places()


class BudgetShare(NamedTuple):
    """What an engine has of a budget, and what it needs.

    Attributes:
        engine: its name.
        service: the participant.
        at_once: how many places the participant has for all engines, as this one was told. >= 1.
        per_s: how many calls a second, as this engine was told; ``None`` for any number.
        common: places for calls of any kind; of an engine that asks, those that it keeps at most.
        reserved: places for compensations and probes alone; of an engine that asks, those that it keeps at most.
        wanted: for how many actions it wants a place, those under way among them.
        urgent: the same of compensations and probes.
        since_ms: since when it has places, or had some last, by the store's time; 0 for never.
    """

    engine: str
    service: str
    at_once: int
    per_s: float | None = None
    common: int = 0
    reserved: int = 0
    wanted: int = 0
    urgent: int = 0
    since_ms: int = 0

    @property
    def places(self) -> int:
        """How many it has of both kinds."""
        return self.common + self.reserved


class BudgetGrant(NamedTuple):
    """What an engine may have of a budget from now on.

    Attributes:
        share: what it has.
        goal: how much of that it is to keep. Calls that are under way end as they would; no more begin.
        per_place: how many calls a second it may begin for each of its places; ``None`` for any number.
    """

    share: BudgetShare
    goal: Places
    per_place: float | None


def reserved_of(limit: int) -> int:
    """How many of so many places are for compensations and probes alone: at least one where there are two."""
    return min(limit - 1, max(1, limit // RESERVED_SHARE))


def granted(asks: BudgetShare, shares: Sequence[BudgetShare], now_ms: int) -> BudgetGrant:
    """What an engine gets that asks for places. The sum of all shares is at most the limit, or does not grow.

    Args:
        asks: what it keeps, and what it needs.
        shares: of the same budget, as they are, its own among them if it had one. Where engines were told different
            limits, the smallest one counts.
        now_ms: the store's time.
    """
    before = next((share for share in shares if share.engine == asks.engine), None)
    own = asks._replace(
        common=min(asks.common, before.common if before else 0),
        reserved=min(asks.reserved, before.reserved if before else 0),
        since_ms=before.since_ms if before else 0,
    )
    every = [own, *(share for share in shares if share.engine != own.engine)]
    limit = min(share.at_once for share in every)
    reserve, goal = reserved_of(limit), _goal(own, every, limit, now_ms)
    common = _grown(own.common, goal.common, limit - reserve - sum(share.common for share in every))
    reserved = _grown(own.reserved, goal.reserved, reserve - sum(share.reserved for share in every))
    has_begun = not own.places and common + reserved
    share = own._replace(common=common, reserved=reserved, since_ms=now_ms if has_begun else own.since_ms)
    rates = [each.per_s for each in every if each.per_s is not None]
    return BudgetGrant(share, goal, min(rates) / limit if rates else None)


def _grown(has: int, goal: int, free: int) -> int:
    return max(has, min(goal, has + free))


def _goal(own: BudgetShare, shares: Sequence[BudgetShare], limit: int, now_ms: int) -> Places:
    """What an engine is to have in the end: of what is not needed, each engine has as much as any other."""
    order = sorted(shares, key=lambda share: _place_in_line(share, now_ms))
    urgent = split(limit, {share.engine: share.urgent for share in order})
    reserve = reserved_of(limit)
    reserved = _of_reserve(reserve, urgent, order)
    idle = int(limit >= IDLE_SHARE * len(order))
    wanted = {
        share.engine: max(share.wanted, idle) for share in sorted(order, key=lambda share: urgent[share.engine] > 0)
    }
    left = limit - reserve - sum(urgent.values()) + sum(reserved.values())
    common = split(left, wanted)
    return Places(
        urgent[own.engine] - reserved[own.engine] + common[own.engine] + (left - sum(common.values())) // len(order),
        reserved[own.engine] + (reserve - sum(reserved.values())) // len(order),
    )


def _of_reserve(reserve: int, urgent: Mapping[str, int], order: Sequence[BudgetShare]) -> dict[str, int]:
    """How many of its places for compensations and probes each engine has of the reserve: who has some keeps them."""
    given: dict[str, int] = {}
    for share in sorted(order, key=lambda share: share.reserved == 0):
        given[share.engine] = min(reserve - sum(given.values()), urgent[share.engine])
    return given


def _place_in_line(share: BudgetShare, now_ms: int) -> tuple[bool, int, str]:
    """First those whose turn lasts, then those that have had none for longest."""
    has_its_turn = share.places > 0 and now_ms - share.since_ms < TURN_MS
    return not has_its_turn, share.since_ms, share.engine


def split(number: int, wants: Mapping[str, int]) -> dict[str, int]:
    """Share out a number, as evenly as can be without giving any more than it wants; the first ones get the rest.

    Args:
        number: what there is, >= 0.
        wants: how much each wants, in their order.
    """
    given = dict.fromkeys(wants, 0)
    while number and (hungry := [name for name, wanted in wants.items() if given[name] < wanted]):
        even = max(1, number // len(hungry))
        for name in hungry[:number]:
            more = min(even, wants[name] - given[name])
            given[name] += more
            number -= more
    return given
