"""Every command on a store in a PostgreSQL: what a file shows and takes, and in one line what it does not."""

from __future__ import annotations

import json
import re
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest

import amends as package
from amends import Abandoned, Compensated
from amends.adapters.postgres import PostgresStore, address_of
from amends.adapters.postgres.migrations import MIGRATED_BY, VERSION
from amends.engine.blocking import BlockingEngine
from amends.errors import AmendsError
from amends.storage.budgets import BudgetShare
from amends.storage.letters import start_letter
from amends.storage.rows import Letter
from tests.acceptance.command import EXAMPLES, Ran, amends
from tests.engine.test_engine import PATIENCE_S
from tests.engine.test_verbs import ORDER, Bank, stuck
from tests.postgres import own_server, schema, server, url_of

AS_IT_WAS = " ✔ all is as it was written"
DEFINITIONS = "tests.engine.test_verbs"


class Shop(NamedTuple):
    """A running engine on a schema of its own, with a saga that waits for an operator.

    Attributes:
        engine: it.
        url: of the schema.
        bank: refunds once it is open.
        saga_id: of the saga.
    """

    engine: BlockingEngine
    url: str
    bank: Bank
    saga_id: str

    def say(self, *words: str) -> Ran:
        """Run a command on the store."""
        return amends(*words, "--db", self.url)


