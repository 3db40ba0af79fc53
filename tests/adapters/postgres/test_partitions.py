"""The audit lies in months, made ahead by whichever engine; those before all sagas that are there leave whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import amends
from amends import Completed, Saga, wait_for
from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres import partitions as leaving_months
from amends.adapters.postgres.location import PostgresLocation
from amends.adapters.postgres.reader import PostgresReader
from amends.adapters.sqlite.reader import SqliteReader
from amends.auditing.recompute import recompute
from amends.auditing.verify import verify
from amends.engine.blocking import BlockingEngine
from amends.errors import StoreBusy, StoreConflict, StoreUnusable
from amends.storage.location import DatabaseRoles
from amends.storage.rows import KeyRow
from tests.acceptance.command import amends as command
from tests.adapters.postgres.months import connected, let_it_be, make_long_ago, partitions, rows_of
from tests.adapters.postgres.roles import roles, url_as
from tests.adapters.postgres.transfers import TRANSFER

PATIENCE_S = 60.0
LATER_MS = 2**60  # all months that ended, ended before
RECENT = 0.6  # months ago: less than 30 days
LATE = """
INSERT INTO blocks (number, at_ms, started, ended, checksum, chain, before, head, records, beside)
SELECT 1, min(at_ms), 0, 0, 0, 'late', '', '', '', '' FROM blocks
"""
ASKED = Saga("asked", int, [wait_for("APPROVED", assignee=str, limit_s=10 * 365 * 86_400)])
"""One that waits."""


@pytest.fixture
def long_ago(url: str) -> str:
    """Return the URL of a store with sagas of each of three months, the first of which was four months ago."""
    make_long_ago(url, 4)
    for months in (4, 3, 2):
        work_in(url, months)
    let_it_be(url, 0)
    return url


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Return where the archive is to be."""
    return tmp_path / "old.db"


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """Return where the audit is to go."""
    return tmp_path / "old.audit"


def work_in(url: str, months_ago: int, *accounts: int) -> None:
    """Run an engine, and some sagas, so many months ago."""
    let_it_be(url, months_ago)
    with amends.open(url, sagas=[TRANSFER, ASKED]) as engine:
        handles = [engine.submit(TRANSFER, account) for account in accounts or (1, 2, 10)]
        assert all(handle.result(PATIENCE_S) for handle in handles)


def archive(url: str, into: Path) -> None:
    """Have the sagas leave that ended."""
    assert sum(PostgresLocation(url).archive(str(into), LATER_MS)) > 0


def left(url: str, audit: Path) -> list[int]:
    """Have months of the audit leave; how many blocks each had."""
    return [*PostgresLocation(url).archive_audit(str(audit), LATER_MS)]


def is_whole(url: str, into: Path, *audits: Path) -> bool:
    """Whether all is as the audit says, by its records and by what these lead to."""
    files = [*map(str, audits)]
    with closing(PostgresReader(address_of(url), files)) as store, closing(SqliteReader(into)) as old:
        verdict = verify(store, archives=[old], problems=store.problems())
        return verdict.is_whole and not [*verdict.findings, *recompute(store, [TRANSFER, ASKED]).findings]


def test_each_month_has_a_partition_whichever_engine_makes_it(long_ago: str) -> None:
    """A store that nobody opened for a while gets one for that time; the net stays empty."""
    work_in(long_ago, -3)
    names = partitions(long_ago)
    assert names[0] == "before"
    assert len(names) >= 7
    with connected(long_ago) as driver:
        used = driver.execute("SELECT DISTINCT tableoid::regclass::text FROM blocks").fetchall()
        about = driver.execute("SELECT DISTINCT tableoid::regclass::text FROM subjects").fetchall()
    assert len(used) == 4
    assert rows_of(long_ago, "blocks_rest") == rows_of(long_ago, "subjects_rest") == 0
    assert {name.replace("subjects", "blocks") for (name,) in about} == {name for (name,) in used}


def test_months_whose_sagas_have_left_leave_whole(long_ago: str, into: Path, audit: Path) -> None:
    """What is left is verified with the file, and not without it; engines go on."""
    blocks, heads = rows_of(long_ago, "blocks"), rows_of(long_ago, "heads")
    archive(long_ago, into)
    assert len(gone := left(long_ago, audit)) >= 3
    assert sum(gone) == blocks
    assert rows_of(long_ago, "heads") > heads == blocks
    assert "before" not in partitions(long_ago)
    work_in(long_ago, 0)
    assert is_whole(long_ago, into, audit)
    assert left(long_ago, audit) == []
    with closing(PostgresReader(address_of(long_ago))) as store:
        verdict = verify(store, problems=store.problems())
        assert not verdict.is_whole
        assert ["give the file that" in finding.what for finding in verdict.findings if finding.where == "file"] == [
            True
        ]
        assert [*store.problems()] == []


