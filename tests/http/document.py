"""Schemathesis on the OpenAPI document of a server of its own: what it generates, and what it found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.http.serving import serving

CASES = re.compile(r"^  (\d+) generated", re.MULTILINE)
NOT_HELD = "positive_data_acceptance"
"""What a document allows may be refused all the same: by a rule of the shop, for want of a saga, as no whole number."""
STREAM = "/events"
"""It does not end; `test_live.py` and `test_serving.py` look at it."""


class DocumentTried(NamedTuple):
    """What became of a run.

    Attributes:
        cases: how many requests were made.
        has_held: whether every answer was as the document says.
        said: what Schemathesis said.
    """

    cases: int
    has_held: bool
    said: str


def try_document(folder: Path, *, examples: int, phases: str, limit_s: float) -> DocumentTried:
    """Try every route of the shop's server with a key, by its document.

    Args:
        folder: for its store.
        examples: how many requests are made up for each route in each phase.
        phases: of Schemathesis, with commas.
        limit_s: after which it is ended, in seconds.
    """
    with serving(folder, is_open=False, code="shop") as served:
        key = served.said[0].rpartition(" ")[2].strip()
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"{served.http.base_url}/docs/openapi.json",
            "-H", f"Authorization: Bearer {key}", "--checks", "all", "--exclude-checks", NOT_HELD,
            "--exclude-path", STREAM, "--phases", phases, "--max-examples", str(examples), "--continue-on-failure",
            "--generation-deterministic",
        ]  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s, cwd=folder)
    found = CASES.search(ended.stdout)
    return DocumentTried(int(found[1]) if found else 0, ended.returncode == 0, ended.stdout + ended.stderr)
