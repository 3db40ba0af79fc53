"""What an engine leaves alone, as it was not given the definition: sagas of its shards, and letters to them.

Another engine of the store may know the definition. By what is noted here it gets the shard
(`amends.engine.ownership`).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from typing import Final

from amends.engine.logger import log
from amends.errors import DefinitionError
from amends.storage.ports import Store, unfinished

NAMED_MAX: Final = 5  # definitions that a message names; check-deploy names all


def look_for_orphans(store: Store, known: Container[str], *, may_leave: bool) -> None:
    """Look for sagas that this engine is not going to move: before it opens, and changes nothing.

    Those of definitions that another engine knows whose lease holds are left to that one, and logged.

    Args:
        store: of the engine.
        known: the definitions that it was given.
        may_leave: whether others are left, too, and logged.

    Raises:
        DefinitionError: there are others: no engine would move them.
    """
    if not (left := unfinished(store.counts(), known)):
        return
    leases, now_ms = store.ownership.leases(), store.ownership.now_ms()
    elsewhere = {each: lease.engine for lease in leases if lease.until_ms > now_ms for each in lease.knows}
    orphans = {definition: sagas for definition, sagas in left.items() if definition not in elsewhere}
    if orphans and not may_leave:
        raise DefinitionError(_refusal(orphans))
    for definition, sagas in left.items():
        who = f"engine {elsewhere[definition]} knows it" if definition in elsewhere else "no engine that runs knows it"
        log.warning("%d sagas run under %s, which is not known here: they are left; %s", sagas, definition, who)


def _refusal(orphans: Mapping[str, int]) -> str:
    named = [f"{sagas} under {definition}" for definition, sagas in orphans.items()]
    more = f" and {len(named) - NAMED_MAX} definitions more" if len(named) > NAMED_MAX else ""
    return (
        f"sagas wait that no engine would move: {', '.join(named[:NAMED_MAX])}{more}; give open(sagas=[...]) these "
        "definitions, too, for as long as such sagas wait, or open(..., orphans='leave') to leave them as they are"
    )


class LeftAlone:
    """The unknown definitions that something waits under, shard by shard."""

    def __init__(self, known: Container[str]) -> None:
        """Nothing is left.

        Args:
            known: the definitions that the engine was given, as ``name/version/fingerprint``.
        """
        self._known = known
        self._definitions: dict[int, set[str]] = {}
        self._seen: dict[str, None] = {}
        self._untold: list[str] = []

    def is_known(self, definition: str) -> bool:
        """Whether the engine was given a definition."""
        return definition in self._known

    def note(self, shard: int, definitions: Iterable[str]) -> None:
        """Something waits in a shard under definitions that the engine does not know."""
        for definition in definitions:
            self._definitions.setdefault(shard, set()).add(definition)
            if definition not in self._seen:
                self._seen[definition] = None
                self._untold.append(definition)

    def news(self) -> list[str]:
        """The definitions that were noted for the first time since this was asked last."""
        news, self._untold = self._untold, []
        return news

    def of(self, shard: int) -> Collection[str]:
        """The definitions that something waits under in a shard."""
        return self._definitions.get(shard, ())

    @property
    def shards(self) -> Collection[int]:
        """The shards in which something waits under such a definition."""
        return self._definitions.keys()

    def forget(self, shards: Iterable[int]) -> None:
        """Some shards are another engine's now."""
        for shard in shards:
            self._definitions.pop(shard, None)
