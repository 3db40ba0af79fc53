"""Clients as users meet them: what each call promises, with an engine, without one, and before there is a store."""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

import pytest

import amends
from amends import (
    Cancel,
    Compensated,
    Completed,
    DefinitionError,
    Done,
    EngineMisused,
    EngineStopped,
    KeyReused,
    Refused,
    RequestRefused,
    StoreInUse,
    StoreUnusable,
)
from tests.client.sagas import ASKED, LOCAL, PATIENCE_S, PREPARED, SAGAS, in_loop, python, url_of
from tests.engine.world import Buy

NUMBERS = count(1)


@pytest.fixture(params=["sqlite", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a store that no engine has opened yet, of each kind."""
    return url_of(tmp_path) if request.param == "sqlite" else f"memory:test {next(NUMBERS)}"


def open_at(url: str, **options: object) -> amends.bootstrap.Opening:
    """Return an engine that is about to be opened."""
    return amends.open(url, sagas=SAGAS, **options)  # type: ignore[arg-type]  # those of open


@in_loop
async def test_a_client_submits_and_waits(url: str) -> None:
    """The engine starts what it asked for, and the client reads how it ended."""
    async with open_at(url), amends.connect(url, sagas=SAGAS) as client:
        handle = await client.submit(LOCAL, Buy("Hamlet", 2))
        assert await handle.started(PATIENCE_S) == handle.saga_id
        result = await handle.result(PATIENCE_S)
        assert (result.saga_id, result.reason) == (handle.saga_id, "")
        assert isinstance(result.state, Completed)
        refused = await (await client.submit(LOCAL, Buy("Hamlet", 20))).result(PATIENCE_S)
        assert isinstance(refused.state, Compensated)
        assert "8 seats left" in refused.reason
        assert await client.result(handle.saga_id, 0) == result
        assert await handle.result(0) == result


@in_loop
async def test_what_was_asked_for_waits_for_an_engine(url: str) -> None:
    """Also for the first one of all: the letter lies where its store is to be, and an empty store knows nothing."""
    async with amends.connect(url, sagas=SAGAS) as client:
        with pytest.raises(RequestRefused, match="no saga 'none'"):
            await client.result("none", 0)
        handle = await client.submit(LOCAL, Buy("Hamlet", 2))
        with pytest.raises(TimeoutError, match=r"was not started within 0\.01 s; its letter stays"):
            await handle.started(0.01)
        with pytest.raises(TimeoutError, match=r"was not started within 0\.01 s"):
            await handle.result(0.01)
        with pytest.raises(TimeoutError, match="has not ended"):
            await client.result(handle.saga_id, 0.01)
        async with open_at(url):
            result = await client.result(handle.saga_id, PATIENCE_S)
            assert isinstance(result.state, Completed)


@in_loop
async def test_a_key_stands_for_one_saga_whichever_door_it_came_by(url: str) -> None:
    """Of several clients, before and after an engine acted, and of the engine itself."""
    async with amends.connect(url, sagas=SAGAS) as one, amends.connect(url, sagas=SAGAS) as other:
        first = await one.submit(LOCAL, Buy("Hamlet", 2), key="k")
        second = await other.submit(LOCAL, Buy("Hamlet", 2), key="k")
        third = await other.submit(LOCAL, Buy("Hamlet", 3), key="k")
        async with open_at(url) as engine:
            assert await second.started(PATIENCE_S) == await first.started(PATIENCE_S) == second.saga_id
            with pytest.raises(KeyReused, match="'k' stands for another request"):
                await third.started(PATIENCE_S)
            assert (await one.submit(LOCAL, Buy("Hamlet", 2), key="k")).saga_id == first.saga_id
            with pytest.raises(KeyReused):
                await one.submit(LOCAL, Buy("Hamlet", 1), key="k")
            assert (await engine.submit(LOCAL, Buy("Hamlet", 2), key="k")).saga_id == first.saga_id
            own = await engine.submit(LOCAL, Buy("Lear", 1), key="own")
            assert (await one.submit(LOCAL, Buy("Lear", 1), key="own")).saga_id == own.saga_id
            assert await engine.entity("SEATS", "Hamlet") == 8


@in_loop
async def test_what_prepare_refuses_is_told_by_the_owner(url: str) -> None:
    """It gets plain JSON; the refusal is kept under the key."""
    async with open_at(url) as engine, amends.connect(url, sagas=SAGAS) as client:
        good = await client.submit(PREPARED, ("Hamlet", 3), key="good")
        assert isinstance((await good.result(PATIENCE_S)).state, Completed)
        assert (await engine.submit(PREPARED, ("Hamlet", 3), key="good")).saga_id == good.saga_id
        bad = await client.submit(PREPARED, ["Hamlet", 4], key="bad")
        for wait in (bad.started, bad.result):
            with pytest.raises(RequestRefused, match="three at most"):
                await wait(PATIENCE_S)
        with pytest.raises(RequestRefused, match="three at most"):
            await client.submit(PREPARED, ["Hamlet", 4], key="bad")
        with pytest.raises(RequestRefused, match=r"no saga|three at most"):  # by its letter, while that is there
            await client.result(bad.saga_id, PATIENCE_S)


@in_loop
async def test_a_saga_starts_once_an_engine_has_its_definition(url: str) -> None:
    """Its letter waits, and what comes after it does not; a client that does not know the definition is told so."""
    async with amends.open(url, sagas=[ASKED]), amends.connect(url, sagas=SAGAS) as client:
        handle = await client.submit(LOCAL, Buy("Hamlet", 2), key="k")
        asked = await client.submit(ASKED, Buy("Hamlet", 2))
        await asked.started(PATIENCE_S)
        with pytest.raises(TimeoutError, match="its letter stays, and it starts once an engine runs that knows its"):
            await handle.started(0)
        async with amends.connect(url) as other:
            with pytest.raises(RequestRefused, match=r"definition asked/1/\w+ was not given to connect\(\)"):
                await other.result(asked.saga_id, 0)
    async with open_at(url), amends.connect(url, sagas=SAGAS) as client:
        again = await client.submit(LOCAL, Buy("Hamlet", 2), key="k")
        assert await again.started(PATIENCE_S) == handle.saga_id


@in_loop
async def test_many_are_asked_for_at_once(url: str) -> None:
    """Each has its handle, or why it is not asked for."""
    async with open_at(url), amends.connect(url, sagas=SAGAS) as client:
        requests = [Buy("Hamlet", 1), Buy("Lear", 1), Buy("Hamlet", 1)]
        handles = await client.submit_many(LOCAL, requests, keys=["a", "", "a"])
        assert isinstance(handles[1], RequestRefused)
        started = [await handle.started(PATIENCE_S) for handle in handles if isinstance(handle, amends.ClientHandle)]
        assert started == [started[0]] * 2
        assert await client.submit_many(LOCAL, []) == []
        with pytest.raises(RequestRefused, match="2 requests came with 1 keys"):
            await client.submit_many(LOCAL, requests[:2], keys=["a"])


@in_loop
async def test_a_client_sees_what_an_engine_sees(url: str) -> None:
    """Described, listed, found by its key, and what is to be answered; and that a letter waits."""
    async with amends.connect(url, sagas=SAGAS) as client:
        handle = await client.submit(ASKED, Buy("Hamlet", 2), key="k")
        with pytest.raises(RequestRefused, match="has not started yet: its letter waits for an engine"):
            await handle.describe()
        assert (await client.list()).sagas == ()
        async with open_at(url) as engine:
            await handle.started(PATIENCE_S)
            described = await handle.describe()
            assert described.saga_id == handle.saga_id
            assert described.steps == (await engine.describe(handle.saga_id)).steps
            found, (one,) = await client.find("k"), (await client.list(status="waiting")).sagas
            assert found is not None
            assert found.saga_id == one.saga_id == handle.saga_id
            async with asyncio.timeout(PATIENCE_S):
                while not (pending := await client.pending()):  # the participant is being asked
                    await asyncio.sleep(0.01)
            assert pending[0].key == f"{handle.saga_id}/APPROVED/do"
        with pytest.raises(RequestRefused, match="no saga 'x'"):
            await client.describe("x")


@in_loop
async def test_an_answer_is_brought_and_what_comes_of_it_is_told(url: str) -> None:
    """It returns once the saga has taken it; what the saga refuses is raised."""
    async with open_at(url), amends.connect(url, sagas=SAGAS) as client:
        handle = await client.submit(ASKED, Buy("Hamlet", 2))
        await handle.started(PATIENCE_S)
        with pytest.raises(RequestRefused, match="no step 'NONE'"):
            await client.answer(f"{handle.saga_id}/NONE/do", Done())
        await client.answer(f"{handle.saga_id}/APPROVED/do", Done({"by": "ada"}))
        assert (await handle.result(PATIENCE_S)).answers["APPROVED"] == {"by": "ada"}
        with pytest.raises(RequestRefused, match="no saga 'x'"):
            await client.answer("x/APPROVED/do", Done())


@in_loop
async def test_a_verb_is_carried_out(url: str) -> None:
    """A cancel turns the saga back, with who wanted it; a second one is told that it came too late."""
    async with open_at(url), amends.connect(url, sagas=SAGAS) as client:
        handle = await client.submit(ASKED, Buy("Hamlet", 2))
        await handle.started(PATIENCE_S)
        await client.cancel(handle.saga_id, by="ann", reason="sold out")
        await client.answer(f"{handle.saga_id}/APPROVED/do", Refused("sold out"))
        assert "by ann: sold out" in (await handle.result(PATIENCE_S)).reason
        with pytest.raises(RequestRefused):
            await client.tell(handle.saga_id, Cancel("again"))


@in_loop
async def test_without_an_engine_an_answer_stays(url: str) -> None:
    """The caller is told that it does, and the first engine acts on it."""
    async with amends.connect(url, sagas=SAGAS) as client:
        async with open_at(url):
            handle = await client.submit(ASKED, Buy("Hamlet", 2))
            await handle.started(PATIENCE_S)
        with pytest.raises(TimeoutError, match="no engine has acted on it within 0 s; the letter stays"):
            await client.answer(f"{handle.saga_id}/APPROVED/do", Done(), timeout=0)
        async with open_at(url):
            assert isinstance((await handle.result(PATIENCE_S)).state, Completed)


@in_loop
async def test_a_saga_that_needs_an_operator_is_told_at_once(url: str) -> None:
    """Whoever asks gets the error that an engine's caller gets."""
    steps = [LOCAL.steps[-1], amends.external("BROKEN", _broken)]
    saga = amends.Saga("stuck", Buy, steps)
    async with amends.open(url, sagas=[saga]), amends.connect(url, sagas=[saga]) as client:
        handle = await client.submit(saga, Buy("Hamlet", 1))
        for patience_s in (PATIENCE_S, 0):
            with pytest.raises(amends.OperatorNeeded, match="BROKEN"):
                await handle.result(patience_s)


async def _broken(_: object, __: Buy, ___: object) -> Refused:
    return Refused("never")


@in_loop
async def test_a_closed_client_says_so(url: str) -> None:
    """Also to callers that wait while it is closed; before it is opened it says what to do."""
    connecting = amends.connect(url, sagas=SAGAS)
    with pytest.raises(EngineStopped, match="use `async with`"):
        await connecting.submit(LOCAL, Buy("Hamlet", 1))
    async with connecting as client:
        handle = await client.submit(LOCAL, Buy("Hamlet", 1))
        waiting = asyncio.create_task(handle.started())
        await asyncio.sleep(0)
    for closed in (waiting, handle.result(), client.submit(LOCAL, Buy("Hamlet", 1))):
        with pytest.raises(EngineStopped, match="the client was closed"):
            await closed
    await client.close()


@in_loop
async def test_a_client_is_of_one_event_loop(url: str) -> None:
    """In another one it says so at once, in place of being silent for ever."""
    async with amends.connect(url, sagas=SAGAS) as client:
        with pytest.raises(EngineMisused, match="another event loop"):
            await asyncio.to_thread(asyncio.run, client.result("x", 0))


def test_the_blocking_client_does_the_same(url: str) -> None:
    """From any thread; its handles wait without a loop."""
    with amends.open(url, sagas=SAGAS), amends.connect(url, sagas=SAGAS) as client:
        handle = client.submit(LOCAL, Buy("Hamlet", 2), key="k")
        assert handle.started(PATIENCE_S) == handle.saga_id
        assert isinstance(handle.result(PATIENCE_S).state, Completed)
        assert client.result(handle.saga_id, PATIENCE_S).saga_id == handle.saga_id
        (again,) = client.submit_many(LOCAL, [Buy("Hamlet", 2)], keys=["k"])
        assert isinstance(again, type(handle))
        assert again.saga_id == handle.saga_id
        asked = client.submit(ASKED, Buy("Hamlet", 2))
        asked.started(PATIENCE_S)
        client.answer(f"{asked.saga_id}/APPROVED/do", Done())
        assert isinstance(asked.result(PATIENCE_S).state, Completed)
        with pytest.raises(RequestRefused):
            client.tell(asked.saga_id, Cancel("late"))
    with pytest.raises(EngineStopped, match="the client was closed"):
        client.submit(LOCAL, Buy("Hamlet", 2))
    client.close()


def test_one_engine_has_a_named_database() -> None:
    """A second one is told; after the first has closed, the next finds what it left."""
    url = f"memory:test {next(NUMBERS)}"
    with amends.open(url, sagas=SAGAS) as engine:
        engine.submit(LOCAL, Buy("Hamlet", 4)).result(PATIENCE_S)
        with pytest.raises(StoreInUse, match="in use by another engine"), amends.open(url, sagas=SAGAS):
            pass
    with amends.open(url, sagas=SAGAS) as engine:
        assert engine.entity("SEATS", "Hamlet") == 6
    with amends.open("memory:", sagas=SAGAS) as engine:
        assert engine.entity("SEATS", "Hamlet") is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("memory:", "one engine has for itself: give it a name here and in open"),
        ("shop.db", "names no store; give sqlite:///path/to/file.db, postgresql://user@host/database, or memory:NAME"),
        ("sqlite:///", "names no store"),
        (None, "names no store"),
    ],
)
def test_an_address_that_is_none_is_refused(url: str, why: str) -> None:
    """When the client is made."""
    with pytest.raises(StoreUnusable, match=why):
        amends.connect(url)


