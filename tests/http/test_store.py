"""How the store does, over HTTP: status, groups, questions, definitions, the audit."""

from __future__ import annotations

import asyncio

from tests.http.api import Api, on_api


async def a_question(api: Api, many: int = 1) -> None:
    """Wait until so many sagas ask from outside: what they do by themselves is done then."""
    for _ in range(3000):
        if len(await api.client.pending()) == many:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("no saga asks")


@on_api
async def test_the_status_counts_sagas_and_names_who_works(api: Api) -> None:
    """As `amends status --json` has it."""
    await api.start("tickets", 2, "a", Prefer="wait=30")
    seen = (await api.http.get("/status")).json()
    assert [(each["status"], each["sagas"]) for each in seen["sagas"]] == [("completed", 1)]
    assert seen["durability"] == "none: in memory"
    assert [engine["name"] for engine in seen["engines"]] == ["this process"]
    assert seen["letters"]["starts"] == 0


@on_api
async def test_what_is_owed_is_told(api: Api) -> None:
    """What sagas hold, and what is not answered."""
    await api.start("charged tickets", 3, "a")
    await a_question(api)
    owed = (await api.http.get("/owed")).json()
    assert [(total["kind"], total["service"], total["sagas"]) for total in owed["totals"]] == [
        ("held", "SEATS", 1),
        ("unanswered", "BANK", 1),
    ]
    assert owed["differences"] == []
    of_one = (await api.http.get("/owed", params={"saga_id": owed["entries"][0]["saga_id"]})).json()
    assert of_one["entries"] == owed["entries"]
    of_none = (await api.http.get("/owed", params={"saga_id": "none"})).json()
    assert (of_none["entries"], of_none["totals"]) == ([], owed["totals"])
    assert len((await api.http.get("/owed", params={"limit": 1})).json()["entries"]) == 1


@on_api
async def test_what_waits_is_grouped_by_cause(api: Api) -> None:
    """One group for sagas that wait for the same step; its filter finds them."""
    for number in range(3):
        await api.start("charged tickets", 1, f"a{number}")
    await a_question(api, 3)
    (group,) = (await api.http.get("/groups")).json()
    assert (group["step"], group["service"], group["status"], group["sagas"]) == ("MONEY_CHARGED", "BANK", "forward", 3)
    assert len((await api.http.get("/sagas", params=group["filter"])).json()["sagas"]) == 3


@on_api
async def test_questions_are_listed(api: Api) -> None:
    """With the key that an answer needs."""
    started = (await api.start("charged tickets", 1, "a")).json()
    await a_question(api)
    (question,) = (await api.http.get("/questions", params={"service": "BANK"})).json()
    assert question["key"] == f"{started['saga_id']}/MONEY_CHARGED/do"
    assert (await api.http.get("/questions", params={"service": "POST"})).json() == []


@on_api
async def test_versions_in_flight_are_told(api: Api) -> None:
    """What is known and what is stored, with its steps."""
    await api.start("charged tickets", 1, "a")
    await a_question(api)
    by_name = {each["name"]: each for each in (await api.http.get("/definitions")).json()}
    assert (by_name["charged tickets"]["in_flight"], by_name["charged tickets"]["is_drained"]) == (1, False)
    assert by_name["tickets"]["is_drained"]
    assert [step["event"] for step in by_name["tickets"]["steps"]] == ["SEATS_HELD"]


@on_api
async def test_a_timeline_has_every_record(api: Api) -> None:
    """In order, with what became of each step."""
    where = (await api.start("tickets", 2, "a", Prefer="wait=30")).headers["location"]
    told = (await api.http.get(f"{where}/timeline")).json()
    assert told["saga"]["status"] == "completed"
    assert [record["what"] for record in told["records"]] == ["started"]
    assert ["became", "SEATS_HELD", "done"] in told["records"][0]["changes"] or told["records"][0]["became"]


@on_api
async def test_the_audit_is_read_and_verified(api: Api) -> None:
    """Its head, its blocks page by page, and its verification."""
    for number in range(3):
        await api.start("tickets", 1, f"a{number}", Prefer="wait=30")
    head = (await api.http.get("/audit/head")).json()
    last = head["chains"][0]["number"]
    assert head["head"] == f"{last}:{head['chains'][0]['head']}"
    first = (await api.http.get("/audit/blocks", params={"limit": 1})).json()
    rest = (await api.http.get("/audit/blocks", params={"after": first["after"]})).json()
    assert [block["number"] for block in (*first["blocks"], *rest["blocks"])] == [*range(1, last + 1)]
    assert first["blocks"][0]["head"] == rest["blocks"][0]["before"]
    verified = (await api.http.post("/audit/verify")).json()
    assert (verified["verdict"], verified["whole"], verified["findings"]) == ("held", True, [])
    assert verified["head"] == head["head"]
