"""What `amends.storage.ports.Store` promises, of every store."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from amends.errors import StoreConflict
from amends.storage.ports import Store
from amends.storage.rows import (
    COMPENSATED,
    COMPLETED,
    ENTITY,
    FORWARD,
    REQUEST,
    WAITS_FOR_OPERATOR,
    Changes,
    EntityRow,
    Head,
)
from amends.storage.shards import shard_of
from tests.contract.everything import everything
from tests.contract.rows import START_MS, TICKETS, TRIPS, Writer, block, completed, entity, key, saga, shape


@pytest.fixture
def write(store: Store) -> Writer:
    """Return what commits to the store."""
    return Writer(store)


def test_what_is_committed_is_read(store: Store, write: Writer) -> None:
    """Each kind of row, every value of it."""
    one, two, show = saga("S1"), saga("S2", due_ms=None, status=COMPLETED), entity("E1")
    write(one, two, show, key("K1", "S1"), subjects=["S1", "S2"])
    assert store.sagas(["S2", "S1", "S9"]) == {"S1": one, "S2": two}
    assert (store.saga("S1"), store.saga("S9")) == (one, None)
    assert store.entity("SHOWS", "E1") == show
    assert store.keys(["K1", "K9"]) == {"K1": key("K1", "S1")}


def test_nothing_is_found_where_nothing_is_asked(store: Store) -> None:
    """Of an empty list of names, and of nobody's."""
    assert store.sagas([]) == {}
    assert store.keys([]) == {}
    assert store.sagas(["", "S1", "\udc80"]) == {}
    assert store.keys(["", "\udc80"]) == {}
    assert store.entity("SHOWS", "\udc80") is None
    assert store.due([], 2**62, 9) == []


@pytest.mark.parametrize(
    "name", ["a b", "it's", "ä", "\U0001f389", "a\0b", "\n", '"', "%", "NULL", "'; DROP TABLE sagas; --"]
)
def test_any_text_is_a_name(store: Store, write: Writer, name: str) -> None:
    """Names are compared as they are, and no text is more than text."""
    write(saga(name), entity(name, service=name), key(name), subjects=[name])
    assert store.saga(name) == saga(name)
    assert store.sagas([name, f"{name}x", name[:1] + "\0"]) == {name: saga(name)}
    assert store.entity(name, name) == entity(name, service=name)
    assert store.keys([name, f"{name}x"]) == {name: key(name)}
    assert [found.number for found in store.blocks_about(name)] == [1]


def test_a_row_replaces_the_one_before_it(store: Store, write: Writer) -> None:
    """The version tells which that is."""
    write(saga("S1"), entity("E1"))
    after, gone = completed(saga("S1")), entity("E1", None, 2)
    write(after, gone)
    assert store.saga("S1") == after
    assert store.entity("SHOWS", "E1") == gone


def test_entities_are_read_by_their_names(store: Store, write: Writer) -> None:
    """Of several services at once, those that no longer exist among them; those that never did are left out."""
    rows = [entity("E1"), entity("E1", service="HALLS"), entity("a/b'\0", service="ä")]
    write(*rows, entity("E2"))
    write(gone := entity("E2", None, 2))
    names = {(row.service, row.entity_id): row for row in (*rows, gone)}
    absent = [("SHOWS", "E9"), ("E1", "SHOWS"), ("\udc80", "E1"), ("", "")]
    assert store.entity_rows([*names, *absent]) == names
    assert store.entity_rows(absent) == store.entity_rows([]) == {}


def test_an_entity_that_is_gone_may_come_back(store: Store, write: Writer) -> None:
    """Its versions go on."""
    for version, body in enumerate(["1", None, "2"], 1):
        write(entity("E1", body, version))
    assert store.entity("SHOWS", "E1") == entity("E1", "2", 3)


def test_shapes_are_read_in_the_order_of_their_times(store: Store, write: Writer) -> None:
    """One of the same kind, name and time replaces the one before."""
    assert list(store.shapes()) == []
    write(shape(7, '"b"'), shape(7, '"x"', name=TRIPS))
    write(shape(0, '"a"'), shape(9, '"c"'), shape(0, '"e"', ENTITY))
    write(shape(7, '"B"'))
    found = list(store.shapes())
    assert [row for row in found if row[:2] == (REQUEST, TICKETS)] == [
        shape(0, '"a"'),
        shape(7, '"B"'),
        shape(9, '"c"'),
    ]
    assert set(found) >= {shape(7, '"x"', name=TRIPS), shape(0, '"e"', ENTITY)}
    assert len(found) == 5


