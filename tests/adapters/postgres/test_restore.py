"""A backup by the database's own means: what is restored is a whole shop, and what was lost since is told."""

from __future__ import annotations

import amends
from amends import Completed
from amends.adapters.postgres.address import address_of
from tests.acceptance.command import amends as command
from tests.adapters.postgres.roles import url_as
from tests.adapters.postgres.transfers import TRANSFER
from tests.postgres import Server, own_server, url_of

PATIENCE_S = 60
ENGINE = "shop_engine"


def test_a_dump_is_restored_and_says_what_is_lost() -> None:
    """By a line of heads that was kept elsewhere; engines take over under the rights that were restored."""
    with own_server() as server:
        url = url_of(server.conninfo, "shop")
        server.tool("createuser", ENGINE)
        assert command("db", "init", "--db", url, "--engine-role", ENGINE).code == 0
        with amends.open(url_as(ENGINE, url), sagas=[TRANSFER]) as engine:
            first = engine.submit(TRANSFER, 1, key="first")
            assert isinstance(first.result(PATIENCE_S).state, Completed)
            before = command("audit", "head", "--db", url).out
            server.tool("pg_dump", "--format=custom", "--schema=shop", "-f", server.folder / "dump", "postgres")
            lost = engine.submit(TRANSFER, 2, key="second")
            assert isinstance(lost.result(PATIENCE_S).state, Completed)
            after = command("audit", "head", "--db", url).out
        _restore(server, url)
        assert command("audit", "verify", "--db", url, "--head", before).code == 0
        verified = command("audit", "verify", "--db", url, "--head", after)
        assert verified.code == 1
        assert f"the given head is of block {after.split(':')[1]}: it was cut" in verified.out
        with amends.open(url_as(ENGINE, url), sagas=[TRANSFER]) as engine:
            assert engine.submit(TRANSFER, 1, key="first").saga_id == first.saga_id
            again = engine.submit(TRANSFER, 2, key="second")
            assert again.saga_id != lost.saga_id
            assert isinstance(again.result(PATIENCE_S).state, Completed)
        assert command("audit", "verify", "--db", url, "--head", before).code == 0


def _restore(server: Server, url: str) -> None:
    with address_of(url).connect() as database:
        database.execute("DROP SCHEMA shop CASCADE")
    server.tool("pg_restore", "--exit-on-error", "-d", "postgres", server.folder / "dump")
    with address_of(url).connect() as database:
        database.execute("UPDATE shop.leases SET until_ms = 0")  # as it is some seconds later
