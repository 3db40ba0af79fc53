"""A store computed again from its records: nothing differs after any history, and any edit of a row does."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import amends
from amends import Command, Saga, UnusableInput, local
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.auditing.recompute import recompute
from amends.auditing.verify import verify
from amends.checking.simulator.chance import Seeded
from amends.checking.simulator.setting import Setting
from amends.checking.simulator.world import SimulatedWorld
from amends.engine import checkpoint
from amends.engine.coordinator import Coordinator
from amends.errors import StoreFull
from amends.storage.digests import DIGITS, digest, salts_of
from amends.storage.rows import Changes, checksum
from tests.acceptance.command import amends as command
from tests.auditing.attacks import ATTACKS, Forger, attacked
from tests.auditing.history import STOCK, TICKETS, Copy, written
from tests.auditing.lines import read_lines, written_lines
from tests.checking.simulator.sagas import SCENARIOS
from tests.corpus.shop import COMMANDS, SAGAS
from tests.house.source import ROOT

SCHEDULES: Final = 6  # of each scenario; some 20 sagas
FOUND: Final = {"change a body", "delete a row", "insert a row"}
Edit = Callable[[Forger], None]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> list[Copy]:
    """Return a store in three ages: sagas in every state, operators, retries, answers that come later, keys."""
    return written(tmp_path_factory.mktemp("history"))


def found(path: Path) -> dict[str, str]:
    """Return where something is not as the records lead to, and what."""
    with closing(SqliteReader(path)) as store:
        return {finding.where: finding.what for finding in recompute(store, [TICKETS], [STOCK]).findings}


@pytest.mark.parametrize("hosts", [1, 3])
@pytest.mark.parametrize("name", SCENARIOS)
def test_any_history_is_computed_again(name: str, hosts: int) -> None:
    """Crashes, takeovers, operators, deadlines, retries, places, parallel steps, answers that come late or twice."""
    for seed in range(1, SCHEDULES + 1):
        setting = Setting(name, SCENARIOS[name], hosts)
        world = SimulatedWorld(setting, Seeded(seed), traced=False)
        world.play()
        computed = recompute(world.store, setting.sagas.values())
        assert list(computed.findings) == [], seed
        assert list(verify(world.store).findings) == [], seed
        assert computed.sagas == len(world.view.rows)


def test_what_an_engine_stored_is_computed_again(copies: Sequence[Copy]) -> None:
    """In a file, at each of its ages, with the entities that commands set."""
    assert [found(copy.path) for copy in copies] == [{}] * len(copies)


def entity(forger: Forger) -> None:
    """Change an entity together with its checksum."""
    change_entity(forger)


def change_entity(forger: Forger) -> str:
    """Change an entity together with its checksum; give its service, id and version."""
    service, name, version = forger.database.execute("SELECT service, id, version FROM entities LIMIT 1").fetchone()
    text = "UPDATE entities SET body = '77', checksum = ? WHERE service = ? AND id = ?"
    forger.database.execute(text, (checksum((service, name, "77", version)), service, name))
    return json.dumps([name, version], separators=(",", ":"))


def entity_and_all(forger: Forger) -> None:
    """Change an entity together with its checksum, its digest in its block, and the whole chain."""
    told = change_entity(forger)
    blocks = forger.blocks()
    block = next(block for block in reversed(blocks) if told in block["records"])
    (form, at_ms, digests), records = read_lines(block["records"])
    line = next(record for record in records if told in json.dumps(record, separators=(",", ":")))
    at = (line[4] + [json.dumps(each, separators=(",", ":")) for each in line[2][2]].index(told)) * DIGITS
    salt = salts_of(json.loads(block["beside"])[0], len(digests) // DIGITS)[at : at + DIGITS]
    digests = digests[:at] + digest(salt, "77") + digests[at + DIGITS :]
    block["records"] = written_lines([form, at_ms, digests], records)
    forger.put_blocks(forger.rebuilt(blocks))


def answers(forger: Forger) -> None:
    """Change what a step answered."""
    row = next(row for row in forger.sagas() if json.loads(row["body"]).get("answers"))
    body = json.loads(row["body"])
    body["answers"] = dict.fromkeys(body["answers"], "forged")
    forger.put_saga({**row, "body": json.dumps(body)}, row["id"])


def key(forger: Forger) -> None:
    """Let a client key stand for another saga."""
    row = forger.database.execute("SELECT key, request, answer, saga FROM client_keys WHERE saga <> ''").fetchone()
    values = (row[0], row[1], '{"saga":"another"}', row[3])
    text = "UPDATE client_keys SET answer = ?, checksum = ? WHERE key = ?"
    forger.database.execute(text, (values[2], checksum(values), row[0]))


@pytest.mark.parametrize(
    ("edit", "where", "is_verified"),
    [
        (entity, "entity ", False),
        (entity_and_all, "entity ", True),
        (answers, "saga ", True),
        (key, "key ", False),
    ],
)
def test_what_somebody_changed_is_found(
    edit: Edit, where: str, is_verified: bool, copies: Sequence[Copy], tmp_path: Path
) -> None:
    """However well: `is_verified` says whether `amends audit verify`, without an older head, finds nothing."""
    path = Path(shutil.copy(copies[-1].path, tmp_path / "forged.db"))
    forger = Forger(path, Random(1), copies)
    edit(forger)
    forger.close()
    with closing(SqliteReader(path)) as store:
        assert (not len(verify(store, problems=store.problems(with_sagas=False)).findings)) == is_verified
    assert [name for name in found(path) if name.startswith(where)], found(path)


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_makes_it_stumble(name: str, copies: Sequence[Copy], tmp_path: Path) -> None:
    """What is done to rows is found; what is done to records is `verify`'s to find, where nothing follows from it."""
    for seed in range(4):
        try:
            differs = found(attacked(name, copies, tmp_path, seed))
        except UnusableInput:  # the definition that a forger made up is not given
            continue
        assert differs or name not in FOUND, seed


