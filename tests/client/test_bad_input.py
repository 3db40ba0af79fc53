"""Bad input to every call of a client and of its handles: an error of Amends on one line, and nothing is posted."""

from __future__ import annotations

import asyncio
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import (
    AmendsError,
    Cancel,
    ClientHandle,
    DefinitionError,
    Done,
    EngineMisused,
    EngineStopped,
    Later,
    Refused,
    RequestRefused,
    Resolve,
    Retry,
    Saga,
    StoreUnusable,
    Unknown,
    UnusableInput,
    wait_for,
)
from amends.client.blocking import BlockingClient, BlockingClientHandle
from amends.client.client import Client
from tests.client.sagas import ASKED, COUNTED, LOCAL, PATIENCE_S, in_loop, python, url_of
from tests.engine.world import Buy

SURROGATE, NUL, HUGE = "\ud800", "\0", "x" * 100_000
NO_TEXT: Sequence[Any] = (None, 7, True, 1.5, b"x", ["x"], object(), Cancel)
NO_NAME: Sequence[Any] = (*NO_TEXT, "", "a\nb", NUL, SURROGATE)
NO_KEY: Sequence[Any] = (*NO_NAME[1:], HUGE)  # None is none at all
NO_ACTOR: Sequence[Any] = (*NO_TEXT, "a\nb", NUL, SURROGATE, HUGE)
NO_SECONDS: Sequence[Any] = (True, "1", b"1", -1, -0.001, math.nan, -math.inf, [1], 1j)
ANY: Any = Buy
NO_REQUEST: Sequence[Any] = (
    None,
    7,
    "Hamlet",
    {"show": 1},
    object(),
    ANY("Hamlet", math.nan),
    ANY(SURROGATE, 1),
    ANY("x" * 2_000, 1),
    ANY({1}, 1),
)
OUTCOMES: Any = (Later, Refused, Unknown)
NO_OUTCOME: Sequence[Any] = (
    None,
    "yes",
    True,
    Done,
    Done(object()),
    Done({1: SURROGATE}),
    Done(SURROGATE),
    Done(math.nan),
    Done([[math.inf]]),
    Done(HUGE),
    *(OUTCOMES[0](seconds) for seconds in (-1, math.nan, True)),
    OUTCOMES[1](7),
    OUTCOMES[2](b"x"),
)
NO_OUTCOME_OF_AN_OPERATOR: Sequence[Any] = (*NO_OUTCOME, Later(1), Unknown("lost"))
NO_KEY_OF_A_REQUEST: Sequence[Any] = (*NO_NAME, "x", "x/APPROVED", "x/APPROVED/probe", "x/APPROVED/do/more")
FILTERS: Mapping[str, Sequence[Any]] = {
    "status": (7, None, "stuck", "", ["forward", 7], {"forward"}, b"forward", SURROGATE),
    "definition": (7, True, b"x", ["x"], "a\nb", NUL, SURROGATE),
    "service": (7, "a\nb", SURROGATE),
    "step": (7, "a\nb", SURROGATE),
    "started_before": (7, "2026-01-01", datetime(2026, 1, 1), math.nan),  # noqa: DTZ001 - it has no time zone
    "started_from": (7, "now", datetime(2026, 1, 1)),  # noqa: DTZ001 - as above
    "limit": (0, -1, True, 1.5, "5", None, 10_001, 10**30, math.nan),
    "after": (7, "nobody", "a\nb", NUL, SURROGATE, HUGE),
    "stauts": ("forward",),
}
WAIT: Saga = Saga("wait", Buy, [wait_for("APPROVED", limit_s=60, answer=int)])
SAGAS = [LOCAL, ASKED, WAIT]
NUMBERS = count(1)

Call = tuple[str, Sequence[Any], Mapping[str, Any]]
"""A method, and what it is given."""


