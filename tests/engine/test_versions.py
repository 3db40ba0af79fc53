"""A deploy that changes types: what is stored is read right, or the engine does not open (docs/versions.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import pytest

import amends
from amends import GONE, Command, DefinitionError, Done, Kind, Later, Saga, StoreUnusable, UnusableInput, external
from amends.adapters.sqlite.migrations import SCHEMAS
from amends.adapters.sqlite.store import SqliteStore
from amends.core.messages import Answered
from amends.engine import upcasting
from amends.engine.batch import BatchResult
from amends.engine.tasks import Deliver, ExecuteCommand, Read
from amends.errors import StoreFull
from amends.storage.ports import Store
from amends.storage.rows import COMPLETED, ENTITY, REQUEST, Changes
from tests.engine.test_shapes import KINDS, MISSING, Fields, array_struct, data_class, named_tuple, struct, typed_dict
from tests.engine.world import START_MS, Life, records

PREFIXES = (f"p{number}" for number in count())
BOOK: Fields = [("item", str, MISSING), ("count", int, MISSING), ("price", int, MISSING)]
NOTE = ("note", str, "")
MORE: Fields = [*BOOK, NOTE]
RENAMED: Fields = [BOOK[0], ("count", int, MISSING), ("cost", int, 0)]
SWAPPED: Fields = [BOOK[0], BOOK[2], BOOK[1]]

seen: list[Any] = []
"""What the steps were told."""


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.clear()


def ask(_: Any, order: Any, call: Any) -> Later:
    """Somebody else brings the answer."""
    return Later(within_s=3600)


def shop(order: Any, upcast: Callable[[Any], Any] | None = None, version: int = 1) -> Saga:
    """Return a saga of two external steps, as code that knows this request has it."""

    def see(_: Any, order: Any, call: Any) -> Done:
        return Done()

    steps = [
        external("PAID", ask, undo=see, undone="REFUNDED", limit_s=7200),
        external("SHIPPED", see, pivot=True),
    ]
    return Saga("shop", order, steps, upcast=upcast, version=version)


def deployed(store: Store, *sagas: Saga, **more: Any) -> Life:
    """Return the next process on a store."""
    at_ms = max(START_MS, store.head().at_ms) + 1_000
    return Life(store, *sagas, prefix=next(PREFIXES), now_ms=at_ms, **more)


def told(turn: BatchResult) -> list[Any]:
    """Return the requests that participants are asked with."""
    return [send.request.body for _, send in turn.sends]


def begun(store: Store, order: Any, *values: Any) -> str:
    """Start a saga, which waits for its first answer."""
    (run,) = deployed(store, shop(order)).begin(order(*values)).replies[0]
    return str(run.saga_id)


def paid(life: Life, saga_id: str) -> list[Any]:
    """Answer a saga's first step; return what the second one is asked with."""
    life.turn()
    return told(life.turn(Deliver(saga_id, answered())))


def answered() -> Any:
    """Return the answer to the first step."""
    return Answered("PAID", Kind.DO, Done())


def state(store: Store) -> Any:
    """Return what a store holds, but for the rows themselves."""
    return store.head(), list(store.shapes()), dict(store.counts())


# Requests -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", KINDS)
def test_a_waiting_saga_goes_on_after_a_field_with_a_default_was_added(store: Store, make: Any) -> None:
    """Its request is read with the default; new ones have what they say."""
    old, new = make("Order", BOOK), make("Order", MORE)
    saga_id = str(deployed(store, shop(old)).begin(old(item="a", count=2, price=30)).replies[0][0].saga_id)
    life = deployed(store, shop(new))
    (order,) = paid(life, saga_id)
    with_default = {} if make is typed_dict else {"note": ""}
    assert order == new(item="a", count=2, price=30, **with_default)
    (run,) = life.begin(new(item="b", count=1, price=1, note="x")).replies[0]
    assert paid(deployed(store, shop(new)), run.saga_id) == [new(item="b", count=1, price=1, note="x")]


