"""The explorer itself: what it reaches, what it counts, what it says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from amends.checking import symmetry as symmetry_of_worlds
from amends.checking.adapters import adapter
from amends.checking.explore import Exploration, WorldSearch, explore
from amends.checking.layout import WorldLayout
from amends.checking.models import (
    Model,
    SystemReply,
    answers_later,
    declines,
    forgets_keys,
    honours_keys,
    loses_replies,
    without_keys,
)
from amends.checking.read_back import READ_BACK
from amends.checking.rest import Rest
from amends.checking.successors import Successors
from amends.checking.symmetry import Symmetry
from amends.checking.world import Broken, Next, World
from amends.core.definition import Saga, Step, external, local
from amends.core.messages import GONE, Call, Changed, Done, Kind, Later, Refused, Request, Unknown
from amends.engine.round_trip import RoundTrip
from amends.scenario import Given, Scenario
from amends.shop.scenarios import ONE_ORDER, TWO_ORDERS_ONE_CREDIT, TWO_ORDERS_ONE_STOCK
from examples.trip import ada
from tests.checking.planted import participant_bugs
from tests.checking.planted.participant_bugs import BUGS, TWO, Buy, Shelf, card, give_back, shelf, ship, small, take
from tests.checking.planted.sagas import SCENARIOS, charge, late, outside, seats, ticket, together


def everything(scenario: Scenario, faults: int) -> Iterator[Next]:
    """Yield every move of every world within a bound, without the explorer's own search."""
    moves = Successors(WorldLayout(scenario))
    todo = [moves.layout.first(faults)]
    met = set(todo)
    while todo:
        for following in moves.after(todo.pop()):
            yield following
            if following.world not in met:
                met.add(following.world)
                todo.append(following.world)


def rule_of(found: Exploration) -> str:
    """Return the rule that broke."""
    assert found.counterexample is not None, "it held"
    return found.counterexample.broken.rule


# The search ---------------------------------------------------------------------------------------------------


def shallowest(scenario: Scenario, faults: int) -> int:
    """Return the least number of moves to a broken rule: ever deeper, keeping nothing in mind."""
    moves = Successors(WorldLayout(scenario, RoundTrip))
    rest = Rest(moves.layout)

    def breaks(world: World, depth: int) -> bool:
        if rest.broken(world):
            return True
        return depth > 0 and any(broken or breaks(after, depth - 1) for _, after, broken in moves.after(world))

    return next(depth for depth in range(20) if breaks(moves.layout.first(faults), depth))


OF_MORE_THAN_ONE_WORLD = ("every saga ends", "a function does not always raise")
SMALL = [
    bug
    for bug in BUGS
    if bug.faults <= 1
    and len(bug.written.requests) == 1
    and bug.written.saga.pivot <= 1
    and bug.rule not in (*OF_MORE_THAN_ONE_WORLD, READ_BACK)
]


@pytest.mark.parametrize("bug", SMALL, ids=lambda bug: bug.name)
def test_the_first_counterexample_is_a_shortest_one(bug: participant_bugs.Bug) -> None:
    """A search that only goes deeper and deeper, and keeps nothing in mind, finds none that is shorter."""
    found = explore(bug.written, faults=bug.faults, read_back=RoundTrip).counterexample
    assert found is not None
    assert len(found.trace) == shallowest(bug.written, bug.faults)


def test_no_fault_is_in_a_counterexample_that_it_can_do_without() -> None:
    """A refusal behind the pivot takes five moves; a refused undo takes four, one of them a fault."""

    def refuses(kept: Shelf, buy: Buy) -> Refused:
        return Refused("closed")

    scenario = small(shelf(take, refuses), ship(), local("SHELF_COUNTED", refuses, entity=lambda _: "shelf"))
    for faults in (0, 2):
        found = explore(scenario, faults=faults)
        assert rule_of(found) == "a step behind the pivot is refused"
        assert found.counterexample is not None
        assert [seen.move.cost for seen in found.counterexample.trace] == [0] * 5


def test_what_never_ends_by_itself_is_found_before_any_fault_is_tried() -> None:
    """Two faults would take hundreds of worlds; a card company that never answers shows without one."""

    def fails(client: Any, buy: Buy, call: Call) -> None:
        raise TimeoutError("nobody there")

    found = explore(small(card(fails, fails), ship(), CARD=adapter(participant_bugs.Bank)), faults=2)
    assert rule_of(found) == "every saga ends"
    assert found.counterexample is not None
    assert not any(seen.move.cost for seen in found.counterexample.trace)
    assert found.progress.states < 50