def test_where_no_store_can_be_nothing_is_connected(tmp_path: Path) -> None:
    """One line says why; nothing is made."""
    elsewhere = f"sqlite:///{tmp_path / 'none' / 'shop.db'}"
    with pytest.raises(StoreUnusable, match="there is no directory"), amends.connect(elsewhere):
        pass
    with pytest.raises(StoreUnusable, match="a directory"), amends.connect(f"sqlite:///{tmp_path}"):
        pass
    assert list(tmp_path.iterdir()) == []


@in_loop
async def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    """By each call that reads; the client stays open, and reads what an engine makes there later."""
    file = tmp_path / "shop.db"
    file.write_bytes(b"no database at all " * 999)
    async with amends.connect(url_of(tmp_path), sagas=SAGAS) as client:
        with pytest.raises(StoreUnusable, match=r"shop\.db: it is not an SQLite database"):
            await client.result("x", 0)
        handle = await client.submit(LOCAL, Buy("Hamlet", 1))
        with pytest.raises(StoreUnusable, match="not an SQLite database"):
            await handle.started(PATIENCE_S)
        file.unlink()
        async with open_at(url_of(tmp_path)):
            assert isinstance((await handle.result(PATIENCE_S)).state, Completed)


@in_loop
async def test_a_store_that_was_put_in_the_place_of_another_is_read(tmp_path: Path) -> None:
    """A client that stays open through it is told what is there now."""
    async with amends.connect(url_of(tmp_path), sagas=SAGAS) as client:
        async with open_at(url_of(tmp_path)):
            before = await client.submit(LOCAL, Buy("Hamlet", 1))
            await before.result(PATIENCE_S)
        for suffix in ("", "-wal", "-shm"):
            await asyncio.to_thread(Path(f"{tmp_path}/shop.db{suffix}").unlink, missing_ok=True)
        async with open_at(url_of(tmp_path)):
            assert isinstance(
                (await (await client.submit(LOCAL, Buy("Hamlet", 1))).result(PATIENCE_S)).state, Completed
            )
            with pytest.raises(RequestRefused, match="no saga"):
                await client.result(before.saga_id, 0)


