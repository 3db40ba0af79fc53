"""The console's files: served as they are, by name alone, and fetching nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from amends.entrypoints.console.pages import PAGE, assets
from tests.http.api import Api, on_api

IMPORT = re.compile(r"""(?:from|import)\s*["'](\.[^"']+)["']""")
ELSEWHERE_OR_CODE = re.compile(r"https?://|(inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
OWN = [path for path in assets() if path.endswith(".js") and not path.startswith("vendor/")]


@pytest.mark.parametrize("path", OWN)
def test_every_import_is_a_file_of_the_console(path: str) -> None:
    """A page that imports what is not there would not begin."""
    for name in IMPORT.findall(assets()[path].content.decode()):
        parts = list[str]()
        for part in (PurePosixPath(path).parent / name).parts:
            parts = parts[:-1] if part == ".." else [*parts, part]
        assert "/".join(parts) in assets(), f"{path} imports {name}"


@pytest.mark.parametrize("path", [*OWN, PAGE, "console.css"])
def test_nothing_is_fetched_from_elsewhere_and_no_text_becomes_code(path: str) -> None:
    """The policy of every answer forbids both; here the build fails first."""
    text = assets()[path].content.decode().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(
        r"https?://|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )
    assert " style=" not in text or path.endswith(".js")


@on_api
async def test_the_page_and_its_files_are_served(api: Api) -> None:
    """Without a key, with a tag; what is known is not sent again."""
    page = await api.http.get("/")
    assert page.headers["content-type"].startswith("text/html")
    for name in re.findall(r'(?:src|href)="(assets/[^"]+)"', page.text):
        asset = await api.http.get(f"/{name}")
        assert asset.status_code == 200, name
        again = await api.http.get(f"/{name}", headers={"If-None-Match": asset.headers["etag"]})
        assert again.status_code == 304


@on_api
async def test_no_other_file_is_served(api: Api) -> None:
    """A path is a name of one of the console's files, and nothing else."""
    for path in ("pages.py", "../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "/etc/passwd", "vendor", "", "none.js"):
        assert (await api.http.get(f"/assets/{path}")).status_code == 404, path
