"""The same inputs give the same bytes: in every process, whatever the order of its sets."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.house.source import ROOT

SCRIPT = """
import random
from amends import Saga, external, parallel
from amends.core.audit import GENESIS, chain
from amends.core.messages import *
from amends.core.step import start, step

def f(client, request, call): ...

def part(event, **options):
    return external(event, f, undo=f, undone=event + "_UNDONE", **options)

saga = Saga("test", dict, [
    part("A"),
    parallel(*(part(name, limit_s=20, probe=f, settles_within_s=30) for name in ("B", "C", "D", "E"))),
    external("P", f, pivot=True, key_lives_h=1),
    parallel(external("Y", f), external("Z", f)),
], deadline_s=500)

head = GENESIS
for seed in range(60):
    draw = random.Random(seed)
    run, effects = start(saga, f"saga-{seed}", {"n": seed})
    now_ms = 0
    for _ in range(60):
        for effect in effects:
            text = f"{effect!r} {run.state!r} {run.waiting!r} {run.trail!r} {dict(run.answers)!r}"
            head = chain(head, ascii(text))
        now_ms += draw.randrange(20_000)
        due = list(run.overdue(now_ms))
        if due and draw.random() < 0.5:
            said = draw.choice(due)
        else:
            outcome = draw.choice([Done(draw.random()), Done(), Refused("no"), Unknown("?"), Later(9)])
            said = Answered(draw.choice("ABCDEPYZ"), draw.choice(list(Kind)), outcome)
        run, effects = step(run, said, now_ms)
print(head.hex())
"""


def head(hash_seed: str) -> str:
    """Run sixty sagas in a process of its own, and return the head of everything that came out."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-W", "error", "-c", SCRIPT]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout.strip()


def test_nothing_depends_on_the_order_of_a_set() -> None:
    """Effects, states, books and records are the same under any hash seed."""
    heads = {head(seed) for seed in ("0", "1", "2", "4711")}
    assert len(heads) == 1
    assert len(heads.pop()) == 64
