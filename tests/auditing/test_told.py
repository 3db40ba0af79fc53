"""Records tell where a saga stands, without its definition: as its row says, whatever happens to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from amends import Saga
from amends.auditing.rows import fault_of
from amends.auditing.told import Tale
from amends.core.effects import Write
from amends.core.records import StateChange
from amends.core.state import underway
from amends.engine.in_flight import due_of
from amends.engine.recording import Recording, said_text
from amends.storage.blocks import Contents
from amends.storage.causes import cause_text, changes_text
from amends.storage.codecs.sagas import body_of, status_of
from amends.storage.records import SagaStarted
from amends.storage.rows import Head, SagaRow
from amends.views.story import steps_of
from tests.auditing.attacks import VERIFY_AUDIT
from tests.core.worlds import World, definitions

DEFINITION = "some saga/1/0123456789abcdef"
LAW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@dataclass
class ToldWorld(World):
    """A world whose saga is also followed by its records alone, by our eyes and by those of docs/verify_audit.py."""

    tale: Tale = field(default_factory=Tale)
    others: dict[str, SimpleNamespace] = field(default_factory=dict)
    blocks: int = 0
    changes: list[StateChange] = field(default_factory=list)

    def take_in(self, effects: tuple[Any, ...]) -> None:
        """Follow what is recorded, and compare."""
        for write in effects:
            if isinstance(write, Write):
                self.follow(write)
        super().take_in(effects)

    def follow(self, write: Write) -> None:
        """The same record for both, in a block of its own."""
        self.blocks += 1
        self.changes += write.changes
        recording, started = Recording(self.now_ms, salts=bytes), (cause_text(SagaStarted(DEFINITION)), '"request"')
        cause, value = said_text(write.said) if write.said else started
        recording.write("s", write.number, cause, changes_text(write.changes), value)
        was_final = bool(self.tale.sagas and self.tale.sagas["s"].stand.end)
        counted = int(write.number == 1), int(underway(self.run.state) is None and not was_final)
        block = recording.block(Head(self.blocks - 1), *counted)
        contents = Contents(block)
        assert not list(self.tale.add(block, contents))
        assert not list(contents.faults())
        values = VERIFY_AUDIT.values_of(block.records.partition("\n")[0], block.values)
        assert not list(
            VERIFY_AUDIT.faults_of_records(self.blocks, self.now_ms, contents.lines, self.others, values, {})
        )
        row = self.row()
        assert not fault_of(row, self.tale.sagas["s"])
        assert VERIFY_AUDIT.agrees(self.others["s"], *row[1:])
        self.compare_steps(json.loads(row.body))

    def row(self) -> SagaRow:
        """The saga's row, as the engine would write it."""
        due_ms = due_of(self.run, self.now_ms)
        return SagaRow(
            "s", DEFINITION, '"request"', status_of(self.run.state), body_of(self.run), due_ms, 0, self.now_ms,
            self.blocks,
        )  # fmt: skip

    def compare_steps(self, body: Any) -> None:
        """What is drawn has each outcome of the trail, and each compensation under its step."""
        steps = {step.event: step for step in steps_of(self.changes, body["trail"])}
        for words in body["trail"]:
            name, _, status = words.rpartition(" ")
            if status == "undone":
                assert steps[name.removesuffix("_UNDONE")].undone == name
            else:
                assert name in steps


@settings(LAW, max_examples=LAW.max_examples // 4)
@given(definitions(), st.integers(0, 2**32).map(Random), st.integers(0, 40))
def test_records_tell_what_rows_say(saga: Saga, chance: Random, moves: int) -> None:
    """After every record, also of sagas that are stuck, given up, or hear of something late."""
    world = ToldWorld(saga, chance)
    for _ in range(moves):
        world.happen()
    event(f"after the faults: {status_of(world.run.state)}")
    world.heal()
    world.settle()
    event(f"at the end: {status_of(world.run.state)}")
