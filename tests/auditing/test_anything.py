"""Whatever can be stored can be verified: names, ids, keys, reasons, answers of any text and depth that is taken."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import amends
from amends import (
    Abandon,
    Cancel,
    Changed,
    Command,
    DefinitionError,
    Done,
    Handle,
    Refused,
    RequestRefused,
    Saga,
    Unknown,
    external,
    local,
)
from amends.adapters.sqlite.reader import SqliteReader
from amends.bootstrap import located
from amends.storage.codecs.values import DEPTH_MAX
from amends.storage.rows import checksum
from amends.views.sagas import AsOf, SagaView
from amends.views.search import Search, sagas
from amends.views.story import story
from tests.acceptance.command import amends as command
from tests.auditing.attacks import READ_SAGAS, VERIFY_AUDIT

TEXTS = [
    "", " ", "a/b", "/", "\n", "\r\n", "\x00", "a\x00b", "\u2028", "\x85", "\x1b[31m", "é", "日本", "\U0001f600", '"',
    "\\", "'", ",", "%s {}", "completed", "forward at X", "archived in x", "started x/1/f {}", "x done",
    "null", "1", "[", "{",
]  # fmt: skip
WORDS = [*TEXTS, "\ud800", "x\udfffy", "\udcff", "x" * 5000]
NAMES = [
    "completed", "compensated", "abandoned", "needs operator", "forward", "backward", "forward at", "done", "x done",
    "x undone", "stuck", "refused", "undone", "A, B", 'a "quoted" name', "back\\slash", "é 日本 \U0001f600", "started",
    "archived in", "client key", "it's", "--", "%s", "{}", "[1]", "x" * 100,
]  # fmt: skip
TAKEN = [name for name in NAMES if name != "forward at"]


def nested(depth: int) -> Any:
    """Return lists in lists."""
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


ANSWERS: list[Any] = [
    *TEXTS, nested(DEPTH_MAX), {"": {"": nested(9)}}, {text: [text] for text in TEXTS}, [], {}, 0, -1, 2**63, 2**64 - 1,
    -(2**63), 1e308, 5e-324, -0.0, 0.1, True, None, "x" * 100_000, list(range(3000)),
]  # fmt: skip


@pytest.mark.parametrize("name", ["", "a/b", "\n", "\ud800", "\x00", "x" * 101, None])
def test_a_command_s_names_are_names(name: Any) -> None:
    """As a step's are."""
    with pytest.raises(DefinitionError, match="each name is printable text"):
        Command(name, "SEATS", lambda *_: 1)
    with pytest.raises(DefinitionError, match="each name is printable text"):
        Command("ADDED", name, lambda *_: 1)


def named(name: str) -> Saga:
    """Return a saga all of whose parts have odd names; its request says what is answered, and on which entity."""

    def charge(client: Any, request: dict[str, Any], call: Any) -> Any:
        why = WORDS[request["number"] % len(WORDS)]
        answer = {"refuse": Refused(why), "unknown": Unknown(why)}.get(request["how"])
        return answer or Done(ANSWERS[request["number"] % len(ANSWERS)])

    def keep(before: Any, request: dict[str, Any]) -> Any:
        if request["how"] == "local":
            return Refused(WORDS[request["number"] % len(WORDS)])
        answer = ANSWERS[request["number"] % len(ANSWERS)]
        return Changed("nothing" if answer is None else answer, answer)

    steps = [
        local(name, keep, undo=lambda before, _: before, undone=f"~{name[1:]}", entity=entity_of, service=name),
        external(f"^{name[1:]}", charge, service=name, pivot=True, timeout_s=5, limit_s=5),
    ]
    return Saga(name, dict, steps)


def entity_of(request: dict[str, Any]) -> str:
    """Return the id of the entity that a request is about."""
    number: int = request["number"]
    return TEXTS[number % len(TEXTS)]