def bad_calls(saga_id: str) -> Iterator[Call]:
    """Give every bad call, of a client that has a saga which is asked."""
    of_sagas: Mapping[str, Sequence[Any]] = {
        "describe": (), "result": (), "cancel": (), "abandon": (), "retry": ("APPROVED",), "undo": ("APPROVED",),
        "resolve": ("APPROVED", Done()), "tell": (Cancel(),),
    }  # fmt: skip
    for method, more in of_sagas.items():
        yield from ((method, (name, *more), {}) for name in NO_NAME)
    for method in ("cancel", "abandon", "retry", "resolve", "undo"):
        more = of_sagas[method]
        yield from ((method, (saga_id, *more), {"by": by}) for by in NO_ACTOR)
        yield from ((method, (saga_id, *more), {"reason": reason}) for reason in NO_TEXT)
    for method in ("retry", "resolve", "undo"):
        yield from ((method, (saga_id, step, *of_sagas[method][1:]), {}) for step in NO_TEXT)
    yield from (("resolve", (saga_id, "APPROVED", outcome), {}) for outcome in NO_OUTCOME_OF_AN_OPERATOR)
    yield from (("tell", (saga_id, verb), {}) for verb in (None, "cancel", Cancel, Done(), Retry(7), Cancel(7)))  # type: ignore[arg-type]
    yield "tell", (saga_id, Resolve("APPROVED", "yes")), {}  # type: ignore[arg-type]
    for seconds in NO_SECONDS:
        yield "result", (saga_id, seconds), {}
        yield "tell", (saga_id, Cancel()), {"timeout": seconds}
        yield "answer", (f"{saga_id}/APPROVED/do", Done()), {"timeout": seconds}
    yield from (("answer", (key, Done()), {}) for key in NO_KEY_OF_A_REQUEST)
    yield from (("answer", (f"{saga_id}/APPROVED/do", outcome), {}) for outcome in NO_OUTCOME)
    yield from (("answer", (f"{saga_id}/APPROVED/do", Done()), {"by": by}) for by in NO_ACTOR)
    yield from (("answer", (f"{saga_id}/APPROVED/do", Done()), {"reason": reason}) for reason in (b"paid", 7, None))
    yield from (("find", (key,), {}) for key in (None, *NO_KEY))
    for name, values in FILTERS.items():
        yield from (("list", (), {name: value}) for value in values if (name, value) != ("service", None))
        yield from (("pending", (), {name: value}) for value in values if name != "after" or value != "nobody")
    yield from (("submit", (saga, Buy("Hamlet", 1)), {}) for saga in (None, "tickets", Saga, COUNTED))
    yield from (("submit", (LOCAL, request), {}) for request in NO_REQUEST)
    yield from (("submit", (LOCAL, Buy("Hamlet", 1)), {"key": key}) for key in NO_KEY)
    yield from (("submit_many", (saga, []), {}) for saga in (None, "tickets", COUNTED))
    no_list: Sequence[Any] = (None, 7, "ab", b"ab", {}, {1}, Buy("Hamlet", 1))
    yield from (("submit_many", (LOCAL, given), {}) for given in no_list)
    one = [Buy("Hamlet", 1)]
    yield from (("submit_many", (LOCAL, one), {"keys": keys}) for keys in (7, "a", b"a", [], ["a", "b"], {"a": 1}))


def refused(raised: BaseException | None, call: Call) -> None:
    """See that a call was refused as it is to be: with a named error, in one short line."""
    assert isinstance(raised, AmendsError), f"{shown(call)}: {raised!r}"
    assert "\n" not in str(raised), shown(call)
    assert 0 < len(str(raised)) < 600, shown(call)
    str(raised).encode()  # it can be printed


def shown(call: Call) -> str:
    """A call in a message."""
    return f"{call[0]}{call[1]!r:.200}{call[2]!r:.200}"


