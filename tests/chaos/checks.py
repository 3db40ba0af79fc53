"""What has to hold of a world at rest: nothing lost, nothing doubled, nothing stuck, money and stock exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from amends import Saga
from amends.shop.outside import Books
from amends.storage.ports import Records
from amends.storage.rows import COMPLETED, SagaRow
from tests.chaos.desk import PLACES
from tests.chaos.services import Written
from tests.chaos.wishes import LABEL, VISIT
from tests.torture.broken import demand, some
from tests.torture.carrier import Carrier
from tests.torture.checks import ALL_ROWS, World, check_rest
from tests.torture.journal import Journal


def check(records: Records, written: Written, journal: Journal, *, prints_once: bool) -> int:
    """Check everything; how many sagas there are.

    Args:
        records: the store.
        written: what is in the books of the services.
        journal: what clients were told.
        prints_once: whether no label may have been asked for twice: nobody was killed.

    Raises:
        BrokenPromise: something does not hold.
    """
    books, carrier = Books(), Carrier(None)
    books.entities, books.inbox = written.entities, written.inbox
    carrier.book_of = written.parcels
    sagas = check_rest(World(records, books, carrier, journal, {}))
    _check_labels(records, written.printed, prints_once=prints_once)
    _check_visits(records, written.visits)
    demand(written.most.is_within, f"the desk had {written.most} at once, and all engines may have {PLACES}")
    demand(not [*records.letters(range(64), 9)], "letters wait, and nobody acts on them")
    return sagas


def _check_labels(records: Records, printed: Counter[str], *, prints_once: bool) -> None:
    labels = [row.saga_id for row in _of(LABEL, records)]
    without = [saga_id for saga_id in labels if not printed[saga_id]]
    demand(not without, f"labels that were never printed: {some(without)}")
    twice = [saga_id for saga_id, number in printed.items() if number > 1]
    demand(not (prints_once and twice), f"a service without keys was asked twice: {some(twice)}")


def _check_visits(records: Records, served: dict[str, set[str]]) -> None:
    for row in _of(VISIT, records):
        words = served.get(row.saga_id, set())
        has_begun = "VISIT_BEGUN/do" in words and "VISIT_BEGUN/undo" not in words
        is_confirmed = "VISIT_CONFIRMED/do" in words
        is_right = {has_begun, is_confirmed} == {row.status == COMPLETED}
        demand(is_right, f"visit {row.saga_id} is {row.status}; the desk did {words}")


def _of(saga: Saga, records: Records) -> Iterator[SagaRow]:
    rows = (row for row in records.listing(ALL_ROWS) if isinstance(row, SagaRow))
    return (row for row in rows if row.definition.startswith(f"{saga.name}/"))
