"""What a wire in a PostgreSQL does beside what the port says: positions, claims, partitions, and what can go wrong."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
import pytest

from amends.adapters.postgres import wire as wire_module
from amends.adapters.postgres.address import Address, address_of
from amends.adapters.postgres.store import PostgresStore
from amends.adapters.postgres.wire import PostgresWire
from amends.adapters.postgres.wire_location import PostgresWireLocation
from amends.errors import StoreUnusable, WireAway, WireUnusable
from amends.storage.location import DatabaseRoles
from amends.storage.wire import AGAIN_S, Delivery
from tests.adapters.postgres.pooler import pooled, pooler
from tests.adapters.postgres.roles import roles, url_as
from tests.postgres import own_server, server, url_of

BOUND_S = 60
CHANNEL = "PAYMENT"
START_US = 1_700_000_000_000_000
SLOT_BYTES = 200_000
BULKY = random.Random(1).randbytes(20_000)  # which cannot be packed
SIZES = """
SELECT sum(pg_total_relation_size(inhrelid))::bigint FROM pg_inherits WHERE inhparent IN (
    'messages'::regclass, 'claims'::regclass, 'acknowledgements'::regclass)
"""
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'amends' AND pid <> pg_backend_pid()
"""


class Wired:
    """A wire, and a connection beside it that looks and meddles."""

    def __init__(self, address: Address, wires: Sequence[PostgresWire], database: psycopg.AsyncConnection[Any]) -> None:
        self.address, self.wires, self.database = address, wires, database

    async def found(self, query: str) -> Any:
        """Return the one value that a query gives."""
        row = await (await self.database.execute(query.encode())).fetchone()
        return row and row[0]

    async def says(self, function: str, value: int) -> None:
        """Have a function of the schema give a value."""
        kind = f"FUNCTION {function}() RETURNS bigint LANGUAGE sql VOLATILE"
        await self.database.execute(f"CREATE OR REPLACE {kind} AS 'SELECT {value}::bigint'".encode())

    async def sizes(self) -> int:
        """Return how many bytes all partitions have."""
        return int(await self.found(SIZES))

    async def pass_messages(self, number: int) -> None:
        """Post so many, each taken and acknowledged at once, and have swept after each."""
        one = self.wires[0]
        for _ in range(number):
            await one.post(CHANNEL, [BULKY])
            await one.acknowledge(CHANNEL, await one.take(CHANNEL, 10))
            one._swept_s = 0.0


@asynccontextmanager
async def wired(url: str, number: int = 1, again_s: float = AGAIN_S) -> AsyncIterator[Wired]:
    """Give some ends of a wire, whose schema is there."""
    address = address_of(url)
    wires = [PostgresWire(address, again_s=again_s) for _ in range(number)]
    async with asyncio.timeout(BOUND_S):
        await wires[0].parked(CHANNEL)
        database = await psycopg.AsyncConnection.connect(**address.connection, autocommit=True)
        try:
            async with database:
                await database.execute(f"SET search_path = {address.schema}".encode())
                yield Wired(address, wires, database)
        finally:
            for wire in wires:
                await wire.close()


def run(url: str, said: Callable[[Wired], Awaitable[None]], number: int = 1, again_s: float = AGAIN_S) -> None:
    """Do something with some ends of a wire."""

    async def within() -> None:
        async with wired(url, number, again_s) as one:
            await said(one)

    asyncio.run(within())


def bodies(deliveries: Sequence[Delivery]) -> list[bytes]:
    """Return what they hold."""
    return [delivery.body for delivery in deliveries]


