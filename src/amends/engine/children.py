"""The letters that a commit writes for the sagas which follow from those that it completes."""

from __future__ import annotations

import msgspec

from amends.core.messages import worded
from amends.engine.intake import take_asked
from amends.engine.unit_of_work import UnitOfWork
from amends.errors import RequestRefused
from amends.storage.children import ChildToStart, children_of
from amends.storage.codecs.sagas import definition_of
from amends.storage.letters import NOTHING, ChildAsked, child_letter
from amends.storage.records import ChildPosted
from amends.storage.rows import Letter


def letters_to_children(work: UnitOfWork) -> list[Letter]:
    """A letter for each saga that is to start; that it is, is recorded.

    A function of a definition that raises, or gives what cannot be stored, keeps no saga from its end: its letter says
    so, and starts none.
    """
    return [
        _letter(work, run.saga_id, child)
        for run in work.effects.ended.values()
        if run.saga.starts
        for child in children_of(run)
    ]


def _letter(work: UnitOfWork, parent: str, child: ChildToStart) -> Letter:
    definition, text, fault = definition_of(child.saga), NOTHING, child.fault
    if not fault:
        codec = work.committed.definitions.by_name[definition]
        try:
            text = msgspec.Raw(take_asked(codec, child.asked, work.value_bytes_max).encode())
        except RequestRefused as refused:
            fault = worded(refused)
    work.record(parent, 0, ChildPosted(child.saga_id, definition))
    return child_letter(child.key, ChildAsked(child.saga_id, definition, text, parent, fault), work.now_ms)