WRONG: dict[str, tuple[Any, Any, str]] = {
    "renamed": (named_tuple, RENAMED, "the request.price was stored, and Order has no such field now"),
    "renamed, by name": (data_class, RENAMED, "the request.price was stored, and Order has no such field now"),
    "swapped": (named_tuple, SWAPPED, "which was item, count, price, and is item, price, count now"),
    "swapped in a struct": (array_struct, SWAPPED, "which was item, count, price, and is item, price, count now"),
    "dropped": (struct, BOOK[:2], "the request.price was stored, and Order has no such field now"),
    "required": (named_tuple, [*BOOK, ("note", str, MISSING)], "note is new in Order, and nothing stored has it"),
    "another type": (
        named_tuple,
        [BOOK[0], ("count", str, MISSING), BOOK[2]],
        "count was stored as int, and is str now",
    ),
}


@pytest.mark.parametrize(("make", "fields", "fault"), WRONG.values(), ids=WRONG)
def test_a_change_that_would_be_read_wrong_is_refused(store: Store, make: Any, fields: Fields, fault: str) -> None:
    """At the start, with the saga, the field and the remedy; nothing changed, and the code before it goes on."""
    old, new = make("Order", BOOK), make("Order", fields)
    saga_id = str(deployed(store, shop(old)).begin(old(item="a", count=2, price=30)).replies[0][0].saga_id)
    before = state(store)
    for _ in range(2):
        with pytest.raises(DefinitionError, match=fault) as refused:
            deployed(store, shop(new))
    assert f"saga 'shop', version 1: {saga_id}, which is under way: " in str(refused.value)
    assert "a version of its own" in str(refused.value)
    assert "Saga(..., upcast=function)" in str(refused.value)
    assert state(store) == before
    assert paid(deployed(store, shop(old)), saga_id) == [old(item="a", count=2, price=30)]


@pytest.mark.parametrize(("make", "fields", "fault"), WRONG.values(), ids=WRONG)
def test_an_empty_history_restricts_nobody(store: Store, make: Any, fields: Fields, fault: str) -> None:
    """Sagas that are over are told of as ever, and a late answer to one is recorded."""
    old, new = make("Order", BOOK), make("Order", fields)
    deployed(store, shop(old))
    deployed(store, shop(new))
    assert list(store.shapes()) == []
    life = deployed(store, shop(old))
    saga_id = str(life.begin(old(item="a", count=2, price=30)).replies[0][0].saga_id)
    (shipping,) = life.turn(Deliver(saga_id, answered())).sends
    life.answer(shipping, Done())
    assert store.sagas([saga_id])[saga_id].status == COMPLETED  # type: ignore[union-attr]  # it is no damaged row
    life = deployed(store, shop(new))
    (live,) = life.turn(Read(lambda work: work.saga(saga_id))).replies
    assert (live.run.saga_id, len(live.run.trail)) == (saga_id, 2)
    assert [type(reply).__name__ for reply in life.turn(Deliver(saga_id, answered())).replies] == ["SagaInstance"]
    assert list(store.set_aside()) == []


def test_a_compatible_deploy_can_be_taken_back_until_something_is_stored_under_it(store: Store) -> None:
    """After that a field would be dropped."""
    old, new = named_tuple("Order", BOOK), named_tuple("Order", MORE)
    saga_id = begun(store, old, "a", 2, 30)
    before = state(store)
    life = deployed(store, shop(new))
    assert state(store) == before
    life.turn(Deliver(saga_id, Answered("PAID", Kind.DO, Later(60))))
    assert (store.head() == before[0], list(store.shapes())) == (False, before[1])
    deployed(store, shop(old))
    later = begun(store, new, "b", 1, 1, "x")
    with pytest.raises(DefinitionError, match=rf"{later}, which is under way: the request.note was stored"):
        deployed(store, shop(old))
    life = deployed(store, shop(new))
    paid(life, later)
    assert paid(life, saga_id) == [new("a", 2, 30)]


def test_a_default_that_was_read_stays_what_it_was(store: Store) -> None:
    """A saga that was told ``""`` is not told ``"x"`` later."""
    old, new = named_tuple("Order", BOOK), named_tuple("Order", MORE)
    saga_id = begun(store, old, "a", 2, 30)
    begun(store, new, "b", 1, 1)
    other = named_tuple("Order", [*BOOK, ("note", str, "x")])
    with pytest.raises(DefinitionError, match=f'{saga_id}.*note is left out .* which was "", and is "x" now'):
        deployed(store, shop(other))
    assert paid(deployed(store, shop(new)), saga_id) == [new("a", 2, 30)]


