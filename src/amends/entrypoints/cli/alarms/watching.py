"""Watching a store: beside the HTTP API, in a process of its own, or once."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from amends.alarms.memory import AlarmMemory
from amends.alarms.places import places_of
from amends.alarms.rules import WatchedStore, raised_alarms
from amends.alarms.settings import AlarmSettings
from amends.alarms.watching import AlarmWatch
from amends.bootstrap import connect
from amends.client.connection import now_ms
from amends.entrypoints.cli.databases import named
from amends.entrypoints.cli.logs import set_up_log
from amends.entrypoints.cli.settings import Settings
from amends.entrypoints.cli.worker.serving import EndSignal
from amends.errors import AmendsError
from amends.storage.location import SQLITE, LastingLocation, without_password
from amends.views.status import StoreStatus, look_at_status

DONE, SOME_HOLD = 0, 1
SUFFIX: Final = ".alarms"

Looking = Callable[[], Awaitable[StoreStatus]]
"""Has a look at a store."""


def alarm_watch(at: LastingLocation, settings: AlarmSettings, look: Looking) -> AlarmWatch:
    """What watches a store.

    Args:
        at: the store.
        settings: what is an alarm, and whom it is told.
        look: looks at it.

    Raises:
        UnusableInput: a setting is not what it has to be, or what was told cannot be read.
    """
    beside = Path(f"{at.shown}{SUFFIX}") if at.url.startswith(SQLITE) else None
    memory = AlarmMemory(Path(settings.memory) if settings.memory else beside)
    return AlarmWatch(lambda: _seen(at, look), settings, memory, places_of(settings), without_password(at.shown))


async def _seen(at: LastingLocation, look: Looking) -> WatchedStore:
    try:
        return WatchedStore(now_ms(), await look(), free_bytes=_free_bytes(at))
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
    return asyncio.run(_watched(named(settings.serve.db), settings.alarms))


async def _watched(at: LastingLocation, settings: AlarmSettings) -> int:
    async with connect(at.url) as client:
        watch = alarm_watch(at, settings, lambda: client.connection.look_apart(look_at_status))
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
    at = named(settings.serve.db)
    places_of(settings.alarms)
    seen = asyncio.run(_seen_once(at))
    found = [*raised_alarms(seen, settings.alarms)]
    for alarm in found:
        about = f" ({alarm.subject})" if alarm.subject else ""
        sagas = f" Such as {', '.join(alarm.saga_ids)}." if alarm.saga_ids else ""
        sys.stdout.write(f"{alarm.rule}{about}: {alarm.text}{sagas}\n")
    return SOME_HOLD if found else DONE


async def _seen_once(at: LastingLocation) -> WatchedStore:
    async with connect(at.url) as client:
        return await _seen(at, lambda: client.connection.look_apart(look_at_status))
