"""Packed messages: what is packed is unpacked, and of what is wrong in part the rest is read."""

from __future__ import annotations

import json

import msgspec
import pytest

from amends.core.messages import Done, Kind, Later, Outcome, Refused, Unknown
from amends.errors import MessageTooBig, MessageUnusable
from amends.storage.packed import (
    PackedAnswer,
    PackedRequest,
    pack_answers,
    pack_requests,
    unpack_answers,
    unpack_requests,
)
from amends.storage.wire import MESSAGE_BYTES_MAX


def asked(saga_id: str, body: str = "1999") -> PackedRequest:
    """Ask for a charge."""
    return PackedRequest(saga_id, "CHARGED", Kind.DO, 1, f"{saga_id}/CHARGED/do", 5, msgspec.Raw(body.encode()))


def said(says: str, value: str) -> PackedAnswer:
    """Answer it."""
    text = json.dumps({"saga_id": "s1", "step": "CHARGED", "kind": "do", "attempt": 1, "says": says})
    return msgspec.json.decode(f'{text[:-1]}, "value": {value}}}', type=PackedAnswer)


def test_what_is_packed_is_unpacked() -> None:
    """In its order, with all that belongs to it."""
    requests = [asked("s1"), asked("s2", '{"a":[1,2]}')]
    (message,) = pack_requests(">one", "order/1/0123", requests)
    unpacked = unpack_requests(message)
    assert msgspec.json.encode(unpacked.message.requests) == msgspec.json.encode(requests)
    assert (unpacked.message.reply_to, unpacked.message.saga, unpacked.faults) == (">one", "order/1/0123", ())


@pytest.mark.parametrize(
    ("says", "value", "outcome"),
    [
        ("done", '{"receipt": 7}', Done({"receipt": 7})),
        ("done", "null", Done()),
        ("refused", '"no money"', Refused("no money")),
        ("unknown", '"gone"', Unknown("gone")),
        ("later", "2.5", Later(2.5)),
    ],
)
def test_an_answer_says_its_outcome(says: str, value: str, outcome: Outcome) -> None:
    """Also once it went over a wire."""
    (message,) = pack_answers("CARD", [said(says, value)])
    assert [answer.outcome() for answer in unpack_answers(message).message.answers] == [outcome]


@pytest.mark.parametrize(("says", "value"), [("refused", "7"), ("unknown", "{}"), ("later", '"soon"'), ("done", "nul")])
def test_an_answer_without_its_value_says_nothing(says: str, value: str) -> None:
    """It is refused, and is no outcome."""
    answer = msgspec.structs.replace(said("done", "1"), says=says, value=msgspec.Raw(value.encode()))
    with pytest.raises(msgspec.DecodeError):
        answer.outcome()


def test_much_is_packed_into_several_messages() -> None:
    """None is larger than a wire takes, and their order is kept."""
    requests = [asked(f"s{number}", json.dumps("x" * 1000)) for number in range(2000)]
    messages = pack_requests(">one", "order/1/0123", requests)
    assert len(messages) > 1
    assert max(map(len, messages)) <= MESSAGE_BYTES_MAX
    heard = [request.saga_id for message in messages for request in unpack_requests(message).message.requests]
    assert heard == [request.saga_id for request in requests]


def test_a_request_larger_than_a_message_is_refused() -> None:
    """The error names it, and nothing is packed."""
    with pytest.raises(MessageTooBig, match=r"saga s2: CHARGED/do makes a message of \d+ bytes"):
        pack_requests(">one", "order/1/0123", [asked("s1"), asked("s2", json.dumps("x" * MESSAGE_BYTES_MAX))])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"no JSON", b"\xff\xfe", b"[]", b"7", b"{}", b"[" * 100_000, b'{"v":1,"requests":[]}',
        b'{"v":2,"reply_to":">one","saga":"s","requests":[]}', b'{"v":1,"reply_to":7,"saga":"s","requests":[]}',
        b'{"v":1,"reply_to":">one","saga":"s","requests":{}}', b'{"v":1,"service":"CARD","answers":[]}',
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused(body: bytes) -> None:
    """In one line, whatever it is."""
    with pytest.raises(MessageUnusable, match=r"^no message of version 1 with requests: [^\n]+$"):
        unpack_requests(body)


def test_what_is_wrong_in_part_is_read_in_part() -> None:
    """The others are read; what is wrong is told with its place."""
    (message,) = pack_requests(">one", "order/1/0123", [asked("s1"), asked("s2"), asked("s3")])
    read = unpack_requests(message.replace(b'"s2"', b"2").replace(b'"kind":"do"', b'"kind":"undue"', 1))
    assert [request.saga_id for request in read.message.requests] == ["s3"]
    assert read.faults == [
        "requests[0]: Invalid enum value 'undue' - at `$.kind`",
        "requests[1]: Expected `str`, got `int` - at `$.saga_id`",
    ]
    assert read.message.reply_to == ">one"
