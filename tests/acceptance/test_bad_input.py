"""Bad input to every command about a store, and to each of its flags: one line, exit 2, and nothing is changed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from amends.entrypoints.cli.verbs.command import COMMANDS as VERBS
from tests.acceptance.command import Ran, amends
from tests.engine.test_verbs import Bank, opened, stuck

SURROGATE, NUL, HUGE = "\udcff", "\0", "x" * 100_000  # the first is what a byte that is no UTF-8 comes as
WITH_STEP = ("retry", "resolve", "answer", "undo")
WITH_OUTCOME = ("resolve", "answer")
NO_STEP = ("CARD", "a\nb", NUL, SURROGATE, HUGE)
NO_ACTOR = ("", "a\nb", NUL, SURROGATE, HUGE)
NO_SECONDS = ("-1", "nan", "-inf", "soon", "", "1s", "1e", SURROGATE)
NO_NUMBER = ("0", "-1", "1.5", "nan", "many", "", "10001", "9" * 30)
NO_FILTER = (
    "",
    "=",
    "status",
    "status=",
    "status=stuck",
    "=stuck",
    "state=stuck",
    "status = waiting",
    "older=soon",
    "older=-1d",
    "older=1",
    "older=",
    "newer=1w",
    "newer=1.5h",
    "older=9999999999d",
    f"status={SURROGATE}",
    f"{SURROGATE}=1",
    f"saga={SURROGATE}",
    f"service={NUL}",
    f"step={SURROGATE}",
    "saga=a\nb",
    HUGE,
)
NO_JSON = ("", "receipt", "{", "NaN", "Infinity", "[1,]", "{'a': 1}", "[" * 10_000, '"\\ud800"', SURROGATE, NUL, "1 2")
NO_MODULE = ("none", "none.py", "empty", "empty.py", "raises", "exits", "broken.py", "a b", ".", "..", "raises:x",
             SURROGATE, NUL)  # fmt: skip
NO_ENGINE = (
    "",
    "app",
    "app:",
    ":engine",
    "app:none",
    "app:number",
    "app:function",
    "app:SAGA",
    "none:engine",
    "none.py:engine",
    "raises:engine",
    "exits:engine",
    "broken.py:engine",
    "lazy:engine",
    "app:engine:more",
    SURROGATE,
    f"{NUL}:engine",
    "app:elsewhere",
    "app:in_a_directory",
    "app:no_store",
    "..:engine",
    "app.engine",
)
NO_SAGA = ("", "nobody-1", "a\nb", NUL, SURROGATE, HUGE, "-1", "sagas/x", "%", "' OR 1=1")
MODULES = {
    "empty.py": "",
    "raises.py": "raise ValueError('not\\ntoday')",
    "exits.py": "raise SystemExit(0)",
    "broken.py": "def",
    "lazy.py": "def __getattr__(name):\n    raise RuntimeError(f'no {name}')\n",
    "app.py": "import amends\nfrom tests.engine.test_verbs import ORDER as SAGA\nnumber = 7\ndef function(): ...\n"
    "elsewhere = amends.open('sqlite:///none/shop.db', sagas=[SAGA])\n"
    "in_a_directory = amends.open('sqlite:///.', sagas=[SAGA])\n"
    "no_store = amends.open('sqlite:///empty.py.txt', sagas=[SAGA])\n",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return a folder with a store, whose engine is closed, and with modules; and a saga that waits for an operator."""
    folder = tmp_path_factory.mktemp("bad input")
    with opened(Bank(), folder) as engine:
        saga_id = stuck(engine)
    for name, text in MODULES.items():
        (folder / name).write_text(text)
    (folder / "empty.py.txt").write_text("no store" * 999)
    return folder, saga_id


