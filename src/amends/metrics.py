"""Figures of a store or of a process, and the text in which Prometheus reads them.

What a label may say is known when the code is written: a definition, a step, a service, a status. An id, an entity, a
key, a name of a process or a text that a participant wrote never is one, as each new value is a new series for ever.
The form: https://prometheus.io/docs/instrumenting/exposition_formats/, text, version 0.0.4.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Final, Literal, NamedTuple

CONTENT_TYPE: Final = "text/plain; version=0.0.4"  # in UTF-8
LABELS: Final = frozenset(
    ("cause", "definition", "kind", "outcome", "service", "state", "status", "step", "unit", "version", "what", "alarm")
)
"""All labels that there are."""
ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600)
"""The bounds of latencies: those of Prometheus' clients, a millisecond below them, and what waits for people above."""

FigureKind = Literal["counter", "gauge", "histogram"]
NO_LABELS: Final[Mapping[str, str]] = {}


class Figure(NamedTuple):
    """One number.

    Attributes:
        value: in the unit that the name of its family says.
        labels: of what it is; the names are of `LABELS`.
    """

    value: float
    labels: Mapping[str, str] = NO_LABELS


class Histogram:
    """How often something took how long.

    Attributes:
        counts: how many were within each of `SECONDS`, and beyond the last; each is counted once.
        total: of all of them, seconds.
    """

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(SECONDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        """Count what happened.

        Args:
            seconds: that it took each time, >= 0.
            times: how often.
        """
        self.counts[bisect_left(SECONDS, seconds)] += times
        self.total += seconds * times


class Distribution(NamedTuple):
    """A histogram with its labels."""

    value: Histogram
    labels: Mapping[str, str] = NO_LABELS


class MetricFamily(NamedTuple):
    """Figures of one name.

    Attributes:
        name: in full, with its unit; that of a counter ends with ``_total``.
        kind: what may be done with the figures.
        help: what they are, in a sentence.
        figures: each with other labels; of a histogram each is a `Distribution`.
    """

    name: str
    kind: FigureKind
    help: str
    figures: Sequence[Figure | Distribution]


def exposed(families: Iterable[MetricFamily]) -> str:
    """The text for Prometheus."""
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def _lines(family: MetricFamily) -> Iterator[str]:
    yield f"# HELP {family.name} {family.help}"
    yield f"# TYPE {family.name} {family.kind}"
    for figure in family.figures:
        if isinstance(figure, Distribution):
            yield from _distribution(family.name, figure)
        else:
            yield _line(family.name, figure.labels, figure.value)


def _distribution(name: str, figure: Distribution) -> Iterator[str]:
    counts = (*accumulate(figure.value.counts),)
    for bound, count in zip((*map(_number, SECONDS), "+Inf"), counts, strict=True):
        yield _line(f"{name}_bucket", {**figure.labels, "le": bound}, count)
    yield _line(f"{name}_sum", figure.labels, figure.value.total)
    yield _line(f"{name}_count", figure.labels, counts[-1])


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    said = ",".join(f'{label}="{text.translate(ESCAPES)}"' for label, text in labels.items())
    return f"{name}{{{said}}} {_number(value)}" if said else f"{name} {_number(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
