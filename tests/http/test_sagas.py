"""Starting, seeing and telling sagas over HTTP."""

from __future__ import annotations

import asyncio

from tests.http.api import Api, on_api


@on_api
async def test_a_saga_is_started_and_seen(api: Api) -> None:
    """The answer says where it is; there it is to be seen."""
    started = await api.start("tickets", 2, "a")
    assert started.status_code == 202
    assert started.headers["location"] == started.json()["location"] == f"/sagas/{started.json()['saga_id']}"
    seen = await api.http.get(started.headers["location"], headers={"Prefer": "wait=30"})
    assert seen.json()["status"] == "completed"
    assert seen.json()["steps"][0]["event"] == "SEATS_HELD"


@on_api
async def test_equal_requests_at_once_are_one_saga_and_one_answer(api: Api) -> None:
    """64 posts with one key: byte for byte the same answer (promise P14)."""
    answers = await asyncio.gather(*(api.start("tickets", 2, "a") for _ in range(64)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({(answer.content, answer.headers["location"]) for answer in answers}) == 1
    assert len((await api.http.get("/sagas")).json()["sagas"]) == 1


@on_api
async def test_a_key_stands_for_one_request(api: Api) -> None:
    """Another request under the key is refused (promise P14)."""
    await api.start("tickets", 2, "a")
    refused = await api.start("tickets", 3, "a")
    assert refused.status_code == 422
    assert refused.json()["field"] == "Idempotency-Key"


@on_api
async def test_the_end_is_waited_for_if_that_is_preferred(api: Api) -> None:
    """`Prefer: wait` answers 200 with the saga once it has ended, else 202."""
    ended = await api.start("tickets", 2, "a", Prefer="wait=30")
    assert (ended.status_code, ended.json()["status"]) == (200, "completed")
    goes_on = await api.start("charged tickets", 2, "b", Prefer="respond-async, wait=0")
    assert goes_on.status_code == 202


@on_api
async def test_what_is_known_is_not_sent_again(api: Api) -> None:
    """The ETag of a saga changes with it."""
    where = (await api.start("tickets", 2, "a", Prefer="wait=30")).headers["location"]
    tag = (await api.http.get(where)).headers["etag"]
    assert (await api.http.get(where, headers={"If-None-Match": f'"other", W/{tag}'})).status_code == 304
    assert (await api.http.get(where, headers={"If-None-Match": '"other"'})).status_code == 200


@on_api
async def test_sagas_are_found_page_by_page(api: Api) -> None:
    """The filters are those of the client; `after` gives the next page."""
    for number in range(3):
        await api.start("tickets", 1, f"a{number}", Prefer="wait=30")
    await api.start("charged tickets", 1, "b")
    first = (await api.http.get("/sagas", params={"definition": "tickets", "limit": 2})).json()
    rest = (await api.http.get("/sagas", params={"definition": "tickets", "after": first["after"]})).json()
    assert [len(first["sagas"]), len(rest["sagas"]), rest["after"]] == [2, 1, None]
    forward = (await api.http.get("/sagas", params={"status": ["forward", "backward"]})).json()["sagas"]
    assert [saga["name"] for saga in forward] == ["charged tickets"]


@on_api
async def test_a_saga_is_canceled_with_a_reason(api: Api) -> None:
    """A preview says what it is to do; the verb does it, and the record says who and why."""
    where = (await api.start("charged tickets", 2, "a")).headers["location"]
    preview = await api.http.post(f"{where}/cancel", json={"reason": "no need"}, params={"preview": "true"})
    assert (preview.status_code, preview.json()["is_done"]) == (200, False)
    assert preview.json()["effect"] == "is to turn back, and undo what it did"
    assert (await api.http.get(where)).json()["verbs"] == []
    done = await api.http.post(f"{where}/cancel", json={"reason": "no need"})
    assert done.json()["is_done"]
    seen = (await api.http.get(where)).json()
    assert seen["status"] == "backward"
    assert [(verb["verb"], verb["by"], verb["reason"]) for verb in seen["verbs"]] == [
        ("cancel", "anyone on this machine", "no need")
    ]


@on_api
async def test_a_question_is_answered(api: Api) -> None:
    """A step that waits is answered under its key."""
    started = (await api.start("charged tickets", 2, "a")).json()
    key = f"{started['saga_id']}/MONEY_CHARGED/do"
    for _ in range(200):
        if await api.client.pending():
            break
        await asyncio.sleep(0.05)
    body = {"key": key, "outcome": {"done": "receipt 7"}, "reason": "the bank called"}
    assert (await api.http.post("/answers", json=body)).status_code == 204
    seen = (await api.http.get(started["location"], headers={"Prefer": "wait=30"})).json()
    assert (seen["status"], seen["answers"]) == ("completed", {"MONEY_CHARGED": "receipt 7"})


@on_api
async def test_what_cannot_be_said_is_refused(api: Api) -> None:
    """Each refusal says why, and nothing is done."""
    where = (await api.start("tickets", 2, "a", Prefer="wait=30")).headers["location"]
    ended = await api.http.post(f"{where}/cancel", json={"reason": "too late"})
    assert (ended.status_code, "has ended" in ended.json()["detail"]) == (409, True)
    nowhere = await api.http.post("/sagas/none/cancel", json={"reason": "why"})
    assert nowhere.status_code == 404
    no_reason = await api.http.post(f"{where}/cancel", json={"reason": ""})
    assert (no_reason.status_code, no_reason.json()["field"]) == (422, "reason")
    no_verb = await api.http.post(f"{where}/explode", json={"reason": "why"})
    assert no_verb.status_code in (404, 422)


@on_api
async def test_a_saga_is_taken_home(api: Api) -> None:
    """The export is what `amends show --json` prints."""
    where = (await api.start("tickets", 2, "a", Prefer="wait=30")).headers["location"]
    exported = await api.http.get(f"{where}/export")
    assert exported.json()["form"] == 1
    assert len(exported.json()["records"]) == 1
    assert exported.headers["content-disposition"].startswith("attachment")