def test_a_new_version_runs_beside_the_old_one(store: Store) -> None:
    """The remedy that needs no function."""
    old, new = named_tuple("Order", BOOK), named_tuple("Order", SWAPPED)
    saga_id = begun(store, old, "a", 2, 30)
    one, two = shop(old), shop(new, version=2)
    life = deployed(store, two, one)
    (run,) = life.begin(new("b", 40, 1)).replies[0]
    life = deployed(store, two, one)
    assert paid(life, saga_id) == [old("a", 2, 30)]
    assert paid(life, run.saga_id) == [new("b", 40, 1)]


def test_an_upcaster_makes_todays_request_of_the_stored_one(store: Store) -> None:
    """It is asked for what was stored before, whenever that is read; what is stored after it is read as it is."""
    old, new = named_tuple("Order", BOOK), named_tuple("Order", SWAPPED)
    saga_id = begun(store, old, "a", 2, 30)

    def upcast(stored: dict[str, Any]) -> Any:
        assert stored == {"item": "a", "count": 2, "price": 30}
        return new(stored["item"], stored["price"], stored["count"])

    (run,) = deployed(store, shop(new, upcast)).begin(new("b", 40, 1)).replies[0]
    life = deployed(store, shop(new, upcast))
    assert paid(life, run.saga_id) == [new("b", 40, 1)]
    assert paid(life, saga_id) == [new("a", 30, 2)]
    row = store.sagas([saga_id])[saga_id]
    assert row.request == '["a",2,30]'  # type: ignore[union-attr]  # it is no damaged row
    with pytest.raises(DefinitionError, match=saga_id):
        deployed(store, shop(new))


Old: Any = named_tuple("Order", BOOK)
New: Any = named_tuple("Order", SWAPPED)
Other: Any = named_tuple("Other", SWAPPED)


def swap(stored: Mapping[str, Any]) -> Any:
    """Make today's entity of a stored one."""
    return New(stored["item"], stored["price"], stored["count"])


answers = count()
BAD_UPCASTERS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "raises": (lambda stored: stored["cost"], r"raised KeyError: 'cost'; it was given \{'item': 'a'"),
    "none": (lambda stored: None, "gave what is not of today's type: None cannot be read back as Order"),
    "a list": (lambda stored: ["a", 1, 2], r"gave what is not of today's type: \['a', 1, 2\] would come back as Order"),
    "another type": (lambda stored: New("a", "1", 2), "gave what is not of today's type: "),
    "another class": (lambda stored: Other("a", 1, 2), "would come back as Order"),
    "what cannot be stored": (lambda stored: New("a", object(), 2), "gave what is not of today's type"),
    "another one each time": (lambda stored: New("a", next(answers), 2), "and then Order"),
}


@pytest.mark.parametrize(("upcast", "fault"), BAD_UPCASTERS.values(), ids=BAD_UPCASTERS)
def test_a_bad_upcaster_is_refused(store: Store, upcast: Any, fault: str) -> None:
    """Before anything is done: of a request, and of an entity."""
    old = named_tuple("Order", BOOK)
    begun(store, old, "a", 2, 30)
    before = state(store)
    with pytest.raises(DefinitionError, match=fault):
        deployed(store, shop(New, upcast))
    assert state(store) == before


@pytest.mark.parametrize(("upcast", "fault"), BAD_UPCASTERS.values(), ids=BAD_UPCASTERS)
def test_a_bad_upcaster_of_an_entity_is_refused(
    store: Store, monkeypatch: pytest.MonkeyPatch, upcast: Any, fault: str
) -> None:
    """Also where it is bad for the last entity alone, pages after the first."""
    monkeypatch.setattr(upcasting, "PAGE", 2)
    old = named_tuple("Order", BOOK)
    stocked(store, old, *[(f"E{number}", old(f"{number}", 2, 30)) for number in range(5)], ("Z", old("a", 2, 30)))
    before = state(store)
    with pytest.raises(DefinitionError, match=f"the upcaster of SHELF: Z .*{fault}"):
        life_of(store, New, lambda stored: upcast(stored) if stored["item"] == "a" else swap(stored))
    assert state(store) == before
    life_of(store, old)


def test_what_is_stored_as_is_written_once(store: Store) -> None:
    """With the first saga, and never at a start."""
    order = named_tuple("Order", BOOK)
    life = deployed(store, shop(order))
    assert list(store.shapes()) == []
    life.begin(order("a", 1, 1))
    (row,) = store.shapes()
    definition = life.coordinator.definitions.codec_of(life.saga).definition
    assert (row.kind, row.name, row.since_ms) == (REQUEST, definition, life.now_ms)
    life.begin(order("a", 1, 1))
    begun(store, order, "b", 1, 1)
    assert list(store.shapes()) == [row]