def everything(folder: Path) -> Mapping[str, bytes]:
    """Return what the store and its mailbox hold."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.endswith("-shm"))
    return {path.name: held for path in files if (held := path.read_bytes())}


@pytest.fixture
def saga_id(tmp_path: Path) -> str:
    """Return a saga that waits, of a store whose engine is closed."""
    with amends.open(url_of(tmp_path), sagas=SAGAS) as engine:
        handle = engine.submit(WAIT, Buy("Hamlet", 1))
        assert engine.describe(handle.saga_id).status == "forward"
        return handle.saga_id


@in_loop
async def _every_call(url: str, saga_id: str) -> None:
    async with amends.connect(url, sagas=SAGAS, value_bytes_max=1_000) as client:
        for call in bad_calls(saga_id):
            method, given, named = call
            try:
                await getattr(client, method)(*given, **named)
            except Exception as error:  # noqa: BLE001 - which one it is, is looked at
                refused(error, call)
            else:
                raise AssertionError(f"{shown(call)} was taken")


def test_a_client_refuses_what_is_none(tmp_path: Path, saga_id: str) -> None:
    """Each is a named error on one line; nothing is posted, and no file is changed."""
    before = everything(tmp_path)
    _every_call(url_of(tmp_path), saga_id)
    assert everything(tmp_path) == before


def test_a_blocking_client_refuses_what_is_none(tmp_path: Path, saga_id: str) -> None:
    """The same calls, with the same end."""
    before = everything(tmp_path)
    with amends.connect(url_of(tmp_path), sagas=SAGAS, value_bytes_max=1_000) as client:
        for call in bad_calls(saga_id):
            method, given, named = call
            with pytest.raises(AmendsError) as raised:
                getattr(client, method)(*given, **named)
            refused(raised.value, call)
    assert everything(tmp_path) == before


@in_loop
async def test_a_handle_refuses_what_is_no_time(tmp_path: Path) -> None:
    """Of both clients, for each call that waits; the letter stays as it is."""
    async with amends.connect(url_of(tmp_path), sagas=SAGAS) as client:
        handle = await client.submit(LOCAL, Buy("Hamlet", 1))
        with amends.connect(url_of(tmp_path), sagas=SAGAS) as blocking:
            other = await asyncio.to_thread(blocking.submit, LOCAL, Buy("Hamlet", 1))
            before = everything(tmp_path)
            for seconds in NO_SECONDS:
                for method in ("started", "result"):
                    with pytest.raises(RequestRefused, match="timeout is"):
                        await getattr(handle, method)(seconds)
                    with pytest.raises(RequestRefused, match="timeout is"):
                        await asyncio.to_thread(getattr(other, method), seconds)
            assert everything(tmp_path) == before


@in_loop
async def test_an_unknown_saga_is_told_and_a_long_reason_is_cut(tmp_path: Path, saga_id: str) -> None:
    """By the engine, which has a look; a reason is for people, and one that cannot be written is written as it can."""
    async with amends.open(url_of(tmp_path), sagas=SAGAS), amends.connect(url_of(tmp_path), sagas=SAGAS) as client:
        before = await client.describe(saga_id)
        for name in ("nobody", "a/b", HUGE):
            for method in ("cancel", "abandon", "describe", "result", "retry", "undo", "answer"):
                first = f"{name}/APPROVED/do" if method == "answer" else name
                more: Mapping[str, Sequence[Any]] = {"retry": ["S"], "undo": ["S"], "answer": [Done(1)]}
                with pytest.raises(RequestRefused, match=r"no saga|is no key of a request") as raised:
                    await asyncio.wait_for(getattr(client, method)(first, *more.get(method, ())), PATIENCE_S)
                assert len(str(raised.value)) < 600
        for step in ("NONE", "a\nb", SURROGATE, NUL, ""):
            with pytest.raises(RequestRefused, match="step") as raised:
                await client.retry(saga_id, step)
            str(raised.value).encode()
        assert (await client.describe(saga_id)).number == before.number
        await client.cancel(saga_id, by="ann", reason=SURROGATE + HUGE)
        (verb,) = (await client.describe(saga_id)).verbs
        assert verb.reason.startswith(r"\ud800xxx")
        assert len(verb.reason) < 21_000


class MarkedText(str):
    """Text as a web framework marks it for its templates."""

    __slots__ = ()


@in_loop
async def test_text_of_a_class_of_its_own_is_text(tmp_path: Path, saga_id: str) -> None:
    """By a client as by an engine: who says it, why, and why an answer is a no."""
    ann, no = MarkedText("ann"), MarkedText("no")
    async with amends.open(url_of(tmp_path), sagas=SAGAS), amends.connect(url_of(tmp_path), sagas=SAGAS) as client:
        await client.answer(f"{saga_id}/APPROVED/do", Refused(no), by=ann)
        assert (await client.result(saga_id, PATIENCE_S)).reason == "no"
        other = await client.submit(ASKED, Buy("Hamlet", 1))
        await client.cancel(await other.started(PATIENCE_S), by=ann, reason=no)
        (verb,) = (await other.describe()).verbs
        assert (verb.by, verb.reason) == ("ann", "no")


WAITS: Mapping[str, Sequence[Any]] = {"started": (), "result": (), "describe": ()}
CALLS: Mapping[str, Sequence[Any]] = {
    "submit": (LOCAL, Buy("Hamlet", 1)),
    "submit_many": (LOCAL, [Buy("Hamlet", 1)]),
    "result": ("x",),
    "describe": ("x",),
    "list": (),
    "find": ("k",),
    "pending": (),
    "owed": (),
    "answer": ("x/APPROVED/do", Done()),
    "tell": ("x", Cancel()),
    "cancel": ("x",),
    "retry": ("x", "S"),
    "resolve": ("x", "S", Done()),
    "abandon": ("x",),
    "undo": ("x", "S"),
}
"""Every call of a client, with what can be given to it."""


def methods(kind: type) -> set[str]:
    """Return the public methods of a class."""
    named = inspect.getmembers(kind, callable)
    return {name for name, _ in named if not name.startswith("_")}


def test_every_public_call_is_in_the_tables() -> None:
    """A new one has to be looked at, too; the others are of the client's own handles and threads."""
    own = {"close", "start_of", "end_of", "ask", "forget"}
    assert methods(Client) - own == methods(BlockingClient) - own == set(CALLS)
    assert methods(ClientHandle) - {"of"} == methods(BlockingClientHandle) == set(WAITS)
    assert {method for method, _, _ in bad_calls("x")} == set(CALLS) - {"owed"}  # it takes nothing that could be wrong


