"""What is told of an alarm: that it began, or that it ended; once to each place that it goes to."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final, Literal, Protocol

import msgspec

RUNBOOK: Final = "docs/runbook.md"
FORM: Final = 1
"""Changes when a key of a notice changes its meaning or is gone."""
log: Final = logging.getLogger("amends.alarms")


class AlarmNotice(msgspec.Struct, frozen=True):
    """What is told of an alarm.

    Attributes:
        id: the same for each place that it is told, and each time that it is told again; another one for its end.
        state: whether it began or ended.
        alarm: its rule.
        subject: of what it is; empty for the whole store.
        text: what is so, or was last, in a sentence.
        saga_ids: some of the sagas.
        began: when it was found first.
        at: when this was found.
        store: the store, without a password.
        runbook: where it says what to do.
        form: of this document.
    """

    id: str
    state: Literal["began", "ended"]
    alarm: str
    subject: str
    text: str
    saga_ids: tuple[str, ...]
    began: datetime
    at: datetime
    store: str
    runbook: str
    form: int = FORM

    def as_json(self) -> bytes:
        """The document."""
        return msgspec.json.encode(self)


def runbook_of(rule: str) -> str:
    """Where the runbook has a rule."""
    return f"{RUNBOOK}#{rule}"


class NotTold(Exception):
    """A notice did not arrive; it is told again at the next look."""


class NoticePlace(Protocol):
    """Where alarms are told.

    Attributes:
        name: tells it apart from the others, also after a restart.
    """

    @property
    def name(self) -> str:
        """See above."""

    async def tell(self, notice: AlarmNotice) -> None:
        """Tell it.

        Raises:
            NotTold: it did not arrive, or that is not known.
        """


class LogPlace:
    """Tells alarms in the log."""

    name = "log"

    async def tell(self, notice: AlarmNotice) -> None:
        """Tell it."""
        log.warning(
            "alarm %s%s %s: %s See %s",
            notice.alarm, f" ({notice.subject})" * bool(notice.subject), notice.state, notice.text, notice.runbook,
        )  # fmt: skip
