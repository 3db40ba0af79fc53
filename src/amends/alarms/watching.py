"""Looking at a store now and then, and telling each alarm once when it begins, and once when it ends.

What was told is kept before the next look. A process that is killed between telling and keeping tells it once more,
under the same id; what did not arrive is told again, at each look, until it does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final, Literal

from amends.alarms.memory import AlarmMemory, KeptAlarm
from amends.alarms.notices import AlarmNotice, NoticePlace, NotTold, runbook_of
from amends.alarms.rules import STORE_AWAY, RaisedAlarm, WatchedStore, raised_alarms
from amends.alarms.settings import AlarmSettings
from amends.lines import SECOND_MS

ENDED_AFTER: Final = 2  # looks in which it is not found: what comes and goes calls once
log: Final = logging.getLogger("amends.alarms")


class AlarmWatch:
    """Watches one store."""

    def __init__(
        self,
        look: Callable[[], Awaitable[WatchedStore]],
        settings: AlarmSettings,
        memory: AlarmMemory,
        places: Sequence[NoticePlace],
        store: str,
    ) -> None:
        """Look at nothing yet.

        Args:
            look: looks at the store; it does not raise where that is away.
            settings: what is an alarm.
            memory: of what was told.
            places: where alarms are told.
            store: its name for people, without a password.
        """
        self._look = look
        self._settings = settings
        self._memory = memory
        self._places = places
        self._store = store
        self._trouble = dict[str, str]()

    async def run(self) -> None:
        """Look until it is cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                log.exception("alarms are not looked for now, and are at the next look")
            await asyncio.sleep(self._settings.every_s)

    async def look(self) -> None:
        """Look once, and tell what is new."""
        seen = await self._look()
        self._take_in(seen.now_ms, [*raised_alarms(seen, self._settings)], is_away=seen.status is None)
        await asyncio.gather(*(self._tell(place) for place in self._places))
        names = {place.name for place in self._places}
        for key, alarm in [*self._memory.alarms.items()]:
            if alarm.ended_ms and names & {*alarm.told} <= {*alarm.told_end}:
                del self._memory.alarms[key]
        try:
            self._memory.keep()
            self._say("memory", "")
        except OSError as error:
            self._say("memory", f"which alarms were told is not kept: {error.strerror}")

    def _take_in(self, now_ms: int, raised: Iterable[RaisedAlarm], *, is_away: bool) -> None:
        """Compare what holds with what held. Of a store that is away nothing else is known."""
        alarms, found = self._memory.alarms, set[tuple[str, str]]()
        for alarm in raised:
            found.add(key := (alarm.rule, alarm.subject))
            kept = alarms.get(key)
            if kept is None or kept.ended_ms:
                alarms[key] = KeptAlarm(*alarm, began_ms=now_ms)
            else:
                kept.text, kept.saga_ids, kept.missed = alarm.text, alarm.saga_ids, 0
        for key, kept in alarms.items():
            if key not in found and not kept.ended_ms and (not is_away or kept.rule == STORE_AWAY):
                kept.missed += 1
                kept.ended_ms = now_ms if kept.missed >= ENDED_AFTER else 0

    async def _tell(self, place: NoticePlace) -> None:
        """Tell a place what it does not know; where one does not arrive, the others wait for the next look."""
        for alarm, state in [*self._news_for(place.name)]:
            try:
                await place.tell(self._notice(alarm, state))
            except NotTold as error:
                self._say(place.name, f"alarms are not told by the {place.name} for now: {error}")
                return
            (alarm.told if state == "began" else alarm.told_end).append(place.name)
            self._say(place.name, "")

    def _news_for(self, name: str) -> Iterator[tuple[KeptAlarm, Literal["began", "ended"]]]:
        for alarm in self._memory.alarms.values():
            if not alarm.ended_ms and name not in alarm.told:
                yield alarm, "began"
            if alarm.ended_ms and name in alarm.told and name not in alarm.told_end:
                yield alarm, "ended"

    def _notice(self, alarm: KeptAlarm, state: Literal["began", "ended"]) -> AlarmNotice:
        at_ms = alarm.ended_ms or alarm.began_ms
        name = f"{alarm.rule}/{alarm.subject}" if alarm.subject else alarm.rule
        notice_id = f"{alarm.began_ms}-{state}-" + "".join(sign if sign.isalnum() else "-" for sign in name)
        return AlarmNotice(
            notice_id.encode("ascii", "replace").decode(), state, alarm.rule, alarm.subject, alarm.text,
            alarm.saga_ids, _moment(alarm.began_ms), _moment(at_ms), self._store, runbook_of(alarm.rule),
        )  # fmt: skip

    def _say(self, what: str, trouble: str) -> None:
        """Say in the log what is wrong with a place, once for as long as it stays so."""
        if trouble and self._trouble.get(what) != trouble:
            log.warning("%s", trouble)
        self._trouble[what] = trouble


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / SECOND_MS, UTC)
