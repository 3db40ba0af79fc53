"""The figures of a store: what they say, and that no attack by ids makes series of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.samples import Sample

import amends
from amends import GONE, Client, Done, Engine, Refused, Saga, external, local
from amends.engine.names import new_name
from amends.metrics import LABELS, Distribution, Figure, Histogram, MetricFamily, exposed
from amends.views.at_work import AtWork
from amends.views.overview import Overview
from amends.views.owed import OwedEntry
from amends.views.rates import Rates
from amends.views.sagas import AsOf
from amends.views.status import StoreStatus
from amends.views.store_metrics import cause_of, look_at_metrics, owed_families, store_families
from amends.views.trouble import Failing
from tests.metrics import parsed
from tests.postgres import schema

PLANTED = "x7q"
"""In every id, entity, reason, error and answer of the attack."""


def charge(_client: None, request: str, _call: object) -> Done | Refused:
    """CHARGED: one is done, one refused, one fails, each with words of its own."""
    which = int(request.rpartition("-")[2]) % 3
    if which == 2:
        raise ValueError(f"{request} is wrong: {PLANTED}\n# TYPE evil counter")
    return Done(request) if which else Refused(f"no money for {request}")


def undo(_client: None, _request: str, _call: object) -> None:
    """UNCHARGED."""


ATTACKED = Saga(
    "attacked",
    str,
    [
        local("HELD", lambda before, request: request, undo=lambda *_: GONE, undone="LET_GO", entity=lambda r: r),
        external("CHARGED", charge, undo=undo, undone="UNCHARGED", timeout_s=1),
    ],
)


async def attack(engine: Engine, first: int, number: int) -> None:
    """Start sagas whose values are all different; wait until each has come as far as it comes."""
    requests = [f"{PLANTED}-{first + each}" for each in range(number)]
    await engine.submit_many(ATTACKED, requests, keys=requests)
    for _ in range(3000):
        waiting = (await engine.list(status="waiting", limit=1000)).sagas
        if all(saga.questions and saga.questions[0].attempt > 1 for saga in waiting if not hasattr(saga, "why")):
            return
        await asyncio.sleep(0.01)
    raise AssertionError("they do not come as far")


async def seen(client: Client) -> Mapping[str, Sequence[Sample]]:
    """The figures, read as Prometheus does."""
    text = exposed(await client.connection.look_apart(look_at_metrics))
    assert PLANTED not in text
    return parsed(text)


def series(families: Mapping[str, Sequence[Sample]]) -> set[Any]:
    """Names and labels."""
    return {(sample.name, *sorted(sample.labels.items())) for each in families.values() for sample in each}


@pytest.fixture(params=["memory", "file", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a store of each kind."""
    if request.param == "postgresql":
        with schema() as made:
            yield made
    else:
        yield f"memory:{new_name(8)}" if request.param == "memory" else f"sqlite:///{tmp_path}/shop.db"


def test_ids_entities_keys_and_texts_never_are_labels(url: str) -> None:
    """W7: ten times as many sagas, each with values of its own, make no series more; on every store."""

    async def run() -> None:
        async with amends.open(url, sagas=[ATTACKED]) as engine, amends.connect(url) as client:
            await attack(engine, 0, 6)
            few = await seen(client)
            await attack(engine, 6, 54)
            many = await seen(client)
        assert series(few) == series(many)
        assert {label for name, *labels in series(many) for label, _ in labels} <= LABELS
        (cause,) = many["amends_sagas_compensated_lately"]
        assert (cause.labels["step"], cause.labels["cause"], cause.value) == ("CHARGED", "refused", 20)
        (waiting,) = many["amends_sagas_waiting"]
        assert (waiting.labels["step"], waiting.value) == ("CHARGED", 20)

    asyncio.run(run())


def told(**changed: Any) -> Mapping[str, Sequence[Sample]]:
    """The figures of a store that was seen like this."""
    counts = {("trip/1/abc", "forward"): 3, ("trip/1/def", "forward"): 1, ("trip/1/abc", "needs operator"): 2}
    store = Overview(counts, Rates(60_000, started=120), 1_000, [], [], [], [], "reduced: no fsync", None, "full", 500)
    status = StoreStatus(AsOf(61_000), store._replace(**changed), AtWork([], 256, None, "", {}), [])
    return parsed(exposed(store_families(status, {})))


