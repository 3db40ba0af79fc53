"""What a host answered under an idempotency key, as it is stored: see `amends.core.inbox.as_plain`."""

from __future__ import annotations

from typing import Final

import msgspec

from amends.core.inbox import as_plain
from amends.core.messages import Done, Refused
from amends.storage.codecs.values import Codec, json_of, opened

_STORED: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def kept_answer(answer: Done | Refused) -> str:
    """An answer as it is stored: JSON."""
    return json_of(as_plain(answer if isinstance(answer, Refused) else Done(opened(answer.answer))))


def answer_kept(text: str, codec: Codec) -> Done | Refused:
    """An answer, read back; who is given it may change it.

    Args:
        text: as it is stored, JSON.
        codec: how the answers of its step are kept.

    Raises:
        ValueError, KeyError: it is not what was written.
    """
    stored = _STORED.decode(text)
    if "refused" in stored:
        return Refused(msgspec.json.decode(stored["refused"], type=str))
    answer = bytes(stored["done"]).decode()
    return Done(None if answer == "null" else codec.decode(answer))
