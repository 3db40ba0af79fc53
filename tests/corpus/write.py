"""Write a store of the corpus: with the source of one version, one store with sagas in every state.

    PYTHONPATH=src python -m tests.corpus.write tests/corpus/stores schema-4-typed-answers

writes three files into the folder: the store and its archive, compressed, and what the version that wrote them says of
what is in them. Another version's source on the path writes the store of that one; what it does not know is left out.
"""

from __future__ import annotations

import asyncio
import gzip
import inspect
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import apsw

import amends
from amends import Done, Later, Refused, RequestRefused
from tests.corpus.shop import (
    COMMANDS,
    CONCURRENCY,
    ERRAND,
    FILLED,
    ROLES,
    SAGAS,
    SERVICES,
    STOCKED,
    YEARS_S,
    Order,
    Shelf,
    agreed,
    execute,
)

WAIT_S: Final = 30.0  # for a saga to come to where it is to stand; a second is enough on a machine at rest
LATER: Final = Later(within_s=YEARS_S)
DOWN: Final = OSError("the network is down")
CLOSED: Final = Refused("the account is closed")
NO: Final = Refused("not today")
HANGS: Final = TimeoutError()

SCRIPT: Final[Mapping[str, Mapping[str, Any]]] = {
    "archived, turned back": {"ORDER_APPROVED/do": NO},
    "paid back a loan that was found": {"LOAN_TAKEN/do": HANGS},
    "turned back": {"ORDER_APPROVED/do": NO},
    "waits for an answer": {"ROOM_BOOKED/do": LATER},
    "waits for an answer after the pivot": {"PARCEL_SENT/do": LATER},
    "waits with a deadline": {"ORDER_APPROVED/do": LATER},
    "is tried again": {"PARCEL_SENT/do": DOWN},
    "is being asked": {"DESK_VISITED/do": HANGS},
    "waits for a place": {"DESK_VISITED/do": HANGS},
    "looks for its loan": {"LOAN_TAKEN/do": HANGS, "LOAN_TAKEN/probe": DOWN},
    "waits for an undo": {"ORDER_APPROVED/do": NO, "CARD_CHARGED/undo": LATER},
    "is undone again": {"ORDER_APPROVED/do": NO, "CARD_CHARGED/undo": DOWN},
    "is canceled while it waits": {"ROOM_BOOKED/do": LATER},
    "needs an operator": {"ORDER_APPROVED/do": NO, "CARD_CHARGED/undo": CLOSED},
    "needs an operator who gives it up": {"ORDER_APPROVED/do": NO, "CARD_CHARGED/undo": CLOSED},
    "was resolved by an operator": {"ROOM_BOOKED/do": LATER},
    "was turned back by an operator": {"ROOM_BOOKED/do": LATER},
    "was retried by an operator": {"ORDER_APPROVED/do": NO, "CARD_CHARGED/undo": CLOSED},
    "was abandoned": {"ORDER_APPROVED/do": NO, "CARD_CHARGED/undo": CLOSED},
    "owes a room": {"ROOM_BOOKED/do": LATER},
    "owed a room, which was freed": {"ROOM_BOOKED/do": LATER},
}
"""What the participants say that do not simply say yes."""

TAKEN: Final = ("forward", '"taken":true')
STUCK: Final = ("needs operator", "")


class Told(NamedTuple):
    """What somebody says of a saga on its way to where it is to stand.

    Attributes:
        once: status and words of its row's body that are waited for first.
        verb: the name of a verb, which a version may not know; empty for an answer from outside.
        given: what the verb is built from, before its reason; of an answer, of which request, and the answer.
    """

    once: tuple[str, str]
    verb: str
    given: tuple[Any, ...] = ()


TOLD: Final[Mapping[str, Sequence[Told]]] = {
    "is canceled while it waits": [Told(TAKEN, "Cancel")],
    "was resolved by an operator": [Told(TAKEN, "Resolve", ("ROOM_BOOKED", Done({"room": 7})))],
    "was turned back by an operator": [
        Told(TAKEN, "Compensate"), Told(("backward", '"taken":true'), "", ("ROOM_BOOKED/do", NO)),
    ],
    "was retried by an operator": [Told(STUCK, "Retry", ("CARD_CHARGED",))],
    "was abandoned": [Told(STUCK, "Abandon")],
    "owes a room": [
        Told(TAKEN, "Resolve", ("ROOM_BOOKED", NO)),
        Told(("compensated", ""), "", ("ROOM_BOOKED/do", agreed("ROOM_BOOKED/do"))),
    ],
    "owed a room, which was freed": [
        Told(TAKEN, "Resolve", ("ROOM_BOOKED", NO)),
        Told(("compensated", ""), "", ("ROOM_BOOKED/do", agreed("ROOM_BOOKED/do"))),
        Told(("compensated", "ROOM_BOOKED owed"), "Undo", ("ROOM_BOOKED",)),
    ],
}  # fmt: skip
"""What clients, operators and participants say of a saga, in order."""

WHY: Final = "ada: as the customer wished"


class World:
    """Every participant outside, as the script has it."""

    def __init__(self) -> None:
        self.script = {name: dict(said) for name, said in SCRIPT.items()}

    async def __call__(self, name: str, what: str) -> Any:
        """Say what the script says to the order of a name; yes where it says nothing."""
        said = self.script.get(name, {}).get(what) or agreed(what)
        if said is HANGS:
            await asyncio.sleep(YEARS_S)
        if isinstance(said, Exception):
            raise said
        return said