async def live(path: Path, used: list[Saga]) -> None:
    """Store everything that is taken: sagas that end in each way, that wait, and commands."""
    async with amends.open(f"sqlite:///{path}", sagas=used) as engine:
        for place, saga in enumerate(used):
            numbers = range(place, 2 * len(WORDS), len(used))
            asked = [{"number": number, "how": how} for number in numbers for how in ("done", "refuse", "local")]
            keys = [f"{saga.name} {number}" for number in range(len(asked))]
            started = await engine.submit_many(saga, asked, keys=keys)
            for request, handle in zip(asked, started, strict=True):
                assert isinstance(handle, Handle), (handle, request)
                await handle.result(20)
        for number, text in enumerate(TEXTS):
            order = Command(TAKEN[number % len(TAKEN)], "ORDERED", lambda _, body: [body, "and more"][body is None])
            await engine.carry_out(order, text, ANSWERS[number], key=f"order {number}")
            await engine.carry_out(order, text, ANSWERS[-number - 1])
        for why in WORDS:
            handle = await engine.submit(used[0], {"number": 0, "how": "unknown"})
            with pytest.raises(RequestRefused, match="too late"):
                await engine.tell(handle.saga_id, Cancel(why))
            await engine.tell(handle.saga_id, Abandon(why))


def test_an_answer_that_nobody_can_walk_over_is_a_finding(tmp_path: Path) -> None:
    """It is refused today; in a file it may be, and is told as a row that cannot be read."""
    path = tmp_path / "store.db"
    asyncio.run(live(path, [named("plain")]))
    with closing(sqlite3.connect(path)) as connection, connection:
        deep = f'{{"trail":[],"number":1,"answers":{{"plain":{"[" * 9000}{"]" * 9000}}}}}'
        connection.execute("UPDATE sagas SET body = ? WHERE rowid = 1", (deep,))
        row = connection.execute(READ_SAGAS).fetchone()
        connection.execute("UPDATE sagas SET checksum = ? WHERE rowid = 1", (checksum(tuple(row)),))
    said = command("audit", "verify", "--db", path).out
    assert "nested too deep" in said
    assert command("sagas", "--limit", "9999", "--db", path).code == 0


def assert_sound(path: Path, archives: Sequence[Path] = ()) -> None:
    """Both verifiers find nothing, and our commands show it."""
    assert list(VERIFY_AUDIT.faults_of_file(path, "")) == []
    archived = [word for archive in archives for word in ("--archive", archive)]
    assert command("audit", "verify", "--db", path, *archived).out.count("all is as it was written")
    for words in (
        ["audit", "head"],
        ["audit", "export"],
        ["sagas", "--limit", "100000"],
        ["sagas", "--json"],
        ["status"],
    ):
        assert command(*words, "--db", path).code == 0


def test_it_is_all_as_it_was_written(tmp_path: Path) -> None:
    """By our verifier, by the one without our code, and to everything that shows it; also in a copy and an archive."""
    path, copy, away = tmp_path / "store.db", tmp_path / "copy.db", tmp_path / "away \u2028 \x1b é.db"
    asyncio.run(live(path, [named(name) for name in TAKEN]))
    assert_sound(path)
    with closing(SqliteReader(path)) as store:
        assert list(store.problems()) == []
        found = list(sagas(store, Search(limit=10**6), AsOf(0)))
        stories = [story(store, saga.saga_id, AsOf(0)) for saga in found if isinstance(saga, SagaView)]
    assert len(found) == len([told for told in stories if told and told.missing == ()]) > 150
    for told in stories[::20]:
        assert told
        assert isinstance(told.saga, SagaView)
        shown = command("show", told.saga.saga_id, "--db", path)
        assert shown.code == 0, shown
    located(str(path)).backup(str(copy), lambda *_: None)
    assert_sound(copy)
    assert sum(located(str(path)).archive(str(away), 2**60)) > 100
    assert_sound(path, [away])
