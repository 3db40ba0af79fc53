"""The names of channels, and how large a message may be."""

from __future__ import annotations

import pytest

from amends.errors import MessageTooBig, UnusableInput
from amends.storage.wire import MESSAGE_BYTES_MAX, channel_to, expect_channel, expect_size, is_service


def test_a_channel_is_named_for_a_service_or_a_coordinator() -> None:
    """The two never have one name."""
    for channel in ("PAYMENT", "payment.eu", channel_to("engine-1")):
        expect_channel(channel)
    assert is_service("PAYMENT")
    assert not is_service(channel_to("engine-1"))


@pytest.mark.parametrize("channel", ["", ">", "a/b", "a\nb", "x" * 101])
def test_a_channel_of_another_name_is_refused(channel: str) -> None:
    """The error says what a name is."""
    with pytest.raises(UnusableInput, match="no channel can have the name"):
        expect_channel(channel)


def test_a_message_that_is_too_large_is_refused() -> None:
    """By one byte."""
    expect_size([b"x" * MESSAGE_BYTES_MAX, b""])
    expect_size([])
    with pytest.raises(MessageTooBig, match=f"a message has {MESSAGE_BYTES_MAX + 1} bytes"):
        expect_size([b"", b"x" * (MESSAGE_BYTES_MAX + 1)])