def test_a_commit_that_failed_wrote_no_shape(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written with the one that did not."""
    order = named_tuple("Order", BOOK)
    life = deployed(store, shop(order))
    fails_at(store, monkeypatch, 1)
    with pytest.raises(Killed):
        life.begin(order("a", 1, 1))
    assert list(store.shapes()) == []
    monkeypatch.undo()
    life.begin(order("a", 1, 1))
    assert len(store.shapes()) == 1


# Entities -----------------------------------------------------------------------------------------------------


def life_of(store: Store, kind: Any, upcast: Any = None, *commands: Command) -> Life:
    """Return a process whose service SHELF has entities of a type."""
    upcasts = {} if upcast is None else {"SHELF": upcast}
    return deployed(store, shop(named_tuple("Order", BOOK)), upcasts=upcasts, commands=[put_of(kind), *commands])


def put_of(kind: Any, service: str = "SHELF") -> Command:
    """Return a command that puts an entity of a type in its place."""

    def put(_: Any, entity: Any) -> Any:
        return entity

    put.__annotations__ = {"_": kind}
    return Command("PUT", service, put)


def stocked(store: Store, kind: Any, *entities: tuple[str, Any]) -> Life:
    """Put entities of a type into a store."""
    life = life_of(store, kind)
    life.turn(*(ExecuteCommand(put_of(kind), name, entity) for name, entity in entities))
    return life


def entities(life: Life, *names: str) -> list[Any]:
    """Return entities as functions see them."""
    return list(life.turn(*(Read(partial(_entity, name=name)) for name in names)).replies)


def _entity(work: Any, name: str) -> Any:
    return work.entities["SHELF"].get(name)


@pytest.mark.parametrize("make", [named_tuple, data_class, array_struct, struct])
def test_an_entity_is_read_after_a_field_with_a_default_was_added(store: Store, make: Any) -> None:
    """The default is what it was, for as long as an entity may be without it."""
    old, new = make("Stock", BOOK), make("Stock", MORE)
    stocked(store, old, ("E1", old(item="a", count=2, price=30)))
    life = life_of(store, new)
    assert entities(life, "E1") == [new(item="a", count=2, price=30)]
    life_of(store, old)
    stocked(store, new, ("E2", new(item="b", count=1, price=1, note="x")))
    assert entities(life_of(store, new), "E1", "E2") == [
        new(item="a", count=2, price=30),
        new(item="b", count=1, price=1, note="x"),
    ]
    with pytest.raises(DefinitionError, match=r"the entities of SHELF: SHELF\.note was stored, and Stock has no such"):
        life_of(store, old)
    with pytest.raises(DefinitionError, match='which was "", and is "x" now'):
        life_of(store, make("Stock", [*BOOK, ("note", str, "x")]))


@pytest.mark.parametrize(("make", "fields", "fault"), WRONG.values(), ids=WRONG)
def test_entities_that_would_be_read_wrong_are_refused(store: Store, make: Any, fields: Fields, fault: str) -> None:
    """Where any exists."""
    old, new = make("Order", BOOK), make("Order", fields)
    life_of(store, old)
    life_of(store, new)
    stocked(store, old, ("E1", old(item="a", count=2, price=30)))
    before = state(store)
    with pytest.raises(DefinitionError, match=fault.replace("the request", "SHELF")) as refused:
        life_of(store, new)
    assert "open(upcasts={'SHELF': function})" in str(refused.value)
    assert state(store) == before
    assert entities(life_of(store, old), "E1") == [old(item="a", count=2, price=30)]
    gone = Command("GONE", "SHELF", lambda _, body: GONE)
    assert life_of(store, old, None, gone).turn(ExecuteCommand(gone, "E1", None)).replies == [None]
    life_of(store, new)


NAMES = [f"E{number:02}" for number in range(13)]


def stock() -> list[tuple[str, Any]]:
    """Return entities for three pages of five."""
    return [(name, Old(name, 2, 30)) for name in NAMES]


def test_entities_are_upcast_at_the_start(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, page by page, each with a record; and once."""
    monkeypatch.setattr(upcasting, "PAGE", 5)
    stocked(store, Old, *stock())
    before = store.head().number
    life = life_of(store, New, swap)
    assert store.head().number == before + 3
    assert entities(life, *NAMES) == [New(name, 30, 2) for name in NAMES]
    assert records(store)[-1] == 'SHELF/E12 0 upcast: SHELF/E12 ["E12",30,2]'
    assert [block.number for block in store.blocks_about("SHELF/E12")] == [1, before + 3]
    assert entities(life_of(store, New, lambda stored: None), *NAMES) == [New(name, 30, 2) for name in NAMES]
    assert entities(life_of(store, New), "E00") == [New("E00", 30, 2)]
    assert store.head().number == before + 3
    with pytest.raises(DefinitionError, match="which was item, price, count, and is item, count, price now"):
        life_of(store, Old)


class Killed(StoreFull):
    """No commit comes through any more."""


def fails_at(store: Store, patch: pytest.MonkeyPatch, number: int) -> None:
    """Let a store's commit of a number, from 1, be the process's last."""
    left, commit = count(1), store.commit

    def counted(changes: Changes) -> None:
        if next(left) == number:
            raise Killed
        commit(changes)

    patch.setattr(store, "commit", counted)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_killed_between_two_pages_the_next_start_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """No entity is upcast twice, and no other code sees half of them in one shape and half in another."""
    monkeypatch.setattr(upcasting, "PAGE", 5)
    stocked(store, Old, *stock())
    before = store.head().number
    with monkeypatch.context() as patch:
        fails_at(store, patch, number)
        with pytest.raises(Killed):
            life_of(store, New, swap)
    assert store.head().number == before + number - 1
    for other in (Old, named_tuple("Order", [*SWAPPED, NOTE])) if number > 1 else ():
        with pytest.raises(DefinitionError, match="an earlier start began to upcast them to another type"):
            life_of(store, other, swap)
    with pytest.raises(DefinitionError, match="SHELF"):
        life_of(store, New)
    life = life_of(store, New, swap)
    assert store.head().number == before + 3
    assert entities(life, *NAMES) == [New(name, 30, 2) for name in NAMES]
    assert {row.version for row in store.entities("SHELF") if not hasattr(row, "why")} == {2}


def test_a_command_that_comes_later_is_looked_at_then(store: Store) -> None:
    """It may say what the entities are that nobody declared; not that they are something else."""
    life = deployed(store, shop(Old))
    put = put_of(Old)
    assert life.turn(ExecuteCommand(put, "E1", Old("a", 2, 30))).replies == [None]
    assert [row.kind for row in store.shapes()] == [ENTITY]
    life = deployed(store, shop(Old))
    (refused,) = life.turn(ExecuteCommand(put_of(New), "E1", New("a", 2, 30))).replies
    assert isinstance(refused, DefinitionError)
    assert life.turn(ExecuteCommand(put, "E2", Old("b", 2, 30))).replies == [None]
    assert entities(life, "E1", "E2") == [Old("a", 2, 30), Old("b", 2, 30)]
    more = named_tuple("Order", MORE)
    life = deployed(store, shop(Old))
    assert life.turn(ExecuteCommand(put_of(more), "E3", more("c", 1, 1, "x"))).replies == [None]
    assert entities(life_of(store, more), "E1", "E3") == [more("a", 2, 30), more("c", 1, 1, "x")]


def test_what_was_written_before_a_type_was_learned_is_read_as_that(store: Store) -> None:
    """In the same commit, and after it."""
    plain = Command("LOADED", "SHELF", lambda _, body: body)
    life = deployed(store, shop(Old))
    life.turn(
        ExecuteCommand(plain, "E0", ["z", 1, 1]),
        ExecuteCommand(plain, "E1", ["a", 2, 30]),
        ExecuteCommand(put_of(Old), "E2", Old("b", 1, 1)),
    )
    assert entities(life, "E0", "E1", "E2") == [Old("z", 1, 1), Old("a", 2, 30), Old("b", 1, 1)]
    assert entities(life_of(store, Old), "E1", "E2") == [Old("a", 2, 30), Old("b", 1, 1)]


def test_an_upcaster_needs_to_know_todays_type(store: Store) -> None:
    """Else nothing that it gives could be checked."""
    plain = Command("PUT", "SHELF", lambda _, body: body)
    with pytest.raises(DefinitionError, match="nobody says what its entities are"):
        deployed(store, shop(Old), commands=[plain], upcasts={"SHELF": swap})


def test_of_an_upcaster_that_came_without_its_command_is_told_what_to_do(store: Store) -> None:
    """Entities are upcast at a start, and not while the engine runs."""
    stocked(store, Old, ("E1", Old("a", 2, 30)))
    loaf = Command("PUT", "SHELF", lambda _, body: body)
    life = deployed(store, shop(Old), commands=[loaf])
    (refused,) = life.turn(ExecuteCommand(put_of(New), "E1", New("a", 2, 30))).replies
    assert "take the change back" in str(refused)


@pytest.mark.parametrize(
    ("upcasts", "fault"),
    [
        ({"SHELVES": swap}, "upcasts: 'SHELVES' is no service whose entities are kept; those are: SHELF"),
        ({"PAID": swap}, "upcasts: 'PAID' is no service whose entities are kept"),
        ({"SHELF": 7}, r"upcasts\['SHELF'\] is 7; give a function"),
    ],
)
def test_upcasters_are_for_services_that_keep_entities(upcasts: Any, fault: str) -> None:
    """A slip of the pen would upcast nothing, without a word."""
    with pytest.raises(UnusableInput, match=fault):
        amends.open("memory:", sagas=[shop(Old)], commands=[put_of(New)], upcasts=upcasts)


def test_an_engine_upcasts_when_it_opens(tmp_path: Path) -> None:
    """And one that was refused has given the store back."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with amends.open(url, sagas=[shop(Old)], commands=[put_of(Old)]) as engine:
        engine.carry_out(put_of(Old), "E1", Old("a", 2, 30))
    with pytest.raises(DefinitionError, match="the entities of SHELF"):
        amends.open(url, sagas=[shop(Old)], commands=[put_of(New)]).__enter__()
    with amends.open(url, sagas=[shop(Old)], commands=[put_of(New)], upcasts={"SHELF": swap}) as engine:
        assert engine.entity("SHELF", "E1") == New("a", 30, 2)


# Stores of before -----------------------------------------------------------------------------------------------


def as_before(file: Path) -> None:
    """Take back what version 4 of the schema brought, and what came after."""
    view = next(text for text in SCHEMAS[1].split("\n\n") if "CREATE VIEW audit" in text)
    with closing(apsw.Connection(str(file))) as database:
        database.execute(f"DROP VIEW audit; ALTER TABLE blocks DROP COLUMN beside; {view}")
        database.execute("DROP TABLE shapes; DROP TABLE letters; PRAGMA user_version = 3")


def test_what_an_earlier_version_stored_is_taken_to_be_of_todays_types(tmp_path: Path) -> None:
    """At the first start, which says so in the audit; from then on it is known."""
    file = tmp_path / "store.db"
    with closing(SqliteStore(file)) as store:
        stocked(store, Old, ("E1", Old("a", 2, 30)))
        saga_id = begun(store, Old, "a", 2, 30)
    as_before(file)
    with closing(SqliteStore(file)) as store:
        more = named_tuple("Order", [*BOOK, ("note", str, MISSING)])
        with pytest.raises(DefinitionError, match=f"{saga_id}, which is under way: Expected `array` of length 4"):
            deployed(store, shop(more))
        assert list(store.shapes()) == []
        before = store.head().number
        life_of(store, Old)
        assert store.head().number == before + 1
        assert [(row.kind, row.since_ms) for row in store.shapes()] == [(ENTITY, 0), (REQUEST, 0)]
        assert "taken to be stored as its type is now" in records(store)[-1]
        life = life_of(store, Old)
        assert store.head().number == before + 1
        assert entities(life, "E1") == [Old("a", 2, 30)]
        with pytest.raises(DefinitionError, match=saga_id):
            deployed(store, shop(New))
        with pytest.raises(DefinitionError, match="the entities of SHELF"):
            life_of(store, New)


def test_a_shape_that_is_damaged_opens_nothing(tmp_path: Path) -> None:
    """As the last block of the audit does: what is stored could be read as anything."""
    file = tmp_path / "store.db"
    with closing(SqliteStore(file)) as store:
        begun(store, Old, "a", 2, 30)
    with closing(apsw.Connection(str(file))) as database:
        database.execute("UPDATE shapes SET shape = replace(shape, 'price', 'prize')")
    with pytest.raises(StoreUnusable, match=r"the shape of request of shop/1/.* is not what was written"):
        SqliteStore(file)
