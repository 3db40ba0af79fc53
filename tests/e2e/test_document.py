"""The OpenAPI document, tried with 20 000 requests and more, in all phases of Schemathesis."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.http.document import try_document

pytestmark = pytest.mark.e2e

LIMIT_S = 3000.0


def test_twenty_thousand_answers_are_as_the_document_says(tmp_path: Path) -> None:
    """In all phases: examples, coverage, fuzzing, and sequences of requests."""
    phases = "examples,coverage,fuzzing,stateful"
    tried = try_document(tmp_path, examples=600, phases=phases, limit_s=LIMIT_S)
    assert tried.has_held, tried.said
    assert tried.cases >= 20_000, tried.said