class Writer:
    """A store that is being written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.world = World()
        self.ids: dict[str, str] = {}

    def opened(self) -> Any:
        """An engine on the store; it waits for no call that is under way when it is closed."""
        options: dict[str, Any] = {"drain_s": 0} if "drain_s" in inspect.signature(amends.open).parameters else {}
        options |= {"clients": dict.fromkeys(SERVICES, self.world), "concurrency": CONCURRENCY}
        return amends.open(f"sqlite:///{self.path}", sagas=SAGAS, commands=COMMANDS, **options)

    def submit(self, engine: Any, *names: str) -> None:
        """Start sagas, each under its name as its client key."""
        for name in names:
            self.ids[name] = engine.submit(ROLES[name].saga, Order(name), key=name).saga_id

    def until(self, name: str, status: str, holds: str = "") -> None:
        """Wait until a saga stands somewhere.

        Raises:
            TimeoutError: it does not come there.
        """
        until = time.monotonic() + WAIT_S
        found = self.row(name)
        while not (found[0] == status and holds in found[1]):
            if time.monotonic() > until:
                raise TimeoutError(f"{name!r} is not {status} with {holds!r}, but {found}")
            time.sleep(0.02)
            found = self.row(name)

    def tell(self, engine: Any, name: str, told: Told) -> None:
        """Say something of a saga, once it stands where that is said."""
        self.until(name, *told.once)
        if not told.verb:
            request, outcome = told.given
            engine.answer(f"{self.ids[name]}/{request}", outcome)
        else:
            if told.verb == "Retry":
                self.world.script[name] = {}
            engine.tell(self.ids[name], getattr(amends, told.verb)(*told.given, why=WHY))

    def row(self, name: str) -> tuple[str, str]:
        """Status and body of a saga's row."""
        with closing(apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)) as database:
            found = database.execute("SELECT status, body FROM sagas WHERE id = ?", (self.ids[name],)).fetchall()
        return next((str(status), str(body)) for status, body in found)

    def play(self, engine: Any, names: Sequence[str]) -> None:
        """Let sagas come to where they are to stand."""
        self.submit(engine, *names)
        for name in names:
            for told in TOLD.get(name, ()):
                self.tell(engine, name, told)
        for name in names:
            self.until(name, ROLES[name].status, ROLES[name].holds)


def supply(engine: Any) -> None:
    """Bring entities about: by commands, by a transaction, some of them gone again."""
    execute(engine, STOCKED, "book", 100)
    execute(engine, STOCKED, "paper", 500, key="paper is stocked")
    execute(engine, STOCKED, "paper", 0, key="paper is stocked with nothing")
    execute(engine, STOCKED, "pen", 5)
    execute(engine, STOCKED, "ink", 1)
    execute(engine, STOCKED, "ink", -1)
    for name in ROLES:
        execute(engine, FILLED, name, 1)

    def both(work: Any) -> None:
        execute(work, STOCKED, "paper", 250)
        work.entities["SHELF"]["chalk"] = Shelf(3)
        execute(work, FILLED, "a basket without an order", 3)

    engine.transact(both)
    with suppress(RequestRefused):
        engine.submit(ERRAND, Order("refused", "unicorn"), key="refused")


ENTITIES: Final = [
    *[("SHELF", name) for name in ("book", "pen", "ink", "paper", "chalk")],
    *[("BASKET", name) for name in ("a basket without an order", *ROLES)],
    ("POINTS", "ada"),
]


def archive(path: Path, into: Path) -> None:
    """Move what ended into an archive, where the version has the command."""
    command = [sys.executable, "-m", "amends", "archive"]
    if not subprocess.run([*command, "--help"], capture_output=True, timeout=60, check=False).returncode:
        given = ["--db", str(path), "--before", "2999-01-01", "--to", str(into)]
        subprocess.run([*command, *given], capture_output=True, timeout=60, check=True)


def is_known(name: str) -> bool:
    """Whether this version knows what is said of a saga."""
    return all(not told.verb or hasattr(amends, told.verb) for told in TOLD.get(name, ()))


def write(folder: Path, name: str) -> None:
    """Write a store, its archive and what is in them into a folder."""
    names = [role for role in ROLES if is_known(role)]
    with tempfile.TemporaryDirectory() as made:
        writer, archived = Writer(Path(made, "store.db")), Path(made, "archive.db")
        with writer.opened() as engine:
            supply(engine)
            writer.play(engine, [role for role in names if ROLES[role].is_archived])
        archive(writer.path, archived)
        with writer.opened() as engine:
            writer.play(engine, [role for role in names if not ROLES[role].is_archived])
            entities = [[*entity, engine.entity(*entity)] for entity in ENTITIES]
        said = {"head": head(writer.path), "sagas": writer.ids, "entities": entities}
        for path, suffix in ((writer.path, ""), (archived, ".archive")):
            if path.exists():
                compact(path)
                (folder / f"{name}{suffix}.db.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        (folder / f"{name}.json").write_text(json.dumps(said, indent=1) + "\n", "utf-8")


def head(path: Path) -> str:
    """Where the audit of a store ends, as `amends audit head` prints it."""
    with closing(apsw.Connection(str(path))) as database:
        number, last = database.execute("SELECT number, head FROM blocks ORDER BY number DESC LIMIT 1").get
    return f"{number}:{last.hex()}"


def compact(path: Path) -> None:
    """Make a file as small as it can be, its log taken in."""
    with closing(apsw.Connection(str(path))) as database:
        database.execute("VACUUM").fetchall()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


if __name__ == "__main__":
    write(Path(sys.argv[1]), sys.argv[2])
