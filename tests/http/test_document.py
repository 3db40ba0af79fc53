"""What the OpenAPI document says is so, for requests that Schemathesis makes up; `make e2e` tries 20 000 and more."""

from __future__ import annotations

from pathlib import Path

from tests.http.document import try_document

LIMIT_S = 900.0


def test_answers_are_as_the_document_says(tmp_path: Path) -> None:
    """No 5xx, no status, type or value that is not in the document, no route without a key."""
    tried = try_document(tmp_path, examples=3, phases="fuzzing", limit_s=LIMIT_S)
    assert tried.has_held, tried.said
    assert tried.cases >= 50, tried.said