def test_a_transaction_is_known_by_its_values(tmp_path: Path) -> None:
    """It may write anything: what it wrote is recorded."""
    notes = Saga("notes", str, [local("NOTED", lambda _, text: text, entity=str, pivot=True)])
    path = tmp_path / "notes.db"
    with amends.open(f"sqlite:///{path}", sagas=[notes]) as engine:
        engine.transact(lambda transaction: transaction.entities["NOTED"].__setitem__("free", "as it likes"))
        engine.submit(notes, "a note")
    with closing(SqliteReader(path)) as store:
        computed = recompute(store, [notes])
    assert (list(computed.findings), computed.sagas, computed.entities) == ([], 1, 2)


OLD: Final = ROOT / "tests/corpus/stores/schema-4-typed-answers.db.gz"


def old_store(path: Path) -> Path:
    """A store that an earlier version wrote, at a path."""
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    return path


def computed_of_old(path: Path) -> list[object]:
    """What is not as the records of such a store lead to."""
    with closing(SqliteReader(path)) as store:
        return [*recompute(store, SAGAS, COMMANDS).findings, *verify(store).findings]


def test_a_store_of_an_earlier_version_is_computed_from_where_it_was_taken_over(tmp_path: Path) -> None:
    """Each of its rows is recorded once, at the first start."""
    path = old_store(tmp_path / "old.db")
    for _ in range(2):
        with amends.open(f"sqlite:///{path}", sagas=[], orphans="leave"):
            pass
        assert computed_of_old(path) == []
        with closing(SqliteReader(path)) as store:
            blocks = store.head().number
    with amends.open(f"sqlite:///{path}", sagas=[], orphans="leave", commands=COMMANDS) as engine:
        engine.transact(lambda transaction: transaction.entities["SHELF"].get("book"))
    with closing(SqliteReader(path)) as store:
        assert store.head().number == blocks
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE entities SET body = '{\"left\":7}' WHERE id = 'book'")
        database.commit()
    with closing(SqliteReader(path)) as store, pytest.raises(UnusableInput, match="is not given"):
        recompute(store, [], COMMANDS)


def test_a_take_over_that_was_cut_short_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between two of its commits, it leaves nothing that is taken for the whole."""
    monkeypatch.setattr(checkpoint, "PAGE", 3)
    path = old_store(tmp_path / "old.db")
    with closing(SqliteStore(path)) as store:
        commit, left = store.commit, iter(range(4))

        def failing(changes: Changes) -> None:
            if next(left, None) is None:
                raise StoreFull("there is no space left")
            commit(changes)

        monkeypatch.setattr(store, "commit", failing)
        with pytest.raises(StoreFull):
            Coordinator(store, [], now_ms=2**41, prefix="x")
    with pytest.raises(UnusableInput, match="open it once with an engine"):
        computed_of_old(path)
    with amends.open(f"sqlite:///{path}", sagas=[], orphans="leave"):
        pass
    assert computed_of_old(path) == []


def test_every_definition_and_command_has_to_be_given(copies: Sequence[Copy]) -> None:
    """What is missing is named."""
    with closing(SqliteReader(copies[0].path)) as store:
        with pytest.raises(UnusableInput, match="ran under tickets for all/1/"):
            recompute(store, [], [STOCK])
        with pytest.raises(UnusableInput, match="the command SHOW_PLANNED of SEAT was carried out"):
            recompute(store, [TICKETS], [])


def test_a_step_that_decides_otherwise_today_is_named(copies: Sequence[Copy]) -> None:
    """The records say what it decided, and the definition what it would now."""
    other = Command("SHOW_PLANNED", "SEAT", lambda _, seats: seats + 1)
    with closing(SqliteReader(copies[0].path)) as store:
        where: Any = [finding.where for finding in recompute(store, [TICKETS], [other]).findings]
    assert "entity SEAT/Hamlet 0" in where


def test_the_command_says_where_and_what(copies: Sequence[Copy], tmp_path: Path) -> None:
    """0 where nothing differs, 1 with a line for each difference, 2 without a definition."""
    ran = command("audit", "recompute", "tests.auditing.history", "--db", copies[-1].path)
    assert (ran.code, ran.err) == (0, ""), ran.out
    assert "all is what the records lead to" in ran.out
    path = Path(shutil.copy(copies[-1].path, tmp_path / "forged.db"))
    forger = Forger(path, Random(1), copies)
    entity(forger)
    forger.close()
    ran = command("audit", "recompute", "tests.auditing.history", "--db", path)
    assert (ran.code, ran.err) == (1, "")
    assert "it is 77, its records lead to" in ran.out
    ran = command("audit", "recompute", "tests.auditing.history", "--db", path, "--json")
    assert json.loads(ran.out)["findings"][0]["where"].startswith("entity SEAT/")
    assert command("audit", "recompute", "shop", "--db", path).code == 2
    assert command("audit", "recompute", "no.such.module", "--db", path).code == 2
