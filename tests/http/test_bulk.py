"""A verb for many sagas: previewed exactly, carried out once, paused and stopped; what changed meanwhile is skipped."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.http.api import Api, on_api
from tests.http.test_store import a_question

CANCEL = {"verb": "cancel", "reason": "the show is off", "filter": {"definition": "charged tickets"}}


async def ended(api: Api, where: str, *states: str) -> Any:
    """A bulk verb, once it is in one of these states."""
    for _ in range(1000):
        run = (await api.http.get(where)).json()
        if run["state"] in states:
            return run
        await asyncio.sleep(0.02)
    raise AssertionError("it does not end")


async def waiting(api: Api, number: int) -> list[str]:
    """So many sagas that wait for the bank, in the order of their starts."""
    ids = [(await api.start("charged tickets", 1, f"a{place}")).json()["saga_id"] for place in range(number)]
    await a_question(api, number)
    return ids


@on_api
async def test_a_verb_for_many_is_previewed_and_carried_out(api: Api) -> None:
    """Each saga's effect is shown; then each has it in its record, with who said it and why."""
    ids = await waiting(api, 3)
    preview = (await api.http.post("/bulk/preview", json=CANCEL)).json()
    assert {saga["saga_id"] for saga in preview["sagas"]} == {*ids}
    assert {saga["effect"] for saga in preview["sagas"]} == {"is to turn back, and undo what it did"}
    started = await api.http.post("/bulk", json={"token": preview["token"]})
    assert started.status_code == 202
    run = await ended(api, started.headers["location"], "done")
    assert (run["total"], run["done"], run["by"]) == (3, 3, "anyone on this machine")
    verbs = [(await api.client.describe(saga_id)).verbs[0] for saga_id in ids]
    assert {(verb.verb, verb.reason) for verb in verbs} == {("cancel", "the show is off")}
    again = await api.http.post("/bulk", json={"token": preview["token"]})
    assert again.status_code == 404


@on_api
async def test_a_saga_that_changed_is_skipped_and_named(api: Api) -> None:
    """The preview is what is carried out, and nothing else."""
    first, second = await waiting(api, 2)
    preview = (await api.http.post("/bulk/preview", json=CANCEL)).json()
    await api.client.cancel(first, by="ann", reason="before")
    started = await api.http.post("/bulk", json={"token": preview["token"]})
    run = await ended(api, started.headers["location"], "done")
    assert (run["done"], run["skips"]) == (1, 1)
    assert [saga["saga_id"] for saga in run["skipped"]] == [first]
    assert (await api.client.describe(second)).status == "backward"


@on_api
async def test_it_is_paused_and_stopped(api: Api) -> None:
    """What was done stays done, what was not is not."""
    await waiting(api, 3)
    preview = (await api.http.post("/bulk/preview", json={**CANCEL, "rate_per_s": 0.01})).json()
    where = (await api.http.post("/bulk", json={"token": preview["token"]})).headers["location"]
    assert (await api.http.post(f"{where}/pause")).json()["state"] == "paused"
    assert (await api.http.post(f"{where}/resume")).json()["state"] == "running"
    assert (await api.http.post(f"{where}/stop")).json()["state"] == "stopped"
    assert (await api.http.post(f"{where}/resume")).status_code == 409
    assert [run["state"] for run in (await api.http.get("/bulk")).json()] == ["stopped"]
    assert (await api.http.get("/bulk/none")).status_code == 404


@on_api
async def test_what_no_saga_takes_is_shown_and_not_done(api: Api) -> None:
    """A saga that has ended takes no cancel: the preview says why."""
    await api.start("tickets", 1, "a", Prefer="wait=30")
    preview = (await api.http.post("/bulk/preview", json={**CANCEL, "filter": {}})).json()
    assert (preview["count"], preview["not_taken"]) == (0, 1)
    assert "has ended" in preview["sagas"][0]["why"]
    wrong = await api.http.post("/bulk/preview", json={**CANCEL, "filter": {"status": ["well"]}})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "filter")
