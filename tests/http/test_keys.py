"""`amends keys`, the first key of a server, and the API mounted in another application."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

import amends
from amends import Caller, UnusableInput
from amends.engine.names import new_name
from amends.entrypoints.http.scopes import Scope
from tests.http.api import SAGAS
from tests.http.serving import serving


def keys(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `amends keys` on a store in a folder."""
    command = [sys.executable, "-m", "amends", "keys", *words, "--db", str(folder / "shop.db")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_keys_are_made_rotated_and_ended(tmp_path: Path) -> None:
    """The secret is on standard output, once, and in no list."""
    made = keys(tmp_path, "new", "ann", "--scope", "read", "--expires", "90d")
    shown = made.stdout.strip()
    key_id = shown.split("_")[1]
    listed = keys(tmp_path, "list").stdout
    assert "ann" in listed
    assert shown.rpartition("_")[2] not in listed + made.stderr
    rotated = keys(tmp_path, "rotate", key_id)
    assert rotated.stdout.splitlines()[0].startswith("amends_")
    assert keys(tmp_path, "revoke", key_id).stdout == f"key {key_id} of ann has ended\n"


@pytest.mark.parametrize(
    "words",
    [
        ("new", "ann", "--scope", "all"),
        ("new", "a\nb", "--scope", "read"),
        ("revoke", "none"),
        ("new", "ann", "--scope", "public"),
    ],
)
def test_what_is_wrong_is_told_in_a_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    """With exit code 2, and no key is made."""
    told = keys(tmp_path, *words)
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
    assert "amends_" not in told.stdout


def test_the_first_key_is_made_and_printed(tmp_path: Path) -> None:
    """It is for everything; without one, nothing is told."""
    with serving(tmp_path, is_open=False) as served:
        assert served.http.get("/sagas").status_code == 401
        shown = served.said[0].rpartition(" ")[2].strip()
        assert served.http.get("/sagas", headers={"Authorization": f"Bearer {shown}"}).status_code == 200
    with serving(tmp_path, is_open=False) as served:
        assert len(served.said) == 1


def test_open_is_for_this_machine(tmp_path: Path) -> None:
    """With another address it does not start."""
    options = "--open", "--host", "0.0.0.0", "--db", str(tmp_path / "shop.db")  # noqa: S104 - it is refused
    command = [sys.executable, "-m", "amends", "serve", *options]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (told.returncode, "for this machine alone" in told.stderr) == (2, True)


def test_it_is_mounted_in_another_application() -> None:
    """The client is connected by the first request; locations are below the path that it is mounted at."""

    async def run() -> None:
        url = f"memory:{new_name(8)}"
        app = FastAPI()
        everything = Caller("the shop", frozenset({Scope.read, Scope.start}))
        app.mount("/sagas", cast(Any, amends.asgi(amends.connect(url, sagas=SAGAS), authorize=lambda _: everything)))
        transport = httpx.ASGITransport(app)
        async with (
            amends.open(url, sagas=SAGAS),
            httpx.AsyncClient(transport=transport, base_url="http://shop.test") as http,
        ):
            body = {"definition": "tickets", "request": 1}
            started = await http.post("/sagas/sagas", json=body, headers={"Idempotency-Key": "a"})
            assert started.headers["location"].startswith("/sagas/sagas/")
            assert (await http.get(started.headers["location"])).status_code == 200

    asyncio.run(run())


def test_it_is_not_mounted_open() -> None:
    """Who mounts it says who may call."""
    with pytest.raises(UnusableInput, match="say who may call"):
        amends.asgi(amends.connect("memory:none"))