def test_every_world_is_met() -> None:
    """As many as a depth-first walk meets, whatever is left of the faults there."""
    found = WorldSearch(Successors(WorldLayout(ONE_ORDER)), 2).run()
    met = {following.world for following in everything(ONE_ORDER, 2)} | {WorldLayout(ONE_ORDER).first(2)}
    assert len({world._replace(faults=0) for world in met}) == found.progress.states
    assert found.progress.frontier == 0


def test_faults_are_counted() -> None:
    """A move takes from the world as many faults as it costs, and none takes more than there are."""
    for scenario in (late(), together()):
        moves = Successors(WorldLayout(scenario))
        todo, met = [moves.layout.first(2)], set()
        while todo:
            world = todo.pop()
            for move, after, _ in moves.after(world):
                assert after.faults == world.faults - move.cost >= 0, move
                if after not in met:
                    met.add(after)
                    todo.append(after)


def test_a_trace_has_the_faults_that_were_allowed() -> None:
    """The places of a counterexample lead along its moves, from the first world to the broken one."""
    found = explore(SCENARIOS["tickets"](), faults=2, max_states=200)
    assert found.counterexample is None
    for bug in BUGS:
        counterexample = explore(bug.written, faults=bug.faults, read_back=RoundTrip).counterexample
        assert counterexample is not None
        assert sum(seen.move.cost for seen in counterexample.trace) <= bug.faults
        worlds = [(seen.before, seen.after) for seen in counterexample.trace]
        assert all(after == before for (_, after), (before, _) in pairwise(worlds))
        assert len(counterexample.places) == len(counterexample.trace)


MOVES = {
    "acts", "acts outside", "hears", "times out", "gives up", "cancel", "deadline", "crash", "lost request",
    "lost answer", "fails", "refuses",
}  # fmt: skip


def test_every_kind_of_move_is_made() -> None:
    """Each kind occurs, and none that is not listed; doubles and crashes between two sends occur beside others."""
    made = [following.move for following in everything(late(), 2)]
    made += [following.move for following in everything(together(), 1)]
    assert {move.what for move in made} == MOVES
    asides = {move.aside.split(" before")[0] for move in made}
    assert asides == {"", "a double of it is on its way", "crashed"}
    assert any("no time is left" in move.note for move in made)


@pytest.mark.parametrize("limit", [{"max_states": 1}, {"max_states": 500}, {"timeout_s": 0.0}], ids=str)
def test_a_search_that_was_cut_never_held(limit: dict[str, Any]) -> None:
    """It says which limit cut it, and is not exhausted."""
    found = explore(TWO_ORDERS_ONE_STOCK, faults=1, **limit)
    assert not found.held
    assert not found.exhausted
    assert found.counterexample is None
    assert found.cut_by.startswith("--")
    assert found.progress.frontier > 0


def test_it_reports_on_its_way() -> None:
    """Now and then, with numbers that only grow."""
    seen: list[Any] = []
    found = explore(TWO_ORDERS_ONE_STOCK, faults=1, report=seen.append)
    assert found.held
    assert len(seen) > 1
    assert all(one.states <= two.states and one.transitions <= two.transitions for one, two in pairwise(seen))


# Equal sagas --------------------------------------------------------------------------------------------------


def without_names(monkeypatch: pytest.MonkeyPatch, *, symmetry: bool) -> None:
    """Switch the renaming of equal sagas off."""
    if not symmetry:
        monkeypatch.setattr(symmetry_of_worlds, "_all_swaps", lambda _: [])


SAME = (Buy("Ann", 1), Buy("Ann", 1))


