"""What is shown of sagas that follow from others: by `amends show`, and in the diagrams of a definition."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from amends.adapters.sqlite.store import SqliteStore
from amends.core.messages import Done
from amends.entrypoints.drawing.graphs.chart import chart_of, legend_of
from amends.entrypoints.drawing.graphs.mermaid import mermaid
from tests.acceptance.command import amends
from tests.engine.test_children import begun, sale
from tests.engine.world import Buy


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Return a store of a saga from which an invoice followed, and one from which it is to follow."""
    store = SqliteStore(tmp_path / "store.db")
    life, post, asked = begun(store)
    life.answer(asked.sends[0], Done())
    post.act()
    life.answer(life.begin(Buy("Lear", 1)).sends[0], Done())
    store.close()
    return tmp_path / "store.db"


def test_a_saga_is_shown_with_what_follows_from_it(db: Path) -> None:
    """How it stands; of that what it follows from; and the audit of both verifies."""
    shown = amends("show", "a-1", "--db", db)
    assert "starts       a-1.invoice  completed" in shown.out
    assert "starts       a-2.invoice  to start" in amends("show", "a-2", "--db", db).out
    assert "follows from a-1" in amends("show", "a-1.invoice", "--db", db).out
    assert "has not started yet: it follows from 'a-2'" in amends("show", "a-2.invoice", "--db", db).err
    document = json.loads(amends("show", "a-1", "--db", db, "--json").out)
    assert document["children"] == [{"saga_id": "a-1.invoice", "name": "invoice", "status": "completed", "reason": ""}]
    assert amends("audit", "verify", "--db", db).code == 0


def test_a_diagram_says_what_follows() -> None:
    """In its legend; in a flowchart, behind its end."""
    chart = chart_of(sale())
    assert legend_of(chart)[-1] == "Once completed, it starts invoice."
    assert 'completed -. "starts" .-> child0(["invoice"])' in mermaid(chart)