@in_loop
async def test_a_client_that_is_not_open_says_so_to_every_call(tmp_path: Path) -> None:
    """Also its handles do; and in another event loop each says in which it can be asked."""
    async with amends.connect(url_of(tmp_path), sagas=SAGAS) as client:
        handle = await client.submit(LOCAL, Buy("Hamlet", 1))
        before = everything(tmp_path)
        for owner, table in ((client, CALLS), (handle, WAITS)):
            for method, given in table.items():
                with pytest.raises(EngineMisused, match="another event loop"):
                    await asyncio.to_thread(asyncio.run, getattr(owner, method)(*given))
        assert everything(tmp_path) == before
    before = everything(tmp_path)
    for owner, table in ((client, CALLS), (handle, WAITS)):
        for method, given in table.items():
            with pytest.raises(EngineStopped, match="the client was closed"):
                await getattr(owner, method)(*given)
    assert everything(tmp_path) == before


def test_a_blocking_client_that_is_not_open_says_so_to_every_call(tmp_path: Path) -> None:
    """Before it is, and after."""
    connecting = amends.connect(url_of(tmp_path), sagas=SAGAS)
    for method, given in CALLS.items():
        with pytest.raises(EngineStopped, match="the client is not open"):
            getattr(connecting, method)(*given)
    with connecting as client:
        handle = client.submit(LOCAL, Buy("Hamlet", 1))
    before = everything(tmp_path)
    for owner, table in ((client, CALLS), (handle, WAITS)):
        for method, given in table.items():
            with pytest.raises(EngineStopped, match="the client was closed"):
                getattr(owner, method)(*given)
    assert everything(tmp_path) == before