CLIENT = """
import sys, amends
from tests.client.sagas import ASKED, LOCAL, SAGAS, PATIENCE_S
from tests.engine.world import Buy
with amends.connect(sys.argv[1], sagas=SAGAS) as client:
    handle = client.submit(LOCAL, Buy("Hamlet", 2), key="from a process of its own")
    print(handle.result(PATIENCE_S).saga_id)
"""


@in_loop
async def test_a_client_in_a_process_of_its_own(tmp_path: Path) -> None:
    """It gets the result; another one with the same key the same."""
    async with open_at(url_of(tmp_path)) as engine:
        ids = await asyncio.gather(*(python(CLIENT, url_of(tmp_path)) for _ in range(2)))
        assert ids[0] == ids[1]
        assert await engine.entity("SEATS", "Hamlet") == 8


def test_a_client_is_closed_once_its_event_loop_has_ended(tmp_path: Path) -> None:
    """What it posted is there; while its loop runs, it is closed there and nowhere else."""

    async def leave(client: amends.Client) -> amends.Client:
        await client.submit(LOCAL, Buy("Hamlet", 1))
        with pytest.raises(EngineMisused, match="another event loop"):
            await asyncio.to_thread(asyncio.run, client.close())
        return client

    async def connected() -> amends.Client:
        return await leave(await amends.connect(url_of(tmp_path), sagas=SAGAS).__aenter__())

    async def closed(client: amends.Client) -> None:
        await client.close()
        with pytest.raises(EngineStopped, match="was closed"):
            await client.list()

    asyncio.run(closed(asyncio.run(connected())))
    assert [file.name for file in tmp_path.iterdir()] == ["shop.db.mailbox"]


