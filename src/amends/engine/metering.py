"""The figures of an engine as instruments of OpenTelemetry, where the program uses its metrics.

A program that has metrics has imported their API before; where it did not, nothing is imported here. The figures are
those that Prometheus is told, under the same names once an exporter has written these its way.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from amends.engine.logger import log
from amends.engine.measures import EngineMeasures
from amends.metrics import SECONDS, Figure, MetricFamily

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation

API: Final = "opentelemetry.metrics"
SECONDS_END: Final = "_seconds"


class Figured(Protocol):
    """What has figures."""

    def figures(self) -> Sequence[MetricFamily]:
        """Those of now."""


def meter(measures: EngineMeasures, of: Figured) -> None:
    """Make instruments of the figures of an engine; what an SDK does about them harms no engine.

    Args:
        measures: hears of durations.
        of: tells the other figures, for as long as it is there.
    """
    if API not in sys.modules:
        return
    try:
        _meter(measures, of)
    except Exception:  # noqa: BLE001 - of an SDK of the program's
        log.exception("the engine has no instruments of OpenTelemetry")


def _meter(measures: EngineMeasures, of: Figured) -> None:
    from opentelemetry import metrics  # noqa: PLC0415 - an extra

    made, there = metrics.get_meter("amends"), weakref.ref(of)
    histograms = dict[str, Any]()
    for family in of.figures():
        name, unit = instrument_of(family.name)
        if family.kind == "histogram":
            histograms[family.name] = made.create_histogram(
                name, unit, family.help, explicit_bucket_boundaries_advisory=SECONDS
            )
        else:
            is_counter = family.kind == "counter"
            create: Any = made.create_observable_counter if is_counter else made.create_observable_gauge
            create(name, [_observing(there, family.name)], unit, family.help)

    def record(name: str, seconds: float, labels: Mapping[str, str]) -> None:
        histograms[name].record(seconds, dict(labels))

    measures.record = record


def instrument_of(name: str) -> tuple[str, str]:
    """The name and the unit of an instrument, of which an exporter for Prometheus makes the name of a family."""
    unit = "s" if name.endswith(SECONDS_END) else ""
    return name.removesuffix(SECONDS_END).removesuffix("_total").replace("_", ".", 2), unit


def _observing(there: weakref.ref[Figured], name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observe(_: CallbackOptions) -> Iterator[Observation]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - an extra

        of = there()
        for family in of.figures() if of is not None else ():
            if family.name == name:
                figures = (each for each in family.figures if isinstance(each, Figure))
                yield from (Observation(each.value, dict(each.labels)) for each in figures)

    return observe
