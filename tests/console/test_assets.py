"""The console's files: served as they are, by name alone, and fetching nothing from elsewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath

import pytest

from amends.entrypoints.console.pages import PAGE, assets
from tests.http.api import Api, on_api
from tools.assets import LIBRARIES, VENDOR

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


VENDORED = {
    "hooks.js": "5c65ab263688d0805862fd0807c779af02c2799c44fda0873dfcb870d0da70a0",
    "htm.LICENSE": "991e82b20ea949fbc98923edc2e4253fe177181bc50ff5383a325e58924ba7c2",
    "htm.js": "ab33dd3f38059b9be4d5f5350128eefb2356639c4e0bbe9d9e8b3ba75847e9e4",
    "inter.LICENSE": "3b0a5fca3d17942cde889069889dedbbbd075e9b599968c82a95f4d944e9b345",
    "inter.woff2": "3100e775e8616cd2611beecfa23a4263d7037586789b43f035236a2e6fbd4c62",
    "preact.LICENSE": "1fe6958409c8c257a70c587a18b6f7f412b179b456630790d30b2ec9a8e4b7d4",
    "preact.js": "225d7a773766e6fb2cfcc45274fe41d2059f5782f3f2c4569aa5132a2d3a2902",
    "uplot.LICENSE": "3421f0033bae76860e165efab33d4bbbcc2d8fc1a4a708ef4f6742eef434ab47",
    "uplot.css": "0cf09be05fa0760ca9a3330ea374f6655f08766c7b2b370e462afe98852147ce",
    "uplot.js": "5dd9b3281aa64b461b42d9945f6adb2649d346502b12281a9ae0d46599a80eba",
}
"""SHA-256 of what `tools/assets.py` writes."""


def test_libraries_are_as_their_makers_built_them() -> None:
    """What was edited here would be lost by the next release, and read by nobody."""
    assert {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()} == VENDORED
    assert {library.target for library in LIBRARIES} == VENDORED.keys()