@contextmanager
def opened(bank: Bank, url: str) -> Iterator[BlockingEngine]:
    """Give an engine that has shards."""
    with package.open(url, sagas=[ORDER], clients={"CARD": bank, "PARCEL": None}) as engine:
        yield engine


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a schema that is not there yet."""
    with schema() as url:
        yield url


@pytest.fixture
def shop(url: str) -> Iterator[Shop]:
    """Return a shop whose engine runs."""
    bank = Bank()
    with opened(bank, url) as engine:
        yield Shop(engine, url, bank, stuck(engine))


@pytest.fixture
def ran() -> Iterator[str]:
    """Return the URL of a store of an order."""
    with schema() as url:
        assert amends("run", "--db", url, EXAMPLES[0]).code == 0
        yield url


# Looking -----------------------------------------------------------------------------------------------------


def test_orders_are_run_shown_and_verified(ran: str) -> None:
    """By the commands that a file has; run again, nothing is done twice."""
    assert "had been carried out before" in amends("run", "--db", ran, EXAMPLES[0]).err
    looks: Sequence[tuple[Sequence[str], str]] = (
        (["sagas"], "O001"),
        (["sagas", "--status", "completed", "--json"], '"saga_id": "O001"'),
        (["show", "O001"], "completed"),
        (["status"], "completed"),
        (["audit", "verify"], AS_IT_WAS),
        (["audit", "recompute"], "all is what the records lead to"),
        (["audit", "export"], '"subject":"O001"'),
        (["audit", "export", "--format", "csv"], "O001"),
        (["db", "check"], f"version {VERSION}"),
    )
    for words, says in looks:
        looked = amends(*words, "--db", ran)
        assert (looked.code, looked.err) == (0, ""), words
        assert says in looked.out, words


def test_the_heads_of_all_chains_are_kept_on_a_line(ran: str) -> None:
    """Each run is an engine with a chain of its own; a chain that was cut is found by the line."""
    amends("run", "--db", ran, "--again", EXAMPLES[0])
    line = amends("audit", "head", "--db", ran).out
    assert len(line.split()) == 2
    assert line.count("\n") == 1
    assert amends("audit", "verify", "--db", ran, "--head", line).code == 0
    chain, _, head = line.split()[0].split(":")
    later = f"{chain}:999:{head} {line.split()[1]}"
    verified = amends("audit", "verify", "--db", ran, "--head", later)
    assert verified.code == 1
    assert f"the chain {chain} ends with block " in verified.out
    twice = amends("audit", "verify", "--db", ran, "--head", f"{line.split()[0]} {line.split()[0]}")
    assert (twice.code, twice.out) == (2, "")
    assert "two heads of one chain" in twice.err


DAMAGE = {
    "UPDATE entities SET body = '7' WHERE service = 'INVENTORY'": "entity INVENTORY/P001",
    "UPDATE client_keys SET answer = '7' WHERE key = (SELECT min(key) FROM client_keys)": "key ",
    "UPDATE sagas SET status = 'backward'": "saga O001",
    "DELETE FROM subjects": "it is not found by ",
    "UPDATE shapes SET shape = '7'": "shape ",
    "UPDATE blocks SET records = records || ' ' WHERE number = 2": "its head is not the hash of its records",
}


@pytest.mark.parametrize("statement", DAMAGE)
def test_what_is_changed_behind_its_back_is_found(statement: str, ran: str) -> None:
    """Whatever table it is in."""
    _execute(ran, statement)
    verified = amends("audit", "verify", "--db", ran)
    assert verified.code == 1
    assert DAMAGE[statement] in verified.out


def test_a_damaged_letter_is_found(ran: str) -> None:
    """It stays where it is, and no engine acts on it."""
    _post(ran)
    _execute(ran, "UPDATE letters SET posted_ms = posted_ms + 1")
    verified = amends("audit", "verify", "--db", ran)
    assert verified.code == 1
    assert "letter L1: its checksum does not match its values" in verified.out


# Status ------------------------------------------------------------------------------------------------------


def test_engines_and_their_shards_are_shown(shop: Shop) -> None:
    """How long each lease lasts, and since when the engine commits; as a document, too."""
    out = shop.say("status").out
    ((name, shards),) = re.findall(r"^engines +(\w+): 64 (shards), lease for \d+ m?s, since 20", out, re.MULTILINE)
    document = json.loads(shop.say("status", "--json").out)
    (engine,) = document["engines"]
    assert (engine["name"], len(engine["shards"]), shards) == (name, 64, "shards")
    assert 0 < engine["left_ms"] <= 4_500
    assert document["free_shards"] == 0
    assert document["letters"] == {"starts": 0, "others": 0, "oldest_ms": None, "why": ""}
    assert f"head            {name}:" in out


def test_places_of_a_limit_for_all_engines_are_shown(ran: str) -> None:
    """Which engine has how many of how many; as a document, too."""
    store = PostgresStore(ran)
    store.ownership.enter("other", 600_000)
    store.ownership.share_places("other", [BudgetShare("other", "CARD", 9), BudgetShare("other", "MAIL", 1)])
    store.close()
    out = amends("status", "--db", ran).out
    assert re.search(
        r"^engines +other: 0 shards, lease for .*, 9 of 9 places at CARD, 1 of 1 places at MAIL$", out, re.MULTILINE
    )
    (engine,) = json.loads(amends("status", "--json", "--db", ran).out)["engines"]
    assert engine["places"] == {"CARD": {"has": 9, "of": 9}, "MAIL": {"has": 1, "of": 1}}


def test_why_the_oldest_letter_waits(ran: str) -> None:
    """No engine; one that has not its shard; one that is gone; one that is to act on it."""
    _post(ran)
    shard = _letter().shard
    store = PostgresStore(ran)
    told = [amends("status", "--db", ran).out]
    store.ownership.enter("other", 600_000, ["order/1/f"])
    told.append(amends("status", "--db", ran).out)
    store.ownership.claim("other", [shard])
    told.append(amends("status", "--db", ran).out)
    _execute(ran, "UPDATE leases SET until_ms = 0")
    told.append(amends("status", "--db", ran).out)
    store.ownership.enter("third", 600_000)
    told.append(amends("status", "--db", ran).out)
    store.close()
    whys = [re.findall(r"^oldest letter +since .*?: (.*)$", out, re.MULTILINE)[0] for out in told]
    assert whys == [
        "no engine is seen",
        f"no engine has shard {shard} yet: one that runs takes it in some seconds",
        f"other is to act on it, which has shard {shard}",
        "no engine runs",
        f"other is gone, which has shard {shard}: another engine takes over",
    ]
    assert all("letters         1 start, 0 answers and verbs" in out for out in told)
    assert "shards          63 of 64 have no engine" in told[-1]
    assert re.search(r"other: 1 shard, gone for \d+ d", told[-1])


# Verbs -------------------------------------------------------------------------------------------------------


def test_a_running_engine_is_told(shop: Shop) -> None:
    """By a letter, which it acts on."""
    shop.bank.is_open = True
    said = shop.say("retry", shop.saga_id, "--by", "ann", "--reason", "the account is open again")
    assert (said.code, said.err) == (0, "")
    assert said.out.endswith(f"{shop.saga_id}: done\n")
    assert isinstance(shop.engine.result(shop.saga_id, PATIENCE_S).state, Compensated)
    (verb,) = shop.engine.describe(shop.saga_id).verbs
    assert (verb.verb, verb.by) == ("retry", "ann")


def test_where_no_engine_runs_the_letter_waits_or_one_is_opened(url: str) -> None:
    """As with a file; the engine that is opened here takes over from one that is gone, and goes."""
    with opened(Bank(), url) as engine:
        first, second = stuck(engine), stuck(engine)
    said = amends("abandon", first, "--by", "ann", "--db", url)
    assert said.code == 3
    assert f"{first}: no engine has acted on it yet; the letter waits for one." in said.err
    dead = PostgresStore(url)
    dead.ownership.enter("dead", 1)
    dead.ownership.claim("dead", range(64))
    dead.close()
    said = amends("abandon", second, "--by", "bob", "--db", url, "--saga", DEFINITIONS)
    assert (said.code, said.err) == (0, "")
    with opened(Bank(), url) as engine:
        for saga_id in (first, second):
            assert isinstance(engine.result(saga_id, PATIENCE_S).state, Abandoned)


# Archive -----------------------------------------------------------------------------------------------------


def test_sagas_that_ended_are_moved_into_a_file(ran: str, tmp_path: Path) -> None:
    """Both are verified as one, by the records and by what these lead to; what an archive cannot be is one line."""
    into = str(tmp_path / "old.db")
    archive = ("archive", "--before", "0s", "--db", ran, "--to")
    (tmp_path / "mine.txt").write_text("mine")
    for bad in (ran, str(tmp_path / "mine.txt"), str(tmp_path / "none" / "old.db")):
        said = amends(*archive, bad)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), bad
    assert amends(*archive, into) == Ran(0, f"1 saga moved to {into}\n", "")
    assert amends(*archive, into) == Ran(0, f"0 sagas moved to {into}\n", "")
    assert "it was archived in old.db" in amends("show", "O001", "--db", ran).err
    assert amends("show", "O001", "--db", into).code == 0
    verified = amends("audit", "verify", "--db", ran, "--archive", into)
    assert (verified.code, verified.out.splitlines()[0]) == (0, AS_IT_WAS)
    assert amends("audit", "recompute", "--db", ran).code == 0
    assert len(amends("audit", "head", "--db", ran).out.split()) == 2


# What is not for a PostgreSQL ---------------------------------------------------------------------------------


def test_what_is_not_for_a_database_is_one_line(ran: str, tmp_path: Path) -> None:
    """2, and what to do instead; nothing is made."""
    for words, says in {
        ("backup", str(tmp_path / "copy.db")): "backed up by its own means: pg_dump --schema=",
        ("run", "--participants", "simulated", str(EXAMPLES[0])): "keep their books in a file",
    }.items():
        said = amends(*words, "--db", ran)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), words
        assert says in said.err
    assert not [*tmp_path.iterdir()]


def test_a_run_needs_the_store_for_itself(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for engines that were killed, and refuses to go on beside one that runs."""
    monkeypatch.setattr("amends.storefront.opening.ALONE_WITHIN_S", 0.1)
    store = PostgresStore(url)
    store.ownership.enter("other", 600_000)
    store.ownership.claim("other", [1])
    said = amends("run", "--db", url, EXAMPLES[0])
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "other engines have a part of its sagas" in said.err
    store.close()