@pytest.fixture
def folder(store: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder, in which the command is called."""
    monkeypatch.chdir(store[0])
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    return store[0]


@pytest.fixture
def saga_id(store: tuple[Path, str]) -> str:
    """Return the saga."""
    return store[1]


def everything(folder: Path) -> Mapping[str, bytes]:
    """Return what the files of a folder hold, but for the shared memory, and the empty log, of who reads."""
    files = (path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.endswith("-shm"))
    return {path.name: held for path in files if (held := path.read_bytes())}


def refused(ran: Ran, words: Sequence[str]) -> None:
    """See that a command was refused as it is to be."""
    shown = [word[:80] for word in words]
    assert (ran.code, ran.out) == (2, ""), (shown, ran)
    assert ran.err.startswith("amends: "), (shown, ran.err)
    assert ran.err.endswith("\n"), shown
    assert ran.err.count("\n") == 1, (shown, ran.err)
    assert len(ran.err) < 700, (shown, ran.err[:900])


def bad_verbs(saga_id: str) -> Iterator[Sequence[str]]:
    """Give the bad calls of each verb, but for its store: each flag of each verb, and each bad value of some verb."""
    for place, verb in enumerate(VERBS):
        share = slice(place, None, len(VERBS))
        outcome = ("--done", "null") if verb in WITH_OUTCOME else ()
        good = (verb, saga_id, "--by", "ann", *outcome)
        yield from ((verb, name, "--by", "ann", *outcome) for name in NO_SAGA[share])
        yield from ((verb, saga_id, "--by", name, *outcome) for name in (*NO_ACTOR, "")[share])
        yield verb, saga_id, *outcome
        yield verb, "--by", "ann", *outcome
        yield (*good, "more")
        yield (*good, "--where", "status=waiting")
        yield (*good, "--fly")
        yield from ((*good, "--timeout", seconds) for seconds in NO_SECONDS[share])
        yield from ((*good, "--limit", number) for number in NO_NUMBER[share])
        yield from ((verb, "--by", "ann", *outcome, "--where", text) for text in NO_FILTER[share])
        yield from ((*good, "--saga", module) for module in NO_MODULE[share])
        yield from ((*good, "--step", step) for step in NO_STEP if verb in WITH_STEP)
        if verb not in WITH_STEP:
            yield (*good, "--step", "CARD_CHARGED")
    for verb in WITH_OUTCOME:
        yield verb, saga_id, "--by", "ann"
        yield verb, saga_id, "--by", "ann", "--done", "1", "--refused", "no"
    yield from (("resolve", saga_id, "--by", "ann", "--done", text) for text in NO_JSON)
    yield "undo", saga_id, "--by", "ann"
    yield "undo", saga_id, "--by", "ann", "--step", "CARD_CHARGED"
    yield "retry", saga_id, "--by", "ann", "--step", "PARCEL_SENT"


def bad_looks(saga_id: str) -> Iterator[Sequence[str]]:
    """Give every bad call of a command that looks, but for its store."""
    yield from (("show", name) for name in NO_SAGA)
    yield ("show",)
    yield "show", saga_id, "more"
    yield "status", "more"
    yield "sagas", "more"
    yield from ((command, "--fly") for command in ("show", "status", "sagas"))
    yield from (("sagas", "--status", word) for word in ("stuck", "", "needs operator", "a\nb", SURROGATE, NUL))
    yield from (("sagas", "--limit", number) for number in (*NO_NUMBER[:-2], "100001", "9" * 30))
    for option in ("--older", "--newer"):
        yield from (("sagas", option, age) for age in ("soon", "-1d", "1", "1w", "1.5h", "9999999999d", SURROGATE, NUL))
    yield from (("sagas", option, name) for option in ("--saga", "--service") for name in ("a\nb", NUL, SURROGATE))


def test_a_verb_that_cannot_be_said_changes_nothing(folder: Path, saga_id: str) -> None:
    """Who says it, to which saga, of which step, what, why, how many, for how long."""
    before = everything(folder)
    for words in bad_verbs(saga_id):
        refused(amends(*words, "--db", "orders.db"), words)
    assert everything(folder) == before


def test_a_look_that_cannot_be_had_changes_nothing(folder: Path, saga_id: str) -> None:
    """The same of `show`, `sagas` and `status`."""
    before = everything(folder)
    for words in bad_looks(saga_id):
        refused(amends(*words, "--db", "orders.db"), words)
    assert everything(folder) == before


def commands(saga_id: str) -> Iterator[Sequence[str]]:
    """Give a good call of every command about a store, but for its store."""
    yield from (["status"], ["sagas"], ["show", saga_id])
    for verb in VERBS:
        outcome = ("--refused", "no") if verb in WITH_OUTCOME else ()
        yield verb, saga_id, "--by", "ann", *outcome
        yield verb, "--where", "status=waiting", "--by", "ann", *outcome


def test_what_is_no_store_is_refused_by_every_command(folder: Path, saga_id: str, tmp_path: Path) -> None:
    """A file that is none, or cannot be there; the store of a later version; what is no name of a file."""
    newer = Path(shutil.copy(folder / "orders.db", tmp_path / "newer.db"))
    with closing(sqlite3.connect(newer)) as database:
        database.execute("PRAGMA user_version = 99")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as database, database:
        database.execute("CREATE TABLE mine (yours TEXT)")
    (tmp_path / "empty.db").touch()
    (tmp_path / "text.db").write_text("no store" * 999)
    (tmp_path / "loop.db").symlink_to(tmp_path / "loop.db")
    (tmp_path / "twice.db").hardlink_to(folder / "orders.db")
    stores: list[str | Path] = [
        *(tmp_path / name for name in ("newer.db", "other.db", "empty.db", "text.db", "loop.db", "twice.db")),
        tmp_path,
        tmp_path / "none.db",
        tmp_path / "none" / "shop.db",
        tmp_path / "text.db" / "shop.db",
        "",
        HUGE,
        NUL,
        f"{SURROGATE}.db",
        "memory:",
        ":memory:",
        "sqlite:///",
        "postgres://host/db",
        "http://shop",
    ]
    try:
        before = everything(tmp_path), everything(folder)
        for where in stores:
            for words in commands(saga_id):
                refused(amends(*words, "--db", where), (*words, "--db", str(where)))
        assert (everything(tmp_path), everything(folder)) == before
    finally:
        (tmp_path / "twice.db").unlink()


def test_what_is_no_engine_is_refused_by_the_worker(folder: Path) -> None:
    """A name of nothing, of something else, of what raises; a time that is none; a store that cannot be there."""
    before = everything(folder)
    for name in NO_ENGINE:
        refused(amends("worker", name), ("worker", name))
    more: list[Sequence[str]] = [("worker", "app:elsewhere", "--wait", wait) for wait in (*NO_SECONDS, "3601", "inf")]
    more += [("worker",), ("worker", "app:elsewhere", "more"), ("worker", "app:elsewhere", "--db", "orders.db")]
    for words in more:
        refused(amends(*words), words)
    assert everything(folder) == before
