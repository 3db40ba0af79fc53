"""The ten kinds of bug with which the guide begins: each is found, by its rule, and holds once mended."""

from __future__ import annotations

from typing import Final

import pytest

from amends import Scenario, check
from amends.checking import CheckFailed
from examples import bugs

RULES: Final = {
    "lost_reply": "all or nothing is left",
    "silence_is_no": "all or nothing is left",
    "twice": "an effect happens twice",
    "half_way": "all or nothing is left",
    "not_as_before": "what is compensated is as before",
    "undo_says_no": "a compensation is refused",
    "too_early": "a step behind the pivot is refused",
    "given_too_soon": "no dirty read",
    "two_at_a_time": "no lost update",
    "read_back": "what is stored is read back as it was",
}


def test_there_are_ten() -> None:
    """Each with its twin, in which it is mended; and no others."""
    found = [name for name, value in vars(bugs).items() if isinstance(value, Scenario)]
    assert found == [name for bug in RULES for name in (bug, f"{bug}_mended")]
    assert len(RULES) == 10


@pytest.mark.parametrize("bug", RULES)
def test_a_bug_is_found(bug: str) -> None:
    """By the rule that it breaks."""
    with pytest.raises(CheckFailed) as caught:
        check(getattr(bugs, bug))
    assert caught.value.answer.counterexample is not None
    assert caught.value.answer.counterexample.broken.rule == RULES[bug]


@pytest.mark.parametrize("bug", RULES)
def test_once_mended_it_holds(bug: str) -> None:
    """Within the same bound."""
    check(getattr(bugs, f"{bug}_mended"))
