"""Print what the commands that look at a store show of one whose times are always the same.

Usage: python -m tools.shown_store sagas|show|status
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from rich.text import Text

from amends import Command, Done, Kind, Refused, Unknown
from amends.adapters.sqlite.reader import SqliteReader
from amends.adapters.sqlite.store import SqliteStore
from amends.checking.simulator.setting import known_salts
from amends.core.messages import Answered, Outcome
from amends.engine.coordinator import Coordinator
from amends.engine.task import Task
from amends.engine.tasks import Deliver, ExecuteCommand, StartSagas
from amends.engine.turn_io import drive
from amends.entrypoints.cli.store.sagas import saga_lines
from amends.entrypoints.cli.store.show import story_lines
from amends.entrypoints.cli.store.status import status_lines, work_lines
from amends.entrypoints.drawing.paper import Paper, paper
from amends.storage.location import StoreReader
from amends.views.at_work import at_work
from amends.views.overview import overview
from amends.views.sagas import AsOf
from amends.views.search import Search, sagas
from amends.views.story import story
from examples.trip import Places, Trip, trip

BEGIN_MS = 1_795_550_000_000
STEP_MS = 1_900
SAGA_ID = "3f8q2k1z-4"


def added(_: Places | None, free: int) -> Places:
    """PLACES_ADDED."""
    return Places(free)


def fill(path: Path) -> int:
    """Run four trips; give the time after them."""
    now_ms = BEGIN_MS
    with closing(SqliteStore(path)) as store:
        coordinator = Coordinator(store, [trip], now_ms=now_ms, prefix=SAGA_ID.partition("-")[0], salts=known_salts)
        for tasks in turns(coordinator):
            now_ms += STEP_MS
            drive(coordinator.turn(tasks, now_ms), store)
    return now_ms + STEP_MS


def turns(coordinator: Coordinator) -> Iterator[Sequence[Task]]:
    """What happens in each turn."""
    places = [("HOTEL", "Ritz"), ("FLIGHT", "LX-8"), ("CAR", "Fiat")]
    yield [ExecuteCommand(Command("PLACES_ADDED", service, added), entity_id, 9, ()) for service, entity_id in places]
    for who in ("Ada", "Bo", "Cy", "Di"):
        yield [StartSagas(coordinator.definitions.codec_of(trip), [Trip(who, "Ritz", "LX-8", "Fiat", 90_000)])]
    yield [said(1, "MONEY_CHARGED", Done("R1")), said(2, "MONEY_CHARGED", Refused("card declined"))]
    yield [said(3, "MONEY_CHARGED", Unknown("ReadTimeout: no answer")), said(4, "MONEY_CHARGED", Done("R2"))]
    yield [said(1, "MAIL_SENT", Done()), said(4, "MAIL_SENT", Refused("no such address"))]
    yield []


def said(number: int, step: str, outcome: Outcome) -> Task:
    """A participant's answer."""
    return Deliver(f"{SAGA_ID.partition('-')[0]}-{number}", Answered(step, Kind.DO, outcome, 1))


def lines_of(what: str, store: StoreReader, out: Paper, now_ms: int) -> list[Text]:
    """What a command shows."""
    if what == "sagas":
        return saga_lines(out, list(sagas(store, Search(), AsOf(now_ms))), now_ms)
    if what == "status":
        return [*status_lines(out, overview(store, AsOf(now_ms)), now_ms), *work_lines(out, at_work(store), now_ms)]
    told = story(store, SAGA_ID, AsOf(now_ms))
    assert told
    return list(story_lines(out, told, now_ms))


def main() -> None:
    """Print it."""
    if sys.argv[1:] not in (["sagas"], ["show"], ["status"]):
        sys.exit("usage: python -m tools.shown_store sagas|show|status")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        now_ms = fill(path)
        out = paper()
        with closing(SqliteReader(path)) as store:
            out.write(*lines_of(sys.argv[1], store, out, now_ms))


if __name__ == "__main__":
    main()