FORKS = """
import asyncio, os, sys, amends
from tests.client.sagas import PATIENCE_S
from tests.client.test_bad_input import CALLS, SAGAS, WAITS, LOCAL
from tests.engine.world import Buy

async def asks(client, handle):
    told = []
    for owner, table in ((client, CALLS), (handle, WAITS)):
        for method, given in table.items():
            try:
                await getattr(owner, method)(*given)
            except amends.EngineMisused as error:
                told.append("this client was connected by process" in str(error))
            except BaseException as error:
                print(method, repr(error), flush=True)
    return told

async def main():
    async with amends.connect(sys.argv[1], sagas=SAGAS) as client:
        handle = await client.submit(LOCAL, Buy("Hamlet", 1))
        child = os.fork()
        if not child:
            os._exit(0 if asyncio.run(asks(client, handle)) == [True] * (len(CALLS) + len(WAITS)) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

asyncio.run(main())
"""


@in_loop
async def test_a_forked_child_is_told_that_a_client_is_its_parents(tmp_path: Path) -> None:
    """By every call, at once; the blocking one connects anew there."""
    assert await python(FORKS, url_of(tmp_path)) == ""


NO_ADDRESS: Sequence[Any] = (
    None,
    7,
    b"sqlite:///shop.db",
    "",
    "shop.db",
    "/shop.db",
    "mysql://host/shop",
    "sqlite:",
    "sqlite://shop.db",
    "sqlite:///",
    "sqlite:///:memory:",
    "SQLITE:///shop.db",
    "file:shop.db",
    "http://shop",
    Path("shop.db"),
    "memory",
    f"sqlite:///{SURROGATE}.db",
    f"sqlite:///{NUL}.db",
    f"sqlite:///{HUGE}.db",
    "sqlite:///{folder}/shop.db?mode=ro",
    "sqlite:///{folder}",
    "sqlite:///{folder}/none/shop.db",
    "sqlite:///{folder}/text.txt/shop.db",
    f"memory:{NUL}",
    f"memory:{SURROGATE}",
    "memory:a\nb",
)


@pytest.mark.parametrize("address", NO_ADDRESS, ids=lambda address: repr(address)[:40])
@pytest.mark.parametrize("door", [amends.open, amends.connect])
def test_what_is_no_address_of_a_store_is_refused(door: Callable[..., Any], address: Any, tmp_path: Path) -> None:
    """At both doors, in one line, and nothing is made."""
    (tmp_path / "text.txt").write_text("text")
    where = address.format(folder=tmp_path) if isinstance(address, str) else address
    with pytest.raises(StoreUnusable) as raised, door(where, sagas=SAGAS):
        pass
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600
    str(raised.value).encode()
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize(
    "named",
    [{"sagas": None}, {"sagas": LOCAL}, {"sagas": [LOCAL, 7]}, {"sagas": "tickets"}, {"sagas": [None]}, {"sagas": 7},
     *({"value_bytes_max": value} for value in (0, -1, True, 1.5, "1", None, 2**40, math.nan))],
    ids=lambda named: re.sub(r"<.*", "...", str(named)),  # no address: each worker collects the same tests
)  # fmt: skip
def test_what_no_client_can_be_connected_with_is_refused(named: Mapping[str, Any]) -> None:
    """When it is made."""
    with pytest.raises(UnusableInput) as raised:
        amends.connect("memory:bad", **named)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["url", "sagas", "value_bytes_max"])
@pytest.mark.parametrize("door", [amends.open, amends.connect])
def test_what_cannot_be_shown_is_refused_all_the_same(door: Callable[..., Any], name: str) -> None:
    """A list too deep for its repr is named by its type, and a long text is cut."""
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    for value in (deep, HUGE):
        with pytest.raises((StoreUnusable, UnusableInput)) as raised:
            door(**{"url": "memory:bad", "sagas": SAGAS, name: value})
        assert "\n" not in str(raised.value)
        assert len(str(raised.value)) < 600


def test_a_definition_that_a_client_was_not_given_is_named() -> None:
    """With those that it was."""
    with amends.connect("memory:bad", sagas=[LOCAL]) as client, pytest.raises(DefinitionError) as raised:
        client.submit(COUNTED, Buy("Hamlet", 1))
    assert "saga 'counted', version 1, was not given" in str(raised.value)
    assert "tickets/1/" in str(raised.value)
    assert "open(" not in str(raised.value), "it is a client's"