def test_the_entities_of_a_service_are_read_in_the_order_of_their_ids(store: Store, write: Writer) -> None:
    """From any id on, those among them that no longer exist, and nobody else's."""
    names = [
        "",
        "a",
        "a\0",
        "a\0b",
        "ab",
        "b",
        "ä",
        "\uffff",
        "\U0001f389",
        *(f"m{number:04}" for number in range(500)),
    ]
    rows = {name: entity(name) for name in names}
    write(*rows.values(), entity("a", service="SHOW"), entity("a", service="SHOWSS"))
    rows["b"] = entity("b", None, 2)
    write(rows["b"])
    for first in ("", "a", "a\0", "a\0\0", "m0300", "\U0001f389"):
        assert list(store.entities("SHOWS", first)) == [rows[name] for name in sorted(rows) if name >= first]
    assert [*store.entities("SHO"), *store.entities("SHOWS", "\U0001f389\0")] == []


def test_entities_are_read_while_they_are_written(store: Store, write: Writer) -> None:
    """Whoever goes through all of them may change each that is behind."""
    write(*(entity(f"m{number:04}") for number in range(450)))
    met = []
    for row in store.entities("SHOWS"):
        assert isinstance(row, EntityRow)
        met.append(row.entity_id)
        write(row._replace(version=2))
    assert met == [f"m{number:04}" for number in range(450)]


STALE: dict[str, Callable[[Writer], Changes]] = {
    "a saga that is there": lambda write: write.changes(entity("E2"), saga("S1")),
    "a saga's row that was replaced": lambda write: write.changes(entity("E2"), saga("S2", version=2)),
    "a saga's row before its time": lambda write: write.changes(entity("E2"), saga("S1", version=3)),
    "a saga that is not there": lambda write: write.changes(saga("S3"), saga("S4", version=2)),
    "a saga twice": lambda write: write.changes(saga("S5"), saga("S5")),
    "an entity that is there": lambda write: write.changes(saga("S3"), entity("E1")),
    "an entity's row before its time": lambda write: write.changes(saga("S3"), entity("E1", "7", 3)),
    "an entity that is not there": lambda write: write.changes(saga("S3"), entity("E9", "7", 2)),
    "a key that is there": lambda write: write.changes(saga("S3"), key("K1", "S3")),
    "a key twice": lambda write: write.changes(saga("S3"), key("K3"), key("K3")),
    "a block that is there": lambda write: write.changes(saga("S3"))._replace(block=block(Head())),
    "a block that leaves one out": lambda write: write.changes(saga("S3"))._replace(
        block=block(write.store.head()._replace(number=7))
    ),
    "a block that follows another one": lambda write: write.changes(saga("S3"))._replace(
        block=block(write.store.head()._replace(head=bytes(32)))
    ),
    "a saga to archive that changed": lambda write: write.changes(saga("S3"), gone=[saga("S2")]),
    "a saga to archive that is not there": lambda write: write.changes(saga("S3"), gone=[saga("S9")]),
    "a key to archive that is not there": lambda write: write.changes(saga("S3"), gone=[key("K9")]),
    "a key to archive that is another": lambda write: write.changes(saga("S3"), gone=[key("K1", "S2")]),
}


@pytest.mark.parametrize("stale", STALE)
def test_what_was_decided_on_something_older_is_refused_whole(store: Store, write: Writer, stale: str) -> None:
    """Nothing of it is written, and the store goes on."""
    write(saga("S1"), saga("S2"), entity("E1"), key("K1", "S1"), counts={(TICKETS, FORWARD): 2})
    write(completed(saga("S2")))
    before = everything(store)
    with pytest.raises(StoreConflict):
        store.commit(STALE[stale](write))
    assert everything(store) == before
    write(saga("S3"), entity("E2"), key("K3", "S3"))
    assert store.head().number == 3