@pytest.mark.parametrize(
    ("scenario", "holds"),
    [
        (small(shelf(take, give_back), buys=SAME), True),
        (small(shelf(take, participant_bugs.as_it_was), buys=SAME), False),
        (small(shelf(take, participant_bugs.give_back_twice), buys=SAME), False),
    ],
)
def test_equal_sagas_are_explored_once(scenario: Scenario, holds: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are fewer worlds, and the answer is the same."""
    less = explore(scenario, faults=1)
    without_names(monkeypatch, symmetry=False)
    more = explore(scenario, faults=1)
    assert less.held == more.held == holds
    if holds:
        assert less.progress.states < 0.6 * more.progress.states
    else:
        assert rule_of(less) == rule_of(more)
        assert less.counterexample
        assert more.counterexample
        assert len(less.counterexample.trace) == len(more.counterexample.trace)


def test_sagas_that_are_known_by_name_are_not_equal() -> None:
    """Where a function sees a key, or a request differs, no saga stands for another."""

    def take_by_key(kept: Shelf, buy: Buy, call: Call) -> Shelf | Refused:
        return take(kept, buy)

    by_key, by_request = small(shelf(take_by_key, give_back), buys=SAME), small(shelf(take, give_back), buys=TWO)
    assert not Symmetry(WorldLayout(by_key)).swaps
    assert not Symmetry(WorldLayout(by_request)).swaps
    assert Symmetry(WorldLayout(small(shelf(take, give_back), buys=SAME))).swaps


# The rules ----------------------------------------------------------------------------------------------------


def test_a_saga_that_never_ends_is_found() -> None:
    """Behind the pivot a participant that always fails is asked for ever: nothing goes wrong, and nothing ends."""

    def fails(client: Any, buy: Buy, call: Call) -> Done:
        raise ConnectionError

    found = explore(small(ship(), external("MAIL_SENT", fails), MAIL=adapter(participant_bugs.Bank)), faults=0)
    assert rule_of(found) == "every saga ends"


def test_before_the_pivot_who_always_fails_is_given_up() -> None:
    """The time for further attempts ends, so the saga turns back."""

    def fails(client: Any, buy: Buy, call: Call) -> Done:
        if buy.who == "Ann":
            raise ConnectionError
        return Done()

    def always_fails(client: Any, buy: Buy, call: Call) -> Done:
        raise ConnectionError

    bank = adapter(participant_bugs.Bank)
    assert explore(small(card(fails, outside), ship(), buys=TWO, CARD=bank), faults=0).held
    assert rule_of(explore(small(card(always_fails, always_fails), ship(), CARD=bank), faults=0)) == "every saga ends"


def test_a_decider_that_changes_its_request_is_found() -> None:
    """Or the answers that it reads; and what it spoils is a copy."""

    def greedy(kept: Shelf, wanted: list[int]) -> Shelf:
        wanted.append(1)
        return kept

    def told(kept: Shelf, _: list[int]) -> Changed:
        return Changed(kept, [1])

    def sly(kept: Shelf, _: list[int], call: Call) -> Shelf:
        call.answers["SHELF_SEEN"].append(2)
        return kept

    def of(*steps: Step) -> Scenario:
        return Scenario(Saga("greed", list, steps), {"SHELF": {"shelf": Shelf()}}, [[2]])

    seen = local("SHELF_SEEN", told, undo=lambda kept, _: kept, undone="SHELF_UNSEEN", entity=lambda _: "shelf")
    for scenario, text in (
        (of(shelf(greedy, give_back)), "[2] became [2, 1]"),
        (of(seen, shelf(sly, give_back)), "[1, 2]"),
    ):
        found = explore(scenario, faults=0).counterexample
        assert found
        assert found.broken.rule == "a decider is pure"
        assert text in found.broken.text
        assert scenario.requests == [[2]]


def sold_out(given: Given) -> str:
    """What must not be: all is taken."""
    return "" if given["SHELF"]["shelf"].stock else "nothing is left"


def much_is_taken(given: Given) -> bool:
    """What must not be, as a question."""
    return bool(given["SHELF"]["shelf"].stock < 2)


@pytest.mark.parametrize(("rule", "text"), [(sold_out, "nothing is left"), (much_is_taken, "much_is_taken is true")])
def test_what_must_never_be_is_looked_for_at_every_moment(rule: Callable[[Given], object], text: str) -> None:
    """Also in the middle, where a saga would put it right later."""
    plain = small(shelf(take, give_back), kept=Shelf(2))
    found = explore(Scenario(plain.saga, plain.given, plain.requests, never=[rule]), faults=0)
    assert found.counterexample
    assert found.counterexample.broken == Broken(f"never: {rule.__name__}", text)
    assert len(found.counterexample.trace) == 1
    plenty = Scenario(plain.saga, {"SHELF": {"shelf": Shelf(9)}}, plain.requests, never=[rule])
    assert explore(plenty, faults=1).held


def test_what_a_step_leaves_is_compared_exactly() -> None:
    """With the declaration it holds, without it, or with another, it does not."""
    rules = {bug.name: (bug.written, bug.meant) for bug in BUGS if "declared" in bug.name or "fee" in bug.name}
    assert len(rules) == 3
    for written, meant in rules.values():
        assert rule_of(explore(written, faults=1)) == "what is compensated is as before"
        assert explore(meant, faults=2).held


def appended(names: tuple[str, ...], buy: Buy, call: Call) -> tuple[str, ...]:
    """Keep the key of whoever came."""
    return (*names, call.key)


def removed(names: tuple[str, ...], buy: Buy, call: Call) -> tuple[str, ...]:
    """Forget it again."""
    return tuple(name for name in names if name != call.key.replace("undo", "do"))


def test_a_decider_may_keep_its_key() -> None:
    """The replay asks with the same key, so that what is kept is the same."""
    assert explore(small(shelf(appended, removed), ship(), buys=TWO, kept=()), faults=1).held


def test_what_another_saga_made_and_took_away_is_a_dirty_read() -> None:
    """Also when the decider cannot do without it, and raises in the replay."""

    def grown(basket: int | None, buy: Buy) -> int | Refused:
        if buy.who == "Ann":
            return buy.pieces
        return Refused("no basket") if basket is None else basket + buy.pieces

    def shrunk(basket: int, buy: Buy) -> Any:
        return GONE if buy.who == "Ann" else basket - buy.pieces

    def only_grown(basket: int | None, buy: Buy) -> int:
        return buy.pieces if buy.who == "Ann" else basket + buy.pieces  # type: ignore[operator]

    step: dict[str, Any] = {"undone": "BASKET_SHRUNK", "entity": lambda _: "basket"}
    for action, rule in ((grown, "no dirty read"), (only_grown, "a decider raises")):
        saga = Saga("baskets", Buy, [local("BASKET_GROWN", action, undo=shrunk, **step), ship()])
        assert rule_of(explore(Scenario(saga, {}, TWO), faults=1)) == rule


@pytest.mark.parametrize(
    "name", ["one saga reads and writes around another", "the undo sets back what another saga changed"]
)
def test_a_lost_update_is_named_as_such(name: str) -> None:
    """Between two sagas that complete, and between one that does and one that is compensated; with what helps."""
    bug = next(bug for bug in BUGS if bug.name == name)
    found = explore(bug.written, faults=bug.faults).counterexample
    assert found
    assert found.broken.rule == "no lost update"
    assert "version" in found.broken.text


def test_an_undo_that_leaves_a_zero_is_told_how_to_leave_nothing() -> None:
    """Where an entity was not there before, a zero is something; beside another saga, too, which never asked for it."""

    def used(uses: int | None, _: Buy) -> int:
        return (uses or 0) + 1

    def unused(uses: int, _: Buy) -> int:
        return uses - 1

    voucher = local("VOUCHER_USED", used, undo=unused, undone="VOUCHER_GIVEN", entity=lambda buy: buy.who)
    saga = Saga("vouchers", Buy, [shelf(take, give_back), voucher, ship()])
    found = explore(Scenario(saga, {"SHELF": {"shelf": Shelf(1)}}, TWO), faults=1).counterexample
    assert found
    assert found.broken.text.startswith("VOUCHER/Bob is 0, to be nothing")
    assert found.broken.text.endswith("an undo that is to leave nothing gives back GONE")


def test_a_dirty_read_is_named_as_such() -> None:
    """With what helps."""
    bug = next(bug for bug in BUGS if bug.rule == "no dirty read")
    found = explore(bug.written, faults=bug.faults).counterexample
    assert found
    assert "Hold first" in found.broken.text


def test_sagas_may_come_in_another_order_at_each_entity() -> None:
    """A queue that each joins is in one order here and in the other there: told, unless the order does not matter."""

    def joined(names: tuple[str, ...] | None, buy: Buy) -> tuple[str, ...]:
        return (*(names or ()), buy.who)

    def quit_(names: tuple[str, ...], buy: Buy) -> Any:
        return tuple(name for name in names if name != buy.who) or GONE

    steps = [
        local(event, joined, undo=quit_, undone=f"{event}_QUIT", entity=lambda _: "queue")
        for event in ("HERE_JOINED", "THERE_JOINED")
    ]
    strict = Scenario(Saga("queues", Buy, steps), {}, TWO)
    assert rule_of(explore(strict, faults=0)) == "no lost update"
    assert explore(replace(strict, alike=dict.fromkeys(("HERE", "THERE"), sorted)), faults=1).held


def test_sagas_may_take_turns_at_one_entity() -> None:
    """A diary of their steps is in an order that no whole sagas give: told, unless the order does not matter."""

    def noted(notes: tuple[str, ...], buy: Buy, call: Call) -> tuple[str, ...]:
        return (*notes, call.key)

    steps = [
        local(event, noted, entity=lambda _: "shelf", service="SHELF", pivot=event == "BEGUN")
        for event in ("BEGUN", "ENDED")
    ]
    strict = small(*steps, buys=TWO, kept=())
    assert rule_of(explore(strict, faults=0)) == "no lost update"
    assert explore(replace(strict, alike={"SHELF": sorted}), faults=1).held


# Models -------------------------------------------------------------------------------------------------------

CHARGE = charge()


def asked(kind: Kind, answer: Any = None) -> Request:
    """Return a request of the saga s1 for the charge."""
    key = f"s1/{CHARGE.event}/{'undo' if kind is Kind.UNDO else 'do'}"
    return Request("s1", CHARGE.event, kind, "Ann", Call(key, answer=answer))


def talk(model: Model, *requests: Request, step: Step = CHARGE) -> list[list[SystemReply]]:
    """Return what a model may reply to each of some requests, when it replies with its first possibility before."""
    books, said = model.start, []
    for request in requests:
        replies = list(model.replies(books, request, step))
        said.append(replies)
        books = replies[0].books
    return said


DO, PROBE = asked(Kind.DO), asked(Kind.PROBE)
RECEIPT = "receipt of s1/CARD_CHARGED/do"
UNDO, EMPTY_UNDO = asked(Kind.UNDO, RECEIPT), asked(Kind.UNDO)


def outcomes(model: Model, *requests: Request, step: Step = CHARGE) -> list[list[Any]]:
    """Return the outcomes of `talk`."""
    return [[reply.outcome for reply in replies] for replies in talk(model, *requests, step=step)]


def standing(model: Model, *requests: Request, step: Step = CHARGE) -> list[int]:
    """Return how many effects may stand after the last of some requests."""
    assert model.standing is not None
    return [len(model.standing(reply.books)) for reply in talk(model, *requests, step=step)[-1]]


def test_a_provider_that_honours_keys() -> None:
    """It does a key once, gives a receipt, finds what it did, and undoes by the receipt alone."""
    model = honours_keys()
    assert outcomes(model, PROBE, DO, DO, PROBE, UNDO, UNDO) == [
        [Refused("nothing is known of this key")],
        [Done(RECEIPT)], [Done(RECEIPT)], [Done(RECEIPT)], [Done()], [Done()],
    ]  # fmt: skip
    assert standing(model, DO, DO) == [1]
    assert standing(model, DO, EMPTY_UNDO) == [1]
    assert standing(model, DO, UNDO, UNDO, DO) == [0]


def test_a_provider_that_forgets_keys() -> None:
    """It may do a thing again, which is a fault, unless the step says how long its keys live."""
    model = forgets_keys()
    assert standing(model, DO) == [1]
    assert standing(model, DO, DO) == [1, 2]
    assert [reply.is_fault for reply in talk(model, DO, DO)[-1]] == [False, True]
    assert standing(model, DO, DO, step=charge(key_lives_h=24)) == [1]


def test_a_provider_that_declines() -> None:
    """It may refuse what it has not done, and remembers that."""
    model = declines()
    assert outcomes(model, DO, DO)[0] == [Done(RECEIPT), Refused("declined")]
    assert outcomes(model, DO, DO)[1] == [Done(RECEIPT)]
    refused = talk(model, DO)[0][1].books
    assert [reply.outcome for reply in model.replies(refused, DO, CHARGE)] == [Refused("declined")]


def test_a_provider_that_answers_later() -> None:
    """It takes the request, and may send the answer on its own."""
    replies = talk(answers_later(), DO)[0]
    assert [(reply.outcome, reply.later) for reply in replies] == [(Done(RECEIPT), None), (Later(60), Done(RECEIPT))]
    assert outcomes(answers_later(), PROBE, UNDO) == [[Refused("nothing is known of this key")], [Done()]]


def test_a_provider_that_loses_replies() -> None:
    """It does what it is asked, and says nothing, which is a fault."""
    replies = talk(loses_replies(), DO)[0]
    assert [(reply.outcome, reply.is_fault) for reply in replies] == [(Done(RECEIPT), False), (None, True)]
    assert standing(loses_replies(), DO) == [1, 1]


def test_a_provider_without_keys() -> None:
    """It does everything as often as it is asked."""
    assert standing(without_keys(), DO, DO, DO) == [3]


def test_what_a_model_loses_costs_a_fault() -> None:
    """Without faults, nothing is lost."""
    scenario = small(
        shelf(take, give_back), card(outside, outside, **participant_bugs.PROBED), ship(), CARD=loses_replies()
    )
    assert explore(scenario, faults=0).progress.states < 30
    assert explore(scenario, faults=2).held


class Notes:
    """A client that notes its calls.

    Attributes:
        books: the calls so far.
    """

    def __init__(self, books: tuple[str, ...]) -> None:
        self.books = books

    def note(self, text: str) -> None:
        """Note a call."""
        self.books = (*self.books, text)


def plain(notes: Notes, buy: Buy, call: Call) -> Done:
    """Act, and answer."""
    notes.note(call.key)
    return Done("plain")


async def awaits(notes: Notes, buy: Buy, call: Call) -> Done:
    """Act after waiting for what does not wait itself."""

    async def inner() -> str:
        return "async"

    notes.note(call.key)
    return Done(await inner())


def raises(notes: Notes, buy: Buy, call: Call) -> Done:
    """Act, and raise."""
    notes.note(call.key)
    raise TimeoutError("no reply")


async def sleeps(notes: Notes, buy: Buy, call: Call) -> Done:
    """Wait for something real."""
    await asyncio.sleep(0)
    return Done()


def babbles(notes: Notes, buy: Buy, call: Call) -> str:
    """Give back what is no outcome."""
    return "well"


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        (plain, Done("plain")),
        (awaits, Done("async")),
        (raises, Unknown("TimeoutError: no reply")),
        (
            sleeps,
            Unknown("RuntimeError: it awaits what no check has, such as a pause or a socket: a client answers at once"),
        ),
        (babbles, Unknown("CARD_CHARGED/do gave back 'well'; give Done(...), Refused or Later")),
    ],
)
def test_the_sagas_own_functions_run_against_a_client(action: Any, outcome: Any) -> None:
    """Plain or async; who raises, waits or babbles has an unknown outcome, and what it did stands in the books."""
    step = card(action, plain)
    reply = next(adapter(Notes).replies((), DO, step))
    assert reply.outcome == outcome
    assert reply.books == (() if action in (sleeps, babbles) else (DO.call.key,))


def test_books_are_compared_as_a_whole_where_nobody_tells_what_stands() -> None:
    """After a compensation they are as at the start."""

    def forget(notes: Notes, buy: Buy, call: Call) -> None:
        notes.books = ()

    def keep(notes: Notes, buy: Buy, call: Call) -> None:
        """Do nothing."""

    bad = small(card(plain, keep), ship(), CARD=adapter(Notes))
    good = small(card(plain, forget), ship(), CARD=adapter(Notes))
    assert rule_of(explore(bad, faults=1)) == "all or nothing is left"
    assert explore(good, faults=0).held


# What holds ---------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A scenario that holds, and its bound."""

    scenario: Scenario
    faults: int


HOLDS = {
    "order": Case(ONE_ORDER, 3),
    "two orders, stock for one": Case(TWO_ORDERS_ONE_STOCK, 1),
    "two orders, credit for one": Case(TWO_ORDERS_ONE_CREDIT, 1),
    "trip": Case(ada, 1),
}


@pytest.mark.parametrize("name", HOLDS)
def test_what_we_ship_holds(name: str) -> None:
    """The order saga alone, two orders that compete, the trip of the examples: every world is looked at."""
    found = explore(HOLDS[name].scenario, faults=HOLDS[name].faults)
    assert found.counterexample is None
    assert found.held


def test_the_core_is_needed_whole() -> None:
    """A saga of two buyers for one seat, with a card, holds too."""
    found = explore(
        Scenario(Saga("tickets", str, [seats(), charge(), ticket()]), {"SEATS": {"show": 1}}, ["Ann"]), faults=3
    )
    assert found.held
