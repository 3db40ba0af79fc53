"""What `amends.storage.ports.Records` promises, of everything that reads a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amends.adapters.sqlite.mounts import durability_of, kind_of
from amends.core.audit import GENESIS
from amends.errors import RequestRefused
from amends.storage.ports import Records, SagaFilter
from amends.storage.rows import ABANDONED, BACKWARD, COMPENSATED, COMPLETED, FORWARD, NEEDS_OPERATOR, Head, Unreadable
from tests.contract.rows import START_MS, TICKETS, TRIPS, Writer, completed, entity, key, saga
from tests.contract.subjects import READERS, Subject, opened


@pytest.fixture(params=READERS)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Return an empty store with what reads it."""
    with opened(request.param, tmp_path) as subject:
        yield subject


@pytest.fixture
def records(subject: Subject) -> Records:
    """Return what reads the store."""
    return subject.records


@pytest.fixture
def write(subject: Subject) -> Writer:
    """Return what commits to the store."""
    return Writer(subject.store)


def ids(records: Records, wanted: SagaFilter) -> list[str]:
    """Return the ids of the sagas that are wanted."""
    return [row.name if isinstance(row, Unreadable) else row.saga_id for row in records.listing(wanted)]


def test_of_an_empty_store_nothing_is_read(records: Records) -> None:
    """And its audit begins at the beginning."""
    assert (records.saga("S1"), records.entity("SHOWS", "E1"), records.oldest_waiting_ms()) == (None, None, None)
    assert [*records.listing(SagaFilter()), *records.blocks(), *records.blocks_about("S1")] == []
    assert (dict(records.counts()), list(records.set_aside())) == ({}, [])
    assert records.head() == Head(0, GENESIS, 0)


def test_where_each_chain_was_before_a_time_is_known(records: Records, write: Writer) -> None:
    """Without those that had no block then."""
    assert records.block_numbers() == records.block_numbers(START_MS + 9) == {}
    blocks = [write(saga(name)).block for name in ("S1", "S2", "S3")]
    assert records.block_numbers() == {"": 3}
    assert [records.block_numbers(block.at_ms) for block in blocks] == [{}, {"": 1}, {"": 2}]
    assert records.block_numbers(blocks[-1].at_ms + 1) == {"": 3}


def test_what_is_committed_is_read_at_once(records: Records, write: Writer) -> None:
    """By whoever reads next."""
    write(saga("S1"), entity("E1"))
    assert (records.saga("S1"), records.entity("SHOWS", "E1")) == (saga("S1"), entity("E1"))
    write(completed(saga("S1")), entity("E1", None, 2))
    assert (records.saga("S1"), records.entity("SHOWS", "E1")) == (completed(saga("S1")), entity("E1", None, 2))


def test_the_saga_that_was_started_last_is_listed_first(records: Records, write: Writer) -> None:
    """Whenever it changed."""
    write(saga("S2"), saga("S3"))
    write(saga("S1"), completed(saga("S2")))
    assert ids(records, SagaFilter()) == ["S1", "S3", "S2"]
    assert list(records.listing(SagaFilter(limit=1))) == [saga("S1")]


def test_sagas_are_listed_by_status_definition_and_time(records: Records, write: Writer) -> None:
    """All that is wanted has to hold."""
    statuses = [FORWARD, COMPLETED, BACKWARD, NEEDS_OPERATOR, COMPENSATED, ABANDONED]
    write(*(saga(f"A{i}", status=status, started_ms=START_MS + i) for i, status in enumerate(statuses)))
    write(*(saga(f"B{i}", status=s, started_ms=START_MS + 6, definition=TRIPS) for i, s in enumerate(statuses)))
    assert ids(records, SagaFilter(statuses=[COMPLETED])) == ["B1", "A1"]
    assert ids(records, SagaFilter(statuses=[NEEDS_OPERATOR, BACKWARD])) == ["B3", "B2", "A3", "A2"]
    assert ids(records, SagaFilter(statuses=[COMPLETED, ABANDONED], definition="tickets")) == ["A5", "A1"]
    assert ids(records, SagaFilter(definition="trips", limit=2)) == ["B5", "B4"]
    assert ids(records, SagaFilter(definition="trip")) == []
    assert ids(records, SagaFilter(definition="trips", started_before_ms=START_MS + 6)) == []
    assert ids(records, SagaFilter(started_before_ms=START_MS + 2)) == ["A1", "A0"]
    assert ids(records, SagaFilter(started_before_ms=START_MS + 2, statuses=[FORWARD])) == ["A0"]
    assert ids(records, SagaFilter(started_before_ms=START_MS)) == []
    assert ids(records, SagaFilter(started_before_ms=2**60, limit=1)) == ["B5"]


def test_a_page_goes_on_behind_the_one_before(records: Records, write: Writer) -> None:
    """Also when sagas are started between the two, or the one that ended the first page has changed."""
    write(*(saga(f"S{i}", started_ms=START_MS + i) for i in range(7)))
    first = ids(records, SagaFilter([FORWARD], limit=3))
    write(saga("T", started_ms=START_MS + 9), completed(saga("S4")))
    second = ids(records, SagaFilter([FORWARD], limit=3, after=first[-1]))
    assert (first, second) == (["S6", "S5", "S4"], ["S3", "S2", "S1"])
    assert ids(records, SagaFilter(started_before_ms=START_MS + 2, after="S4")) == ["S1", "S0"]
    assert ids(records, SagaFilter(started_before_ms=START_MS + 5, after="S2")) == ["S1", "S0"]
    assert ids(records, SagaFilter(after="S0")) == []


