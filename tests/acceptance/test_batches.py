"""What is read as a batch, and what is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amends import UnusableInput
from amends.entrypoints.cli.run.batches import batch_of
from tests.acceptance.command import amends

A = '["CREATE_CUSTOMER", "C001", 1000]'
B = '["QUERY_CUSTOMER", "C001"]'
OPERATIONS = [json.loads(A), json.loads(B)]

FORMS = {
    "a list": f"[{A}, {B}]",
    "a list over lines": json.dumps(OPERATIONS, indent=2),
    "an object": f'{{"operations": [{A}, {B}], "report": {{"x": 1}}}}',
    "an object over lines": json.dumps({"operations": OPERATIONS}, indent=1),
    "lines": f"{A}\n{B}\n",
    "lines of Windows": f"{A}\r\n\r\n{B}\r\n",
    "lines, and no last end": f"\n\n{A}\n \n{B}",
}

UNUSABLE = {
    b"": "f: it is empty; give a list of operations, [] for none",
    b" \n\t": "f: it is empty; give a list of operations, [] for none",
    b"3": 'f: no list of operations, nor an object that has one as "operations"',
    b"{}": 'f: no list of operations, nor an object that has one as "operations"',
    b'{"operations": {}}': 'f: no list of operations, nor an object that has one as "operations"',
    b"1\n[]": "f: line 2, column 1: not JSON: trailing characters: '['",
    b'{"operations": [], "operations": []}': "f: an object has the key 'operations' twice",
    b'["A", {"b": 1, "b": 2}]': "f: an object has the key 'b' twice",
    b"[NaN]": "f: line 1, column 2: not JSON: invalid character: 'NaN'",
    b"[\n1, -Infinity]": "f: line 2, column 5: not JSON: invalid character: 'Infinity'",
    b'["1e400", \n1e400]': "f: line 2, column 1: a number is too large to be read",
    b"-1e400": "f: line 1, column 1: a number is too large to be read",
    b"[9.5, 7, " + b"9" * 5000 + b"]": "f: line 1, column 10: a number is too large to be read",
    b'["\\ud800"]': "f: line 1, column 3: not JSON: \\ud800 is half of a character",
    b'["\\\\ud800", "\\udc00x"]': "f: line 1, column 14: not JSON: \\udc00 is half of a character",
    b'["\\ud800': "f: line 1, column 3: not JSON: \\ud800 is half of a character",
    b'["A", 1]\n["B" 2]': "f: line 2, column 6: not JSON: expected ',' or ']': '2'",
    b'["A"]\n\n["B",': "f: line 3, column 6: not JSON: it ends too early",
    b'[["A"]\n': "f: line 1, column 7: not JSON: it ends too early",
    b"[] ]": "f: line 1, column 4: not JSON: trailing characters: ']'",
    b"hello": "f: line 1, column 1: not JSON: invalid character: 'hello'",
    b'["a\nb"]': "f: line 1, column 4: not JSON: invalid character: '\\n'",
    b"\xef\xbb\xbf[]": "f: line 1, column 1: it begins with a byte order mark; save it as UTF-8 without one",
    b'[\n"\xc3\xa4\xff"]': "f: line 2, column 3: not UTF-8 text: invalid start byte",
    "[]".encode("utf-16"): "f: line 1, column 1: not UTF-8 text: invalid start byte",
    b"[" * 100_000: "f: line 1: nested too deeply",
    b'{"a":' * 100_000: "f: line 1: nested too deeply",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_reads_the_same(form: str) -> None:
    """A list, an object, lines."""
    assert batch_of("f", FORMS[form].encode()).operations == OPERATIONS


def test_places_of_lines_are_lines() -> None:
    """Blank lines count, as in an editor."""
    batch = batch_of("f", f"\n{A}\n\n{B}".encode())
    assert [batch.place(0), batch.place(1)] == ["line 2", "line 4"]


def test_places_in_a_list_are_indexes() -> None:
    """From 0, as the session counts."""
    assert batch_of("f", f"[{A}, {B}]".encode()).place(1) == "index 1"


def test_one_line_that_begins_with_a_string_is_one_operation() -> None:
    """It would be no use as a list of operations."""
    batch = batch_of("f", f"\n{A}\n".encode())
    assert (batch.operations, batch.lines) == ([OPERATIONS[0]], (2,))


def test_one_line_that_begins_otherwise_is_a_list() -> None:
    """Its entries are refused one by one, by the contract."""
    assert batch_of("f", b'[5, "A"]').operations == [5, "A"]
    assert batch_of("f", b"[]").operations == []


def test_a_list_over_lines_that_begins_with_a_string_is_a_list() -> None:
    """Only a file of one line counts as JSON Lines."""
    assert batch_of("f", b'["A",\n5]').operations == ["A", 5]


def test_a_line_that_is_no_list_is_for_the_contract_to_refuse() -> None:
    """The first line says that these are lines."""
    assert batch_of("f", f'{A}\n5\n{{"a": 1}}'.encode()).operations == [OPERATIONS[0], 5, {"a": 1}]


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**65), 19_933_688_932_870_350_000, 10**4000])
def test_a_large_number_stays_whole(number: int) -> None:
    """So that the contract refuses it as out of its range, and not as a number with a fraction."""
    assert batch_of("f", f"[[{number}]]".encode()).operations == [[number]]


def test_numbers_with_fractions_are_not_made_whole() -> None:
    """The contract refuses them; `-0` and `1.0` are what JSON says they are."""
    (found,) = batch_of("f", b"[[1.0, 1e2, -0]]").operations
    assert [type(number) for number in found] == [float, float, int]


@pytest.mark.parametrize("data", UNUSABLE, ids=lambda data: repr(data[:24]))
def test_what_is_unusable_is_told_with_its_place(data: bytes) -> None:
    """One line: file, line, column, what."""
    with pytest.raises(UnusableInput) as told:
        batch_of("f", data)
    assert str(told.value) == UNUSABLE[data]


NEARLY_JSON = st.lists(
    st.sampled_from(
        [*'[]{},:"\\\n -+.eE0123456789', "\\u", "\\ud800", "\\udc00", '"operations"', A, B, "null", "true", "NaN"]
    )
).map(lambda parts: "".join(parts).encode())


@given(st.one_of(st.binary(), st.text().map(str.encode), NEARLY_JSON))
def test_any_bytes_are_a_batch_or_unusable(data: bytes) -> None:
    """Never another error; and what is a batch holds no half characters."""
    try:
        batch = batch_of("f", data)
    except UnusableInput as told:
        error = str(told)
    else:
        error = "f: "
        json.dumps(batch.operations, ensure_ascii=False).encode()
    assert error.startswith("f: ")
    assert error.isprintable()


@given(st.one_of(st.binary(), NEARLY_JSON))
def test_any_bytes_as_a_file_end_with_0_or_2(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Through the whole command: 2 with one line and nothing printed, or 0."""
    path = tmp_path_factory.getbasetemp() / "any-bytes"
    path.write_bytes(data)
    ran = amends("run", path)
    assert ran.code in (0, 2)
    if ran.code:
        assert ran.out == ""
        assert ran.err.count("\n") == 1


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"])),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
        max_leaves=20,
    ).map(lambda x: [x, x])
)
def test_what_is_json_is_read_as_it_is(found: list[object]) -> None:
    """Reading is what `json` reads, type for type."""
    batch = batch_of("f", json.dumps(found, indent=1).encode())
    assert repr(batch.operations) == repr(json.loads(json.dumps(found)))


def test_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """No such file, a folder, a name with a line break."""
    assert amends("run", tmp_path / "none").err == f"amends: {tmp_path / 'none'}: no such file\n"
    assert amends("run", tmp_path).err == f"amends: {tmp_path}: cannot be read: Is a directory\n"
    assert amends("run", "a\nb").err == "amends: 'a\\nb': no such file\n"