def test_engines_run_meanwhile(long_ago: str, into: Path, audit: Path) -> None:
    """Their sagas of today keep no month of before."""
    archive(long_ago, into)
    with amends.open(long_ago, sagas=[TRANSFER]) as engine:
        handles = [engine.submit(TRANSFER, account) for account in range(20)]
        assert left(long_ago, audit)
        handles += [engine.submit(TRANSFER, account) for account in range(20)]
        assert all(handle.result(PATIENCE_S) for handle in handles)
    assert is_whole(long_ago, into, audit)


def test_a_saga_that_is_still_there_keeps_the_months_since_it_began(url: str, into: Path, audit: Path) -> None:
    """Its whole story is here, as is what came beside it."""
    make_long_ago(url, 4)
    work_in(url, 4)
    let_it_be(url, 3)
    with amends.open(url, sagas=[TRANSFER, ASKED]), amends.connect(url, sagas=[TRANSFER, ASKED]) as client:
        waits = client.submit(ASKED, 1).started(timeout=PATIENCE_S)
    work_in(url, 2)
    let_it_be(url, 0)
    archive(url, into)
    assert len(left(url, audit)) == 1
    with closing(PostgresReader(address_of(url), [str(audit)])) as store:
        assert [*store.blocks_about(waits)]
    assert is_whole(url, into, audit)