FORKS = """
import os, sys, amends
from tests.client.sagas import LOCAL, SAGAS, PATIENCE_S
from tests.engine.world import Buy
client = amends.connect(sys.argv[1], sagas=SAGAS).__enter__()
before = client.submit(LOCAL, Buy("Hamlet", 1))
children = []
for _ in range(3):
    child = os.fork()
    if not child:
        client.submit(LOCAL, Buy("Hamlet", 1)).result(PATIENCE_S)
        before.result(PATIENCE_S)
        sys.exit(0)
    children.append(child)
assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0, 0]
client.submit(LOCAL, Buy("Hamlet", 1)).result(PATIENCE_S)
client.close()
"""


@in_loop
async def test_a_client_that_was_connected_before_a_fork_works_in_the_children(tmp_path: Path) -> None:
    """Each connects anew, by itself; the parent's goes on."""
    async with open_at(url_of(tmp_path)) as engine:
        await python(FORKS, url_of(tmp_path))
        assert await engine.entity("SEATS", "Hamlet") == 5


@in_loop
async def test_a_definition_that_was_not_given_is_refused_before_anything_is_posted(url: str) -> None:
    """As is what is none."""
    async with amends.connect(url, sagas=[ASKED]) as client:
        with pytest.raises(DefinitionError, match="'tickets', version 1, was not given"):
            await client.submit(LOCAL, Buy("Hamlet", 1))
