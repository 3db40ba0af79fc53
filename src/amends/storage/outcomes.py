"""Outcomes of participants as they travel: a word, and a value as JSON; in letters, and in messages of a wire."""

from __future__ import annotations

from typing import Literal

import msgspec

from amends.core.messages import Done, Later, Outcome, Refused, Unknown

OutcomeWord = Literal["done", "refused", "unknown", "later"]


def outcome_in(word: OutcomeWord, value: msgspec.Raw) -> Outcome:
    """The outcome of a word, and the answer, the reason, the error, or for how many seconds to wait.

    Raises:
        msgspec.ValidationError: the value is none that this outcome can have.
    """
    match word:
        case "done":
            return Done(msgspec.json.decode(value))
        case "refused":
            return Refused(msgspec.json.decode(value, type=str))
        case "unknown":
            return Unknown(msgspec.json.decode(value, type=str))
    return Later(msgspec.json.decode(value, type=float))
