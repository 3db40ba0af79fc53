"""The yardstick of the benchmark keeps the same contract, so that the comparison is fair."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings

from bench.handwritten import handwritten_processor
from tests.shop.batches import Batch, batch_strategy, crowded_batch, random_batch, text_of
from tests.shop.naive import naive_processor


@pytest.mark.parametrize("seed", range(8))
def test_random_batches(seed: int) -> None:
    """The hand-written loop gives the report of the naive reading, on random batches."""
    rng = random.Random(f"handwritten {seed}")
    for number in range(300):
        batch = random_batch(rng)
        ours, theirs = text_of(handwritten_processor(batch)), text_of(naive_processor(batch))
        assert ours == theirs, f"seed {seed}, batch {number}"


def test_crowded_batches() -> None:
    """The hand-written loop keeps the count limits."""
    rng = random.Random("handwritten, crowded")
    for number in range(40):
        batch = crowded_batch(rng)
        assert text_of(handwritten_processor(batch)) == text_of(naive_processor(batch)), f"batch {number}"


@settings(deadline=None)
@given(batch=batch_strategy())
def test_any_batch(batch: Batch) -> None:
    """The hand-written loop gives the report of the naive reading, for the batches that Hypothesis finds."""
    assert text_of(handwritten_processor(batch)) == text_of(naive_processor(batch))


@pytest.mark.parametrize("unreadable", [None, 5, object(), (1 // 0 for _ in "x")])
def test_unreadable(unreadable: object) -> None:
    """What cannot be read is an empty batch for the hand-written loop, too."""
    assert handwritten_processor(unreadable) == naive_processor(unreadable)