def test_a_commit_that_comes_late_is_not_skipped(url: str) -> None:
    """Who posts behind it waits for it, so that no later position is seen before."""

    async def said(on: Wired) -> None:
        late, after = on.wires
        async with on.database.transaction():
            await on.database.execute("SELECT post('PAYMENT', ARRAY['late'::bytea])")
            behind = asyncio.create_task(after.post(CHANNEL, [b"behind"]))
            await late.post(">one", [b"of another channel"])
            assert bodies(await late.take(">one", 1)) == [b"of another channel"]
            while not await on.found("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
                assert list(await late._take(CHANNEL, 9)) == []
        await behind
        assert bodies(await late.take(CHANNEL, 9)) == [b"late", b"behind"]

    run(url, said, 2)


def test_what_a_dead_host_had_comes_again_by_the_time_of_the_database(url: str) -> None:
    """Not before; to whoever takes, in parts where that takes fewer at once; and then not again for as long."""

    async def said(on: Wired) -> None:
        dead, other = on.wires
        await on.says("now_us", START_US)
        await other.post(CHANNEL, [b"a", b"b", b"c", b"d", b"e"])
        taken = await dead.take(CHANNEL, 5)
        await dead.acknowledge(CHANNEL, [taken[2]])
        await on.says("now_us", START_US + round(AGAIN_S * 1e6) - 1)
        assert list(await other._take(CHANNEL, 5)) == []
        await on.says("now_us", START_US + round(AGAIN_S * 1e6) + 10)
        await other.post(CHANNEL, [b"f"])
        again = [await other._take(CHANNEL, most) for most in (2, 1, 9, 9, 9)]
        assert [bodies(each) for each in again] == [[b"a", b"b"], [b"d"], [b"e"], [b"f"], []]
        await other.acknowledge(CHANNEL, [again[0][1], *again[1]])
        await other.park(CHANNEL, again[3][0], "not of ours")
        await on.says("now_us", START_US + 3 * round(AGAIN_S * 1e6))
        last = [await dead._take(CHANNEL, 9) for _ in range(4)]
        assert [bodies(each) for each in last] == [[b"a"], [b"e"], [], []]

    run(url, said, 2)


def test_what_a_cancelled_take_would_have_given_comes_next(url: str) -> None:
    """At once: by the time of the database it would come again much later."""

    async def said(on: Wired) -> None:
        one, two = on.wires
        await on.says("now_us", START_US)
        found = list[bytes]()
        for number in range(20):
            await two.post(CHANNEL, [b"%d" % number])
            taking = asyncio.create_task(one.take(CHANNEL, 1))
            for _ in range(number):
                await asyncio.sleep(0)
            taking.cancel()
            with suppress(asyncio.CancelledError):
                found += bodies(await taking)
        while len(found) < 20:
            found += bodies(await one.take(CHANNEL, 7))
        assert sorted(found) == sorted(b"%d" % number for number in range(20))

    run(url, said, 2)


def test_a_taker_is_woken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks by itself, and need not wait for that."""
    monkeypatch.setattr(wire_module, "LOOK_EVERY_S", 2 * BOUND_S)

    async def said(on: Wired) -> None:
        one, two = on.wires
        while not two._bell.is_connected or not one._bell.is_connected:
            taking = asyncio.create_task(two.take(CHANNEL, 1))
            await asyncio.sleep(0.01)
            one._bell.listen("nothing", print)
            taking.cancel()
        for waiting, posting in ((two, one), (one, one)):
            taking = asyncio.create_task(waiting.take(CHANNEL, 1))
            await asyncio.sleep(0.1)  # until it waits
            await posting.post(CHANNEL, [b"x"])
            assert bodies(await taking) == [b"x"]

    run(url, said, 2)


def test_a_wait_ends_with_its_wire(url: str) -> None:
    """It was not cancelled, and is told so."""

    async def said(on: Wired) -> None:
        (one,) = on.wires
        waiting = asyncio.create_task(one.take(CHANNEL, 1))
        await one.parked(CHANNEL)
        await one.close()
        with pytest.raises(WireAway, match="the wire is closed"):
            await waiting
        with pytest.raises(WireAway, match="the wire is closed"):
            await one.post(CHANNEL, [b"x"])

    run(url, said)


def test_a_claim_is_looked_at_once_more_and_never_again(url: str) -> None:
    """Also where nothing waits: how far one has looked is kept."""

    async def said(on: Wired) -> None:
        (one,) = on.wires
        await on.says("now_us", START_US)
        for _ in range(150):
            await one.post(CHANNEL, [b"x"])
            await one.acknowledge(CHANNEL, await one._take(CHANNEL, 1))
        await on.says("now_us", START_US + 2 * round(AGAIN_S * 1e6))
        for _ in range(5):
            assert list(await one._take(CHANNEL, 9)) == []
        assert await on.found("SELECT count(*) FROM claims") == 151
        assert await on.found("SELECT count(*) FROM claims WHERE taken_us < (SELECT max(looked_us) FROM claims)") == 150

    run(url, said)


def test_a_clock_that_goes_back_loses_nothing(url: str) -> None:
    """A position is larger than those before, whatever the time is."""

    async def said(on: Wired) -> None:
        (one,) = on.wires
        await on.says("now_us", START_US)
        await one.post(CHANNEL, [b"a", b"b"])
        await one.acknowledge(CHANNEL, await one.take(CHANNEL, 9))
        await on.database.execute("TRUNCATE messages")
        await on.says("now_us", START_US - 3_600_000_000)
        for body in (b"c", b"d"):
            await one.post(CHANNEL, [body])
            assert bodies(await one.take(CHANNEL, 9)) == [body]

    run(url, said)


@pytest.mark.parametrize("held", ["nothing", "a snapshot"])
def test_partitions_that_are_done_with_are_emptied_whole(url: str, held: str) -> None:
    """Also while another program has a transaction open: nothing is left to walk over."""

    async def said(on: Wired) -> None:
        await on.says("slot_bytes", SLOT_BYTES)
        async with await psycopg.AsyncConnection.connect(**on.address.connection) as holder:
            if held == "a snapshot":
                await holder.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
                await holder.execute("SELECT pg_current_xact_id()")
            await on.pass_messages(100)
            assert await on.found("SELECT count(*) FROM rotations") >= 5
            assert await on.sizes() < 6 * SLOT_BYTES
            assert await on.found("SELECT count(*) FROM waiting") == 0
            dead = "SELECT sum(n_dead_tup) FROM pg_stat_user_tables WHERE schemaname = current_schema()"
            assert not await on.found(dead)

    run(url, said)


def test_what_waits_is_carried_on_and_what_is_too_old_is_not(url: str) -> None:
    """Messages that nobody takes, and one that a dead host took; each comes once, however often it was carried."""

    async def said(on: Wired) -> None:
        (one,) = on.wires
        await on.says("slot_bytes", SLOT_BYTES)
        await on.says("kept_us", 3_600_000_000)
        await one.post(">gone", [b"too old"])
        await on.database.execute("UPDATE messages SET posted_us = posted_us - 3600000000 - 1")
        await one.post(">one", [b"a", b"b"])
        await one.post(">two", [b"c", b"d"])
        assert bodies(await one.take(">two", 1)) == [b"c"]
        await on.pass_messages(100)
        assert await on.found("SELECT count(*) FROM rotations") >= 5
        assert bodies(await one.take(">one", 9)) == [b"a", b"b"]
        assert bodies(await one.take(">two", 9)) == [b"c", b"d"]
        assert await on.found("SELECT count(*) FROM messages WHERE channel = '>gone'") == 0

    run(url, said)


def test_what_waits_is_not_carried_on_at_a_higher_price_than_it_was_written_for(url: str) -> None:
    """A service that is down for long: its messages wait, and what else is written is emptied all the same."""

    async def said(on: Wired) -> None:
        (one,) = on.wires
        await on.says("slot_bytes", SLOT_BYTES)
        for _ in range(50):
            await one.post("DOWN", [BULKY])
        before_wal = await on.found("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        await on.pass_messages(200)
        written = await on.found("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn") - before_wal
        assert written < 3 * 200 * len(BULKY)
        assert await on.sizes() < 5 * 50 * len(BULKY)
        assert len(await one.take("DOWN", 99)) == 50

    run(url, said)


def test_a_program_that_reads_a_partition_is_waited_for_by_nobody(url: str) -> None:
    """It keeps the partition from being emptied as long as it is open, and nothing else."""

    async def said(on: Wired) -> None:
        await on.says("slot_bytes", SLOT_BYTES)
        async with await psycopg.AsyncConnection.connect(**on.address.connection) as reader:
            await reader.execute(f"SET LOCAL search_path = {on.address.schema}".encode())
            await reader.execute("SELECT count(*) FROM messages")
            await on.pass_messages(20)
            assert await on.found("SELECT count(*) FROM rotations") == 0
        await on.pass_messages(20)
        assert await on.found("SELECT count(*) FROM rotations") >= 1

    run(url, said)


@pytest.mark.parametrize(
    "harm",
    [
        "TRUNCATE rotations, claims, messages, acknowledgements, parked",
        "TRUNCATE claims RESTART IDENTITY",
        "TRUNCATE acknowledgements",
        "TRUNCATE messages",
        "TRUNCATE rotations",
        "DROP SCHEMA {schema} CASCADE",
    ],
)
def test_what_an_operator_empties_under_load_costs_messages_and_nothing_else(url: str, harm: str) -> None:
    """What is posted afterwards comes; a call of each end may fail before."""

    async def said(on: Wired) -> None:
        sender, taker = on.wires
        found, posted = list[bytes](), list[bytes]()

        async def take() -> None:
            while b"last" not in found:
                with suppress(WireAway):
                    some = await taker.take(CHANNEL, 5)
                    found.extend(bodies(some))
                    await taker.acknowledge(CHANNEL, some)

        async def post(body: bytes) -> None:
            await sender.post(CHANNEL, [body])
            posted.append(body)

        taking = asyncio.create_task(take())
        for number in range(30):
            await post(b"%d" % number)
        await patiently(on, harm.format(schema=on.address.schema))
        posted.clear()
        for number in range(30, 60):
            with suppress(WireAway):
                await post(b"%d" % number)
        await post(b"last")
        await taking
        assert len(posted) > 20
        assert {*found} >= {*posted}

    run(url, said, 2)


async def patiently(on: Wired, statement: str) -> None:
    """Carry it out, however often the server prefers the others."""
    while True:
        with suppress(psycopg.errors.DeadlockDetected):
            await on.database.execute(statement.encode())
            return


def test_a_lost_connection_is_made_anew(url: str) -> None:
    """The call that finds it lost says so, and the next one goes on; what was taken comes again."""

    async def said(on: Wired) -> None:
        one, two = on.wires
        await one.post(CHANNEL, [b"a"])
        await two.take(CHANNEL, 1)
        await on.database.execute(CUT)
        for wire in on.wires:
            with pytest.raises(WireAway, match="the database is away"):
                await wire.post(CHANNEL, [b"b"])
        await one.post(CHANNEL, [b"c"])
        found = list[bytes]()
        while {*found} != {b"a", b"c"}:
            found += bodies(await two.take(CHANNEL, 9))

    run(url, said, 2, again_s=0.1)


def test_a_server_that_is_killed_and_comes_back() -> None:
    """Every call says that it is away, at once; what was on its disk comes."""

    async def said(on: Wired, crash: Callable[[], None], start: Callable[[], None]) -> None:
        (one,) = on.wires
        await one.post(CHANNEL, [b"a"])
        await one.park(CHANNEL, Delivery(b"b", 1), "which syncs, and so is what was before")
        waiting = asyncio.create_task(one.take(">nobody", 1))
        await asyncio.to_thread(crash)
        (delivery,) = [Delivery(b"a", 1)]
        for call in (
            lambda: one.post(CHANNEL, [b"c"]),
            lambda: one.take(CHANNEL, 1),
            lambda: one.acknowledge(CHANNEL, [delivery]),
            lambda: one.park(CHANNEL, delivery, "why"),
            lambda: one.parked(CHANNEL),
            one.ping,
            lambda: waiting,
        ):
            with pytest.raises(WireAway, match="the database is away"):
                await call()
        await asyncio.to_thread(start)
        assert bodies(await one.take(CHANNEL, 9)) == [b"a"]
        assert bodies(await one.parked(CHANNEL)) == [b"b"]  # type: ignore[arg-type]

    with own_server() as own:

        async def within() -> None:
            async with wired(url_of(own.conninfo, "wire")) as on:
                await said(on, own.crash, own.start)

        asyncio.run(within())


def test_it_works_by_a_pooler_of_one_session(url: str) -> None:
    """Nothing is expected of a session: two ends share it, and look by themselves."""

    async def said(on: Wired) -> None:
        one, two = on.wires
        for number in range(20):
            await one.post(CHANNEL, [b"%d" % number])
            some = await two.take(CHANNEL, 1)
            assert bodies(some) == [b"%d" % number]
            await two.acknowledge(CHANNEL, some)
        assert not one._bell.is_connected

    async def within(conninfo: str) -> None:
        address = address_of(pooled(conninfo, address_of(url).schema))
        async with wired(url) as on:
            on.wires = [PostgresWire(address), PostgresWire(address)]
            try:
                await said(on)
            finally:
                for wire in on.wires:
                    await wire.close()

    with pooler(server(), size=2) as conninfo:
        asyncio.run(within(conninfo))


def test_a_role_that_reads_and_appends_can_do_all(url: str) -> None:
    """And changes, deletes and truncates nothing, but by the sweep, of what is done with."""

    async def said(on: Wired) -> None:
        (one,) = on.wires
        await on.says("slot_bytes", SLOT_BYTES)
        end = PostgresWire(address_of(url_as(role, url)))
        on.wires = [end]
        await on.pass_messages(60)
        assert await on.found("SELECT count(*) FROM rotations") >= 2
        await end.park(CHANNEL, Delivery(b"x", 1), "why")
        await end.close()
        on.wires = [one]
        database = await psycopg.AsyncConnection.connect(**address_of(url_as(role, url)).connection, autocommit=True)
        async with database:
            for statement in (
                "DELETE FROM {}.messages", "UPDATE {}.claims SET first = 0", "TRUNCATE {}.messages",
                "TRUNCATE {}.messages_0", "DELETE FROM {}.parked", "INSERT INTO {}.rotations VALUES (99, 0)",
            ):  # fmt: skip
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await database.execute(statement.format(on.address.schema).encode())

    with roles("host") as (role,):
        location = PostgresWireLocation(url)
        with pytest.raises(WireUnusable, match=r"this role may not make the schema .*amends db init --wire"):
            asyncio.run(PostgresWire(address_of(url_as(role, url))).parked(CHANNEL))
        location.migrate(DatabaseRoles())
        with pytest.raises(WireUnusable, match=f"role '{role}' lacks USAGE on the schema, SELECT on messages"):
            asyncio.run(PostgresWire(address_of(url_as(role, url))).parked(CHANNEL))
        location.migrate(DatabaseRoles(engine=role))
        assert not [fact for fact in location.check(DatabaseRoles(engine=role)) if fact.fault]
        run(url, said)


def test_a_schema_is_a_store_or_a_wire(url: str) -> None:
    """Neither takes the other's for its own."""

    async def parked() -> None:
        wire = PostgresWire(address_of(url))
        try:
            await wire.parked(CHANNEL)
        finally:
            await wire.close()

    store = PostgresStore(url)
    store.close()
    with pytest.raises(WireUnusable, match="that is no wire: give another name"):
        asyncio.run(parked())
    with psycopg.connect(server(), autocommit=True) as database:
        database.execute(f"DROP SCHEMA {address_of(url).schema} CASCADE".encode())
    asyncio.run(parked())
    with pytest.raises(StoreUnusable, match="that is none of Amends'"):
        PostgresStore(url)


def test_a_wire_that_can_never_be_had_is_told_at_once() -> None:
    """In one line, with no password."""

    async def parked(url: str) -> None:
        wire = PostgresWire(address_of(url))
        try:
            await wire.parked(CHANNEL)
        finally:
            await wire.close()

    url = url_of(server(), "wire").replace("postgres@", "nobody_at_all:secret@")
    with pytest.raises(WireUnusable, match='role "nobody_at_all" does not exist') as raised:
        asyncio.run(parked(url))
    assert not isinstance(raised.value, WireAway)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "foreign",
    [
        "INSERT INTO messages VALUES (now_us() + 31536000000000, now_us(), 0, 'PAYMENT', 'x')",
        "INSERT INTO messages VALUES (-5, 0, 0, 'PAYMENT', 'x')",
        "INSERT INTO claims VALUES (now_us() + 1, 1, 0, now_us() + 31536000000000, 0, 0, 0, 'PAYMENT')",
        "INSERT INTO claims VALUES (now_us() + 31536000000000, 1, 0, 0, now_us() + 31536000000000, 0, 0, 'PAYMENT')",
        "INSERT INTO claims VALUES (now_us() + 1, 1, 0, now_us(), {MAX}, {MAX}, 0, 'PAYMENT')",
        "INSERT INTO rotations VALUES (4611686018427387904, 0)",
        "INSERT INTO acknowledgements SELECT now_us() + g, 0, 'PAYMENT' FROM generate_series(0, 1000) AS g",
        "DROP TABLE parked",
        "SELECT post('PAYMENT', ARRAY[repeat('x', 5000000)::bytea])",
    ],
)
def test_rows_of_others_in_its_tables_stop_nothing(url: str, foreign: str) -> None:
    """What is posted afterwards comes."""

    async def said(on: Wired) -> None:
        (one,) = on.wires
        await one.post(CHANNEL, [b"before"])
        await one.acknowledge(CHANNEL, await one.take(CHANNEL, 5))
        await on.database.execute(foreign.replace("{MAX}", str(2**63 - 1)).encode())
        await one.post(CHANNEL, [b"after"])
        found = list[bytes]()
        while b"after" not in found:
            some = await one.take(CHANNEL, 5)
            found += [delivery.body for delivery in some]
            await one.acknowledge(CHANNEL, some)

    run(url, said)


def test_rights_that_are_taken_away_are_told(url: str) -> None:
    """Given back, all goes on."""
    with roles("host") as (role,):
        PostgresWireLocation(url).migrate(DatabaseRoles(role))

        async def said(on: Wired) -> None:
            wire = PostgresWire(address_of(url_as(role, url)))
            try:
                await wire.post(CHANNEL, [b"before"])
                await on.database.execute(f"REVOKE INSERT ON messages FROM {role}".encode())
                with pytest.raises(WireAway, match="permission denied for table messages"):
                    await wire.post(CHANNEL, [b"denied"])
                await on.database.execute(f"GRANT INSERT ON messages TO {role}".encode())
                await wire.post(CHANNEL, [b"after"])
                found = [delivery.body for delivery in await wire.take(CHANNEL, 9)]
                assert found == [b"before", b"after"]
            finally:
                await wire.close()

        run(url, said)
