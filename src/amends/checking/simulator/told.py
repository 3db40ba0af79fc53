"""Where a saga stands by its audit records alone, as they are stored: read without the engine's own code.

That a participant was asked which answers in the same commit is not recorded. So of those whose state we keep, asked
and not asked yet read the same here, and a group of them alone is entered once the group before is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from amends.core.definition import Saga

FORWARD: Final = "forward"
BACKWARD: Final = "backward"
FINAL: Final = frozenset({"completed", "compensated", "abandoned"})
STUCK: Final = "stuck"
DEBT: Final = ("owed", "settled")  # what is heard too late, and moves no saga
SAME: Final = {"sent": "pending", "undoing": "done"}
ASKED_BY: Final = {"do": ("sent", "resent"), "probe": ("probing",), "undo": ("undoing",)}


class Script:
    """What a definition allows, as words.

    Attributes:
        groups: the events of each.
        group_at: these events, to the number of the group.
        place: event to the number of its group.
        pivot: number of the pivot's group.
        local: the events of participants whose state we keep.
        asks: the events of steps that have no effect, so that nothing of them stands.
    """

    def __init__(self, saga: Saga) -> None:
        self.groups = [[step.event for step in group] for group in saga.groups]
        self.group_at = {tuple(events): number for number, events in enumerate(self.groups)}
        self.place = {event: number for number, events in enumerate(self.groups) for event in events}
        self.pivot = saga.pivot
        self.local = {step.event for step in saga.every_step() if step.is_local}
        self.asks = {step.event for step in saga.every_step() if step.asks}
        self.is_quiet = [self.local.issuperset(events) for events in self.groups] + [False]

    def normal(self, members: Mapping[str, str]) -> dict[str, str]:
        """Statuses as records tell them apart."""
        return {event: SAME.get(status, status) if event in self.local else status for event, status in members.items()}


class SagaFollower:
    """One saga, record by record.

    Attributes:
        script: of its definition.
        phase: ``forward``, ``backward``, or how it ended.
        group: number of the current group.
        members: step of the current group to its status.
        number: of the last record.
        standing: steps that are done, and not undone.
        turned_back: whether it ever decided to go back.
    """

    __slots__ = ("group", "members", "number", "phase", "script", "standing", "turned_back")

    def __init__(self, script: Script) -> None:
        self.script = script
        self.phase = FORWARD
        self.group = 0
        self.members = dict.fromkeys(script.groups[0], "pending")
        self.number = 0
        self.standing: dict[str, None] = {}
        self.turned_back = False

    def hear(self, changes: Iterable[Sequence[str]]) -> Iterator[tuple[str, str]]:
        """Follow what a record says; yields (rule, what is wrong) where that must not be."""
        to_ask: dict[str, str] = {}  # after it turned back; what the same record takes back is not asked
        for word, *steps in changes:
            if word in DEBT:
                continue
            if self.phase in FINAL:
                yield "V02", f"it was {self.phase}, and then: {word} {', '.join(steps)}"
            self._enter_quietly()
            if word in FINAL:
                self.phase = word
            elif word in (FORWARD, BACKWARD):
                yield from self._entered(word, *steps)
            else:
                yield from self._marked(steps[0], word)
                if word in ASKED_BY["do"] and self.turned_back:
                    to_ask[steps[0]] = word
        self._enter_quietly()
        for event, status in to_ask.items():
            if self.members.get(event) == status:
                yield "V07", f"it asked for {event} after it had decided to go back"

    def _enter_quietly(self) -> None:
        following = self.group + 1
        if self.phase == FORWARD and self.script.is_quiet[following] and set(self.members.values()) == {"done"}:
            self.group = following
            self.members = dict.fromkeys(self.script.groups[following], "pending")

    def is_stuck(self) -> bool:
        """Whether it waits for an operator."""
        return self.phase not in FINAL and STUCK in self.members.values()

    def _entered(self, phase: str, *events: str) -> Iterator[tuple[str, str]]:
        group, where = self.script.group_at[events], ", ".join(events)
        if phase == FORWARD and self.turned_back:
            yield "V07", f"it went forward to {where} after it had decided to go back"
        if phase == BACKWARD and any(self.script.place[event] >= self.script.pivot for event in self.standing):
            yield "V07", f"it turned back at {where}, and the pivot was done"
        if group != self.group:
            self.members = dict.fromkeys(self.script.groups[group], "pending" if phase == FORWARD else "done")
        self.turned_back = self.turned_back or phase == BACKWARD
        self.phase, self.group = phase, group

    def _marked(self, event: str, status: str) -> Iterator[tuple[str, str]]:
        self.members[event] = status
        if status == "undoing":
            yield from self._may_undo(event)
        elif status == "done" and event not in self.script.asks:
            self.standing[event] = None
        elif status == "undone":
            yield from self._may_undo(event)
            self.standing.pop(event, None)

    def _may_undo(self, event: str) -> Iterator[tuple[str, str]]:
        if not self.turned_back:
            yield "V07", f"{event} is undone, and nobody decided to go back"
        place = self.script.place[event]
        for later in self.standing:
            if self.script.place[later] > place:
                yield "V06", f"{event} is undone before {later}, which came after it"
