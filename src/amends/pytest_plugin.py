"""The pytest plugin: a test that `amends.check` failed shows the timeline, in colour, in place of a traceback.

pytest loads it by its entry point. It imports nothing of the checker: a test that uses `check` has done so.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any, Final, NamedTuple

import pytest

ANSWER: Final = "amends.checking.answer"
COLOURS: Final[dict[str, dict[str, bool]]] = {
    "": {},
    "faint": {"light": True},
    "strong": {"bold": True},
    "saga": {"cyan": True},
    "done": {"green": True},
    "refused": {"red": True, "bold": True},
    "unknown": {"purple": True, "bold": True},
    "undone": {"yellow": True},
}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Put the picture where the traceback was."""
    outcome = yield
    raised = call.excinfo.value if call.excinfo else None
    if raised is not None and _is_answer(raised):
        outcome.get_result().longrepr = Picture(raised, SummaryLine(f"{type(raised).__name__}: {_in_short(raised)}"))


def _is_answer(raised: BaseException) -> bool:
    module = sys.modules.get(ANSWER)
    return module is not None and isinstance(raised, module.CheckFailed)


def _in_short(raised: Any) -> str:
    shown = raised.answer.counterexample
    if shown:
        return f"{shown.broken.rule}: {shown.broken.text}"
    missing = raised.answer.missing
    return "; ".join(missing) if missing else f"cut by {raised.answer.found.cut_by}"


class SummaryLine(NamedTuple):
    """What pytest's summary says in one line."""

    message: str


class Picture(NamedTuple):
    """What pytest shows of the failure; the names are those that it looks for."""

    raised: Any
    reprcrash: SummaryLine

    def toterminal(self, writer: Any) -> None:
        """Write it, with colours where the terminal has them."""
        if not writer.hasmarkup:
            writer.line(str(self))
            return
        writer.line(self.raised.title(), bold=True)
        writer.line("")
        for line in self.raised.answer.lines():
            for span in line:
                writer.write(span.text, **COLOURS[span.look])
            writer.line("")

    def __str__(self) -> str:
        return str(self.raised)
