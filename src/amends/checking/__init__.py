"""The checker: breaks a saga in every way there is, within a bound, and shows what is not put back.

`check` is for tests, ``amends check`` for the command line; docs/checking.md is the guide. It needs the standard
library alone.
"""

from __future__ import annotations

from amends.checking.answer import Answer, CheckCut, CheckFailed
from amends.checking.api import check
from amends.checking.explore import Counterexample, Found, Progress, explore
from amends.checking.models import (
    Model,
    Reply,
    adapter,
    answers_later,
    declines,
    forgets_keys,
    honours_keys,
    loses_replies,
    without_keys,
)
from amends.scenario import Scenario

__all__ = [
    "Answer",
    "CheckCut",
    "CheckFailed",
    "Counterexample",
    "Found",
    "Model",
    "Progress",
    "Reply",
    "Scenario",
    "adapter",
    "answers_later",
    "check",
    "declines",
    "explore",
    "forgets_keys",
    "honours_keys",
    "loses_replies",
    "without_keys",
]
