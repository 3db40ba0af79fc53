"""Whether sagas that follow from others are what those lead to, started once, or still to start by a letter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from amends.auditing.findings import Finding
from amends.core.step import SagaInstance
from amends.storage.children import ChildToStart, children_of
from amends.storage.codecs.values import json_of
from amends.storage.letters import ChildAsked, child_in
from amends.storage.ports import ALL, Records
from amends.storage.records import ChildPosted, ChildStarted, Record
from amends.storage.shards import ALL_SHARDS


class RecordedChildren:
    """What the records tell of sagas that follow from others."""

    def __init__(self) -> None:
        """Nothing was told."""
        self._children: dict[str, list[str]] = {}
        self._parents: dict[str, str] = {}

    def take(self, record: Record) -> None:
        """Take in what a record tells of them, if it does."""
        if isinstance(record.cause, ChildPosted):
            self._children.setdefault(record.subject, []).append(record.cause.child)
        elif isinstance(record.cause, ChildStarted):
            self._parents[record.subject] = record.cause.parent

    def findings(
        self, completed: Iterable[SagaInstance], requests: Mapping[str, str], keys: Collection[str], records: Records
    ) -> Iterator[Finding]:
        """What is otherwise than what the completed sagas lead to.

        Args:
            completed: these, as they were computed.
            requests: of all sagas that were started, as JSON.
            keys: the client keys that stand for something.
            records: the store, in which are the letters of those that are still to start.
        """
        letters = {asked.saga_id: asked for asked in map(child_in, records.letters(ALL_SHARDS, ALL)) if asked}
        parents: dict[str, str] = {}
        for run in completed:
            expected = [*children_of(run)]
            names = [child.saga_id for child in expected]
            if names != (told := self._children.get(run.saga_id, [])):
                yield Finding(f"saga {run.saga_id}", f"it starts {names}, its records say {told}")
            for child in expected:
                parents[child.saga_id] = run.saga_id
                if what := _fault(child, requests, keys, letters.get(child.saga_id)):
                    yield Finding(f"saga {child.saga_id}", what)
        by_letter = {saga_id: asked.parent for saga_id, asked in letters.items()}
        for saga_id, parent in {**self._parents, **by_letter}.items():
            if parents.get(saga_id) != parent:
                yield Finding(f"saga {saga_id}", f"it follows from {parent}, which does not lead to it")


def _fault(child: ChildToStart, requests: Mapping[str, str], keys: Collection[str], letter: ChildAsked | None) -> str:
    """What is wrong with a saga that is to be started, in words; empty when nothing is."""
    if letter is None and child.key not in keys:
        return "it was to start, and neither did nor has a letter"
    asked = bytes(letter.request).decode() if letter else requests.get(child.saga_id)
    is_prepared = letter is None and child.saga.prepare is not None  # what it was asked for is not recorded then
    if child.fault or asked is None or is_prepared or (letter and letter.fault):
        return ""
    expected = json_of(child.asked)
    is_same = msgspec.json.decode(asked) == msgspec.json.decode(expected)
    return "" if is_same else f"it is asked for {asked}, what it follows from leads to {expected}"