# Stores that cannot be used -----------------------------------------------------------------------------------

SECRET = "s3cret"  # noqa: S105 - of nobody
MOVE = ("archive", "--db", "shop.db", "--before", "1d", "--to")
LOOKS: Sequence[Sequence[str]] = (
    ["status"],
    ["sagas"],
    ["show", "O001"],
    ["audit", "verify"],
    ["audit", "recompute"],
    ["audit", "head"],
    ["audit", "export"],
    ["retry", "O001", "--by", "ann"],
    ["run", str(EXAMPLES[0])],
    ["db", "check"],
    ["db", "migrate"],
    ["db", "init"],
)
UNUSABLE = {
    f"postgresql://me:{SECRET}@h:port/x": "no address of a PostgreSQL",
    f"postgresql://me:{SECRET}/x@h/x": "no address of a PostgreSQL",
    f"postgresql://me:12/{SECRET}@h/x": "its password holds what a URL takes as %XX alone",
    f"postgresql://me:{SECRET}?@h/x": "no address of a PostgreSQL",
    f"postgresql://me:{SECRET}@h/x?colour=red": "no address of a PostgreSQL",
    f"postgresql://me:{SECRET}@h/x?schema=Shop": "schema='Shop' is no name",
    f"postgresql://me@h/x?password={SECRET}&colour=red": "no address of a PostgreSQL",
    f"postgres://me:{SECRET}@127.0.0.1:1/x?connect_timeout=2": "refused",
    f"postgresql://me:{SECRET}@/x?host=/nowhere": "No such file",
    f"postgresq://me:{SECRET}@h/x": "names no store file",
}