def test_versions_of_one_name_are_counted_together() -> None:
    """A fingerprint is no label; what waits for an operator is in flight, and told for itself."""
    figures = told()
    assert {sample.labels["status"]: sample.value for sample in figures["amends_sagas"]} == {
        "forward": 4,
        "needs operator": 2,
    }
    assert [sample.value for sample in figures["amends_sagas_in_flight"]] == [6]
    assert [sample.value for sample in figures["amends_sagas_needing_operator"]] == [2]
    assert [sample.value for sample in figures["amends_sagas_started_per_second"]] == [2]


def test_units_are_seconds() -> None:
    """Since the oldest saga started, and how far the clock is behind."""
    figures = told()
    assert [sample.value for sample in figures["amends_oldest_waiting_seconds"]] == [60]
    assert [sample.value for sample in figures["amends_store_ahead_seconds"]] == [0.5]


def test_reduced_durability_and_a_warning_are_told() -> None:
    """By figures: the words are for people."""
    figures = told()
    by_state = {sample.labels["state"]: sample.value for sample in figures["amends_durability"]}
    assert by_state == {"full": 0, "reduced": 1, "none": 0, "unknown": 0}
    assert [sample.value for sample in figures["amends_store_warning"]] == [1]


def test_steps_that_fail_are_counted_by_step() -> None:
    """Whatever their sagas and errors are."""
    failing = [Failing(f"s{number}", "PAID", "do", number, 0, f"error {number}") for number in range(5)]
    (sample,) = told(failing=failing)["amends_steps_failing"]
    assert (sample.labels, sample.value) == ({"step": "PAID", "kind": "do"}, 5)


def test_a_field_that_no_step_declares_is_no_label() -> None:
    """The fields of an entity that is a dict may be ids."""
    held = OwedEntry("held", "s1", "trip", "STOCK", "KEPT", "P1", "reserved", 2, True, 0, "")
    entries = [
        held,
        held._replace(saga_id="s2", amount=3),
        *(held._replace(what=f"{PLANTED}-{number}", is_declared=False) for number in range(50)),
        OwedEntry("late", "s3", "trip", "BANK", "PAID", "", "", None, False, 0, PLANTED),
    ]
    text = exposed(owed_families(entries))
    assert PLANTED not in text
    figures = parsed(text)
    assert [(*sample.labels.values(), sample.value) for sample in figures["amends_owed_entries"]] == [
        ("held", "STOCK", "reserved", 2),
        ("held", "STOCK", "undeclared", 50),
        ("late", "BANK", "PAID", 1),
    ]
    assert [(*sample.labels.values(), sample.value) for sample in figures["amends_owed_amount"]] == [
        ("held", "STOCK", "reserved", 5)
    ]


def test_a_cancelled_saga_turned_back_for_another_cause() -> None:
    """No step of it was refused or unknown."""
    assert cause_of([("HELD", "done"), ("HELD", "undone")]) == ("", "other")
    assert cause_of([("HELD", "done"), ("PAID", "unknown"), ("HELD", "undone")]) == ("PAID", "unknown")


def test_a_label_is_escaped() -> None:
    """The name of a definition may be any text."""
    text = exposed([MetricFamily("amends_sagas", "gauge", "Sagas.", [Figure(1.5, {"definition": 'a "b"\\\nc'})])])
    ((sample,),) = parsed(text).values()
    assert (sample.labels, sample.value) == ({"definition": 'a "b"\\\nc'}, 1.5)


def test_a_histogram_adds_up() -> None:
    """Each bucket holds those below it; a value on a bound is within it."""
    waits = Histogram()
    for seconds in (0.001, 0.0011, 2, 10_000):
        waits.observe(seconds)
    figures = [Distribution(waits, {"service": "BANK"})]
    ((*samples,),) = parsed(exposed([MetricFamily("amends_call_seconds", "histogram", "Calls.", figures)])).values()
    buckets = {sample.labels["le"]: sample.value for sample in samples if sample.name.endswith("_bucket")}
    assert (buckets["0.001"], buckets["0.005"], buckets["2.5"], buckets["3600"], buckets["+Inf"]) == (1, 2, 3, 3, 4)
    rest = {sample.name: sample.value for sample in samples if not sample.name.endswith("_bucket")}
    assert rest == {"amends_call_seconds_sum": 10_002.0021, "amends_call_seconds_count": 4}