def test_months_can_go_into_several_files(long_ago: str, into: Path, audit: Path) -> None:
    """Given together, in any order; one that was killed in between is in two of them."""
    archive(long_ago, into)
    other, leaving = audit.with_suffix(".other"), PostgresLocation(long_ago).archive_audit(str(audit), LATER_MS)
    next(leaving)
    with pytest.MonkeyPatch.context() as killed:
        killed.setattr(leaving_months, "_drop", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            next(leaving)
    assert left(long_ago, other)
    assert is_whole(long_ago, into, audit, other)
    assert is_whole(long_ago, into, other, audit)
    assert not is_whole_without(long_ago, other)


def is_whole_without(url: str, *audits: Path) -> bool:
    """Whether a verification that is not given all files reaches the end."""
    with closing(PostgresReader(address_of(url), [*map(str, audits)])) as store:
        return verify(store).is_whole


def test_a_block_that_comes_into_a_copied_month_keeps_it(
    long_ago: str, into: Path, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an engine whose clock is months behind."""
    archive(long_ago, into)
    copied = leaving_months._blocks

    def blocks(*where: int) -> Iterator[tuple[object, ...]]:
        yield from copied(*where)  # type: ignore[arg-type]
        with connected(long_ago) as driver:
            driver.execute(LATE)

    monkeypatch.setattr(leaving_months, "_blocks", blocks)
    with pytest.raises(StoreConflict, match="a block came into a month that was copied: run it again"):
        left(long_ago, audit)
    assert partitions(long_ago)[0] == "before"
    monkeypatch.undo()
    with connected(long_ago) as driver:
        driver.execute("DELETE FROM blocks WHERE chain = 'late'")
        driver.execute("DELETE FROM heads WHERE chain = 'late'")
    assert left(long_ago, audit)
    assert is_whole(long_ago, into, audit)


def test_a_commit_that_is_under_way_is_waited_for_in_short_tries(
    long_ago: str, into: Path, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the commits behind it wait no longer than a try; engines go on."""
    archive(long_ago, into)
    monkeypatch.setattr(leaving_months, "DROP_TRIES", 2)
    with connected(long_ago) as other:
        with other.transaction():
            other.execute("LOCK TABLE ONLY blocks IN ROW EXCLUSIVE MODE")
            with pytest.raises(StoreBusy, match="no moment to drop a month"):
                left(long_ago, audit)
            work_in(long_ago, 0)
        assert left(long_ago, audit)
    assert is_whole(long_ago, into, audit)


def test_what_no_partition_was_made_for_is_in_the_net_until_one_is(url: str) -> None:
    """No commit fails for it; `amends db check` says so."""
    PostgresStore(url).close()
    assert not [fact for fact in PostgresLocation(url).check(DatabaseRoles()) if fact.fault]
    with connected(url) as driver:
        driver.execute("ALTER FUNCTION keep_partitions RENAME TO out_of_reach")
    work_in(url, -4)
    assert rows_of(url, "blocks_rest") > 0
    with connected(url) as driver:
        driver.execute("ALTER FUNCTION out_of_reach RENAME TO keep_partitions")
    (fact,) = [fact for fact in PostgresLocation(url).check(DatabaseRoles()) if fact.fault]
    assert (fact.name, "do not leave with a month" in fact.fault) == ("partitions", True)
    work_in(url, -4)
    assert rows_of(url, "blocks_rest") == rows_of(url, "subjects_rest") == 0
    assert not [fact for fact in PostgresLocation(url).check(DatabaseRoles()) if fact.fault]
    with closing(PostgresReader(address_of(url))) as store:
        assert [*verify(store, problems=store.problems()).findings] == []


def test_an_engine_makes_months_and_drops_none(url: str, audit: Path) -> None:
    """Under a role of its own, which owns no table; the owner alone lets them leave."""
    with roles("engine", "client") as (engine, client):
        make_long_ago(url, 2)
        PostgresLocation(url).migrate(DatabaseRoles(engine, client))
        before, own = len(partitions(url)), url_as(engine, url)
        let_it_be(url, 0)
        with amends.open(own, sagas=[TRANSFER]) as opened:
            assert isinstance(opened.submit(TRANSFER, 1).result(PATIENCE_S).state, Completed)
        assert len(partitions(url)) > before
        with pytest.raises(StoreUnusable, match=f"role '{engine}' lacks DELETE on sagas; `amends archive` is for"):
            left(own, audit)
        with connected(url) as driver:
            driver.execute(f"GRANT DELETE ON sagas TO {engine}".encode())
        with pytest.raises(StoreUnusable, match=f"role '{engine}' does not own the audit"):
            left(own, audit)
        assert not audit.exists()
        facts = [*PostgresLocation(url).check(DatabaseRoles(client=client))]
        assert [fact.fault for fact in facts] == [""] * len(facts)


def test_client_keys_that_started_nothing_leave_with_their_month(
    url: str, into: Path, audit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pages, killed in between or not; one of the last 30 days stays, and one that left may be used anew."""
    monkeypatch.setattr(leaving_months, "KEYS_PAGE", 2)
    make_long_ago(url, 4)
    for months in (4, 3, RECENT):
        let_it_be(url, months)
        with amends.open(url, sagas=[TRANSFER]) as engine:
            for number in range(5):
                remember(engine, f"kept {months} {number}")
            engine.submit(TRANSFER, 1, key=f"started {months}").result(PATIENCE_S)
    let_it_be(url, 0)
    archive(url, into)
    with pytest.MonkeyPatch.context() as killed:
        killed.setattr(leaving_months, "_drop", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            left(url, audit)
    assert left(url, audit)
    with closing(PostgresReader(address_of(url))) as store:
        assert {row.key for row in store.all_keys() if isinstance(row, KeyRow)} == {
            f"kept {RECENT} {number}" for number in range(5)
        }
    assert is_whole(url, into, audit)
    with amends.open(url, sagas=[TRANSFER]) as engine:
        remember(engine, "kept 4 1")
        key = f"kept {RECENT} 1"
        assert engine.transact(lambda of: of.recall(key, "asked"), [key]) == "answer"
    assert is_whole(url, into, audit)


def remember(engine: BlockingEngine, key: str) -> None:
    """Keep an answer under a client key that is new."""
    assert engine.transact(lambda of: of.recall(key, "asked", "new"), [key]) == "new"
    engine.transact(lambda of: of.remember(key, "asked", "answer"), [key])


def test_the_commands_say_how_much_left_and_read_it(long_ago: str, into: Path, audit: Path) -> None:
    """One line each; a wrong file is named, and nothing has changed."""
    words = ("--before", "2999-01-01", "--to", str(into), "--audit-to", str(audit), "--db", long_ago)
    said = command("archive", *words).out.splitlines()
    assert said[0] == f"9 sagas moved to {into}"
    assert said[1].endswith(f" blocks moved to {audit}")
    module = "tests.adapters.postgres.test_partitions"
    for check in (["verify", "--archive", str(into)], ["export"], ["recompute", module]):
        refused = command("audit", *check, "--db", long_ago)
        assert (refused.code, "--audit-file" in refused.out + refused.err) == (1, True)
        assert command("audit", *check, "--db", long_ago, "--audit-file", str(audit)).code == 0
    for wrong, why in ((into, "it is no file that"), (into.with_name("none"), "there is no such file")):
        refused = command("audit", "verify", "--db", long_ago, "--audit-file", str(wrong))
        assert (refused.code, why in refused.err, refused.err.count("\n")) == (2, True, 1)


def test_a_file_has_the_audit_of_one_store(long_ago: str, into: Path, audit: Path) -> None:
    """Another block in the place of one is refused, and nothing is dropped."""
    archive(long_ago, into)
    leaving = PostgresLocation(long_ago).archive_audit(str(audit), LATER_MS)
    with pytest.MonkeyPatch.context() as killed:
        killed.setattr(leaving_months, "_drop", lambda *_: None)
        next(leaving)
    with connected(long_ago) as driver:
        driver.execute("UPDATE blocks SET records = records || ' ' WHERE number = 1")
    with pytest.raises(StoreUnusable, match="it has the audit of another store: give another file"):
        left(long_ago, audit)
    assert partitions(long_ago)[0] == "before"
