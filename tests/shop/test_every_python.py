"""The single file keeps the contract on every Python at hand, isolated and without site-packages.

Batches and the naive reading's reports of them are handed over; what is no built-in value cannot be, and is tested by
test_contract.py and test_differential.py on the present Python.
"""

from __future__ import annotations

import pickle
import random
import subprocess
from pathlib import Path

import pytest

from tests.house.interpreters import interpreters
from tests.shop.batches import Batch, crowded_batch, random_batch, text_of
from tests.shop.naive import NaiveSession, naive_processor

BATCHES = 1500
CROWDED = 10
SESSIONS = 60

COMPARE = """
import importlib.util, json, pickle, sys
spec = importlib.util.spec_from_file_location("single_file", sys.argv[1])
main = importlib.util.module_from_spec(spec)
sys.modules["single_file"] = main
spec.loader.exec_module(main)
batches, sessions = pickle.load(sys.stdin.buffer)
for operations, expected in batches:
    assert json.dumps(main.ecommerce_saga_processor(operations)) == expected, operations
for session_batches in sessions:
    session = main.Session()
    for operations, expected in session_batches:
        assert json.dumps(session.process(operations)) == expected, session_batches
print(len(batches), len(sessions))
"""


def is_plain(batch: Batch) -> bool:
    """Whether a batch can be handed to another process that knows no class of ours."""
    try:
        return b"tests" not in pickle.dumps(batch)
    except Exception:  # noqa: BLE001 - some batches hold what raises whenever it is touched
        return False


def handed_over() -> bytes:
    """Batches with the reports of the naive reading, alone and as sessions."""
    rng = random.Random(2026)
    drawn = [random_batch(rng) for _ in range(BATCHES)] + [crowded_batch(rng) for _ in range(CROWDED)]
    batches = [(batch, text_of(naive_processor(batch))) for batch in drawn if is_plain(batch)]
    assert len(batches) > BATCHES // 4, "most batches hold nothing strange"
    sessions = []
    for _ in range(SESSIONS):
        naive = NaiveSession()
        plain = [batch for batch in (random_batch(rng) for _ in range(4)) if is_plain(batch)]
        sessions.append([(batch, text_of(naive.process(batch))) for batch in plain])
    return pickle.dumps((batches, sessions))


@pytest.mark.parametrize("python", interpreters().values(), ids=interpreters())
def test_the_single_file_keeps_the_contract(python: Path, single_file_path: Path) -> None:
    """Batch by batch and session by session, it gives what the naive reading gives."""
    command = [str(python), "-I", "-S", "-c", COMPARE, str(single_file_path)]
    ran = subprocess.run(command, input=handed_over(), capture_output=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr.decode()
    assert int(ran.stdout.split()[0]) > BATCHES // 4