@pytest.mark.parametrize("url", UNUSABLE)
def test_a_url_that_leads_nowhere_is_one_line_without_its_password(url: str) -> None:
    """2, by every command."""
    for words in LOOKS:
        said = amends(*words, "--db", url)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), (words, said)
        assert UNUSABLE[url] in said.err, words
        assert SECRET not in said.err, words


def test_a_url_in_the_wrong_place_is_shown_without_its_password() -> None:
    """As an argument too many, and as the name of a file."""
    url = f"postgresql://me:{SECRET}@h/x"
    for words in (["status", url], ["backup", url, "--db", "shop.db"], [*MOVE, url]):
        said = amends(*words)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), words
        assert SECRET not in said.err, words
        assert "me@h/x" in said.err, words


def test_a_wrong_password_is_one_line_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """2, by every command; neither do the errors of `open` and `connect` hold it, nor what is logged."""
    with own_server() as locked:
        locked.tool("createuser", "me")
        locked.ask_for_passwords_of("me")
        url = url_of(locked.conninfo, "x").replace("//postgres@", f"//me:{SECRET}@")
        _expect(url, LOOKS, 'password authentication failed for user "me"')
        for door in (package.open(url, sagas=[ORDER]), package.connect(url, sagas=[ORDER])):
            with pytest.raises(AmendsError, match="password authentication failed") as raised, door as opened:
                opened.submit(ORDER, 42)
            assert SECRET not in "".join(traceback.format_exception(raised.value))
        assert SECRET not in repr(address_of(url))
    assert SECRET not in caplog.text


def test_a_store_that_is_not_there_is_one_line() -> None:
    """A database that is missing, a schema that is; one of others, and one of a later Amends."""
    missing = url_of(server()).replace("/postgres?", "/nowhere?")
    looks = [words for words in LOOKS if words[0] not in ("run", "db")]
    with schema() as url:
        _expect(missing, looks, 'database "nowhere" does not exist')
        _expect(url, looks, "there is no schema ")
        _expect(url, [["db", "migrate"]], "there is no store yet: `amends db init` makes it")
        name = address_of(url).schema
        with psycopg.connect(server(), autocommit=True) as database:
            database.execute(f"CREATE SCHEMA {name}".encode())
            _expect(url, [*looks, ["run", str(EXAMPLES[0])], ["db", "init"]], "none of Amends'")
            database.execute(f"COMMENT ON SCHEMA {name} IS '{MIGRATED_BY} {VERSION + 1}'".encode())
            later = f"version {VERSION + 1}, for programs from version {VERSION + 1} on, and this Amends knows"
            _expect(url, [*looks, ["run", str(EXAMPLES[0])], ["db", "migrate"]], later)


def _expect(url: str, looks: Sequence[Sequence[str]], says: str) -> None:
    for words in looks:
        said = amends(*words, "--db", url)
        assert (said.code, said.out, said.err.count("\n")) == (2, "", 1), (words, said)
        assert says in said.err, words
        assert SECRET not in said.err, words


def _letter() -> Letter:
    return start_letter("L1", "S1", "order/1/f", "42", time.time_ns() // 1_000_000)


def _post(url: str) -> None:
    store = PostgresStore(url)
    store.mailbox.post([_letter()])
    store.close()


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(server(), autocommit=True) as database:
        database.execute(f"SET search_path = {address_of(url).schema}".encode())
        assert database.execute(statement.encode()).rowcount
