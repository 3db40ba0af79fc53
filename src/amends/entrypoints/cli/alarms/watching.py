"""Watching a store: beside the HTTP API, in a process of its own, or once."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Final

from amends.alarms.memory import AlarmMemory
from amends.alarms.places import places_of
from amends.alarms.rules import WatchedStore, raised_alarms
from amends.alarms.settings import AlarmSettings
from amends.alarms.watching import AlarmWatch
from amends.bootstrap import Connecting, connect
from amends.client.client import Client
from amends.client.connection import now_ms
from amends.entrypoints.cli.databases import named
from amends.entrypoints.cli.definitions import load_deploy
from amends.entrypoints.cli.logs import set_up_log
from amends.entrypoints.cli.settings import ServeSettings, Settings
from amends.entrypoints.cli.worker.serving import EndSignal
from amends.errors import AmendsError
from amends.storage.location import SQLITE, LastingLocation, without_password
from amends.storage.ports import ClientRecords
from amends.views.owed import OwedReader
from amends.views.sagas import AsOf
from amends.views.status import look_at_status

DONE, SOME_HOLD = 0, 1
SUFFIX: Final = ".alarms"


def alarm_watch(at: LastingLocation, settings: AlarmSettings, client: Client) -> AlarmWatch:
    """What watches a store.

    Args:
        at: the store.
        settings: what is an alarm, and whom it is told.
        client: of the store, that knows the definitions of which books are compared.

    Raises:
        UnusableInput: a setting is not what it has to be, or what was told cannot be read.
    """
    beside = Path(f"{at.shown}{SUFFIX}") if at.url.startswith(SQLITE) else None
    memory = AlarmMemory(Path(settings.memory) if settings.memory else beside)
    look = partial(_seen, at, client, OwedReader(client.definitions.sagas), with_books=settings.all_books)
    return AlarmWatch(look, settings, memory, places_of(settings), without_password(at.shown))


async def _seen(at: LastingLocation, client: Client, reader: OwedReader, *, with_books: bool) -> WatchedStore:
    def look(records: ClientRecords, as_of: AsOf) -> WatchedStore:
        status, ledger = look_at_status(records, as_of), reader.ledger(records, as_of, with_books=with_books)
        return WatchedStore(as_of.now_ms, status, ledger=ledger, free_bytes=_free_bytes(at))

    try:
        return await client.connection.look_apart(look)
    except AmendsError as away:
        return WatchedStore(now_ms(), None, without_password(str(away)))


def _free_bytes(at: LastingLocation) -> int | None:
    """Of the disk of a store in a file; of another one, only its server knows."""
    try:
        return shutil.disk_usage(Path(at.shown).absolute().parent).free if at.url.startswith(SQLITE) else None
    except OSError:
        return None


def watch_store(settings: Settings) -> int:
    """Watch a store until the process is told to end. Returns 0.

    Raises:
        UnusableInput: the store or a setting cannot be used.
    """
    set_up_log(settings.log)
    return asyncio.run(_watched(*_place_of(settings.serve), settings.alarms))


def _place_of(wanted: ServeSettings) -> tuple[LastingLocation, Connecting]:
    at = named(wanted.db)
    return at, connect(at.url, sagas=load_deploy(wanted.code).sagas if wanted.code else ())


async def _watched(at: LastingLocation, connecting: Connecting, settings: AlarmSettings) -> int:
    async with connecting as client:
        watch = alarm_watch(at, settings, client)
        told, watching = EndSignal(), asyncio.create_task(watch.run())
        sys.stdout.write(f"amends: alarms of {at.shown} are watched, process {os.getpid()}\n")
        sys.stdout.flush()
        await told.or_done(watching)
        watching.cancel()
        return DONE


def look_once(settings: Settings) -> int:
    """Say which alarms hold. Returns 0 where none does, else 1.

    Raises:
        UnusableInput: the store or a setting cannot be used.
    """
    at, connecting = _place_of(settings.serve)
    places_of(settings.alarms)
    seen = asyncio.run(_seen_once(at, connecting, with_books=settings.alarms.all_books))
    found = [*raised_alarms(seen, settings.alarms)]
    for alarm in found:
        about = f" ({alarm.subject})" if alarm.subject else ""
        sagas = f" Such as {', '.join(alarm.saga_ids)}." if alarm.saga_ids else ""
        sys.stdout.write(f"{alarm.rule}{about}: {alarm.text}{sagas}\n")
    return SOME_HOLD if found else DONE


async def _seen_once(at: LastingLocation, connecting: Connecting, *, with_books: bool) -> WatchedStore:
    async with connecting as client:
        return await _seen(at, client, OwedReader(client.definitions.sagas), with_books=with_books)