def test_no_page_goes_on_behind_a_saga_that_is_not_there(records: Records, write: Writer) -> None:
    """It is refused by name, and no page at all is given: an empty one would look like the end."""
    write(saga("S1"))
    with pytest.raises(RequestRefused, match="no saga 'S2' is there to go on after"):
        ids(records, SagaFilter(after="S2"))


def test_what_a_client_key_stands_for_is_read(records: Records, write: Writer) -> None:
    """Of those that came before the first look, and of those that came since."""
    write(key("k1", "S1"))
    assert (records.key("k1"), records.key("k2")) == (key("k1", "S1"), None)
    write(key("k2", "S2"), key("k3"))
    assert [records.key(f"k{i}") for i in range(1, 5)] == [key("k1", "S1"), key("k2", "S2"), key("k3"), None]


def test_a_listing_goes_on_beside_commits(records: Records, write: Writer) -> None:
    """A long one comes in parts: what is committed meanwhile neither breaks it nor doubles anything."""
    write(*(saga(f"S{i:04}") for i in range(500)))
    listing = records.listing(SagaFilter(limit=450))
    first = next(listing)
    write(saga("T"), completed(saga("S0400")))
    rest = [row.name if isinstance(row, Unreadable) else row.saga_id for row in listing]
    assert first == saga("S0499")
    assert rest == [f"S{i:04}" for i in range(498, 49, -1)]


def test_counts_are_what_was_added_up(records: Records, write: Writer) -> None:
    """Those of none are not there."""
    write(counts={(TICKETS, FORWARD): 3, (TRIPS, FORWARD): 1})
    write(counts={(TICKETS, FORWARD): -2, (TICKETS, COMPLETED): 2, (TRIPS, FORWARD): -1})
    assert records.counts() == {(TICKETS, FORWARD): 1, (TICKETS, COMPLETED): 2}


def test_the_oldest_that_waits_is_told(records: Records, write: Writer) -> None:
    """Of any status that is not final, whichever definition it is of."""
    statuses = [COMPENSATED, BACKWARD, NEEDS_OPERATOR, FORWARD, COMPLETED]
    rows = [
        saga(f"S{i}", status=s, started_ms=START_MS + i, definition=(TICKETS, TRIPS)[i % 2])
        for i, s in enumerate(statuses)
    ]
    write(*(row._replace(due_ms=None) if row.status in (COMPENSATED, COMPLETED) else row for row in rows))
    for i in (1, 2, 3):
        assert records.oldest_waiting_ms() == START_MS + i
        write(completed(rows[i]))
    assert records.oldest_waiting_ms() is None


def test_rows_are_set_aside_once(records: Records, write: Writer) -> None:
    """In the order in which they were found, with what was found first."""
    one, two = Unreadable("saga", "S1", "torn"), Unreadable("entity", "S1", "torn")
    write(one)
    write(two, one._replace(why="else"))
    assert list(records.set_aside()) == [one, two]


def test_the_audit_is_read_in_order(records: Records, write: Writer) -> None:
    """From wherever one asks, without its subjects."""
    blocks = [write(subjects=[f"S{i}", "S"]).block._replace(subjects=()) for i in range(10)]
    assert list(records.blocks()) == blocks
    assert list(records.blocks(7)) == blocks[7:]
    assert list(records.blocks(10)) == []
    assert list(records.blocks_about("S3")) == [blocks[3]]
    assert list(records.blocks_about("S")) == blocks
    assert records.head() == Head(10, blocks[-1].head, blocks[-1].at_ms)


def test_a_block_is_about_those_of_whom_it_holds_a_record(records: Records, write: Writer) -> None:
    """A saga whose first row came with a block is no reason: the records tell, also of names that look alike."""
    write(saga("S1"), saga('S"2'), saga("S"), subjects=['S"2', "S1 and more"])
    write(completed(saga("S1")), subjects=["S1"])
    numbers = {name: [block.number for block in records.blocks_about(name)] for name in ("S", "S1", 'S"2')}
    assert numbers == {"S": [], "S1": [2], 'S"2': [1]}


def test_the_audit_is_read_beside_commits(records: Records, write: Writer) -> None:
    """Whoever reads on sees what came meanwhile."""
    write(subjects=["S"])
    blocks = records.blocks()
    assert next(blocks).number == 1
    write(subjects=["S"])
    assert [block.number for block in blocks] == [2]


def test_it_is_told_what_a_commit_survives(records: Records, tmp_path: Path) -> None:
    """In a few words; a store in a file says it of its file system."""
    assert records.durability() in {durability_of(kind_of(tmp_path)), "none: in memory"}


def test_a_warning_is_read_until_it_is_over(subject: Subject) -> None:
    """By whoever looks at the store, while the engine runs; it is no part of the audit."""
    assert subject.records.warning() == ""
    subject.store.warn("calls that do not end")
    assert subject.records.warning() == "calls that do not end"
    subject.store.warn("")
    assert subject.records.warning() == ""
    assert subject.records.head() == Head(0, GENESIS, 0)