def test_new_rows_are_written_before_changed_ones(store: Store, write: Writer) -> None:
    """A commit may hold several rows of one saga, in whatever order their kinds come."""
    write(completed(saga("S1")), saga("S1"))
    assert store.saga("S1") == completed(saga("S1"))


def test_sagas_are_due_in_the_order_of_their_times(store: Store, write: Writer) -> None:
    """Of some definitions, by a moment, of equal times by their ids."""
    rows = [
        saga("S3", due_ms=10),
        saga("S1", due_ms=20),
        saga("S2", due_ms=20, definition=TRIPS),
        saga("S0", due_ms=20),
        saga("S4", due_ms=30),
        saga("S5", due_ms=15, definition="other/1/0"),
        saga("S6", due_ms=WAITS_FOR_OPERATOR),
        saga("S7", due_ms=None, status=COMPENSATED),
    ]
    write(*rows)
    due = store.due({TICKETS, TRIPS}, 20, 9)
    assert due == [(10, "S3"), (20, "S0"), (20, "S1"), (20, "S2")]
    assert store.due([TICKETS, TICKETS], 19, 9) == [(10, "S3")]
    assert store.due([TRIPS], 2**62 - 1, 9) == [(20, "S2")]
    assert store.due(["nobody/1/0"], 2**62, 9) == []
    assert store.due(iter([TICKETS]), 2**62, 9)[-1] == (WAITS_FOR_OPERATOR, "S6")


def test_what_is_due_comes_in_pages(store: Store, write: Writer) -> None:
    """Each page after the last of the one before, of whichever definition that was."""
    write(*(saga(f"S{i}", due_ms=10 + i // 3, definition=(TICKETS, TRIPS)[i % 2]) for i in range(10)))
    pages, after = [], (0, "")
    while page := store.due([TRIPS, TICKETS], 2**62, 3, after):
        pages.append(page)
        after = page[-1]
    assert [entry for page in pages for entry in page] == [(10 + i // 3, f"S{i}") for i in range(10)]
    assert [len(page) for page in pages] == [3, 3, 3, 1]


def test_sagas_are_due_by_their_shards(store: Store, write: Writer) -> None:
    """A page of them is full while there are more."""
    names = [f"S{number:03}" for number in range(300)]
    write(*(saga(name, due_ms=10) for name in names))
    due = [(10, name) for name in names if shard_of(name) < 5]
    assert len(due) > 9
    assert store.due([TICKETS], 20, 2, shards=range(5)) == due[:2]
    assert store.due(iter([TICKETS]), 20, 400, due[1], range(5)) == due[2:]
    assert store.due([TICKETS], 20, 400, shards=()) == []
    assert store.due([TICKETS], 9, 400, shards=range(5)) == []


def test_a_saga_is_due_when_it_was_said_last(store: Store, write: Writer) -> None:
    """And no more once it is final."""
    first = saga("S1", due_ms=10)
    write(first)
    later = first._replace(due_ms=50, version=2)
    write(later)
    assert store.due([TICKETS], 49, 9) == []
    assert store.due([TICKETS], 50, 9) == [(50, "S1")]
    write(completed(later))
    assert store.due([TICKETS], 2**62, 9) == []


def test_sagas_and_their_keys_leave_for_an_archive(store: Store, write: Writer) -> None:
    """What was said of them stays in the audit."""
    row = completed(saga("S1"))
    write(saga("S1"), saga("S2"), key("K1", "S1"), key("K2", "S2"), subjects=["S1", "S2"])
    write(row, counts={(TICKETS, COMPLETED): 1})
    write(gone=[row, key("K1", "S1")], subjects=["S1"], counts={(TICKETS, COMPLETED): -1})
    assert store.saga("S1") is None
    assert store.keys(["K1", "K2"]) == {"K2": key("K2", "S2")}
    assert store.counts() == {}
    assert [found.number for found in store.blocks_about("S1")] == [1, 3]
    write(saga("S1", started_ms=START_MS + 9), key("K1", "S1"))
    assert store.keys(["K1"]) == {"K1": key("K1", "S1")}


def test_closing_twice_does_nothing_more(store: Store) -> None:
    """It is closed then."""
    store.close()
    store.close()
