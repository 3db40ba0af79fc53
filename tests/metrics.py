"""Reading figures as Prometheus does."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

NAME = re.compile(r"amends_[a-z]+(_[a-z]+)*")
NO_BASE_UNITS = re.compile(r"_(ms|millis|milliseconds|minutes|hours|kib|kilobytes|percent)\b")


def parsed(text: str) -> Mapping[str, Sequence[Sample]]:
    """Read a text, and see that its names and units are as `promtool check metrics` wants them.

    Returns:
        By the name of each family, its samples.
    """
    found: dict[str, Sequence[Sample]] = {}
    for family in text_string_to_metric_families(text):
        assert family.name not in found, "a family is told once"
        assert NAME.fullmatch(family.name), family.name
        assert not NO_BASE_UNITS.search(family.name), f"{family.name}: base units are seconds and bytes"
        assert family.documentation.endswith("."), f"{family.name} has help"
        assert family.type in ("counter", "gauge", "histogram"), family.name
        keys = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(keys) == len({*keys}), f"{family.name}: a series is told once"
        is_total = all(sample.name.endswith("_total") for sample in family.samples)
        assert not family.samples or is_total == (family.type == "counter"), family.name
        found[family.name] = family.samples
    return found
