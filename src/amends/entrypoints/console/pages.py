"""The files of the console, as they are served: the page itself, and its assets."""

from __future__ import annotations

import hashlib
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Final, NamedTuple

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import PathParameter

from amends.entrypoints.http.preferences import is_known
from amends.entrypoints.http.problems import Problem, documented
from amends.entrypoints.http.scopes import Scope

ASSETS: Final = files(__package__) / "assets"
PAGE: Final = "index.html"
MEDIA_TYPES: Final = {
    "html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml", "woff2": "font/woff2",
}  # fmt: skip
"""By the end of a name. A file of another kind is not served."""


class Asset(NamedTuple):
    """A file of the console.

    Attributes:
        content: of it.
        media_type: of it.
        tag: changes with its content.
    """

    content: bytes
    media_type: str
    tag: str


@cache
def assets() -> dict[str, Asset]:
    """Every file of the console, by its path: a request chooses one of these, and never a path of the machine."""
    return dict(_found(ASSETS, ""))


def _found(folder: Traversable, before: str) -> list[tuple[str, Asset]]:
    found = list[tuple[str, Asset]]()
    for each in folder.iterdir():
        path = f"{before}{each.name}"
        if each.is_dir():
            found += _found(each, f"{path}/")
        elif media_type := MEDIA_TYPES.get(each.name.rpartition(".")[2]):
            content = each.read_bytes()
            found.append((path, Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:16]}"')))
    return found


@get("/", scope=Scope.public, include_in_schema=False)
async def see_console(request: Request[Any, Any, State]) -> Response[bytes | None]:
    """The console's page."""
    return _served(request, PAGE)


@get("/assets/{path:path}", scope=Scope.public, include_in_schema=False, responses=documented(HTTPStatus.NOT_FOUND))
async def see_asset(request: Request[Any, Any, State], path: Annotated[str, PathParameter()]) -> Response[bytes | None]:
    """A file that the page needs."""
    return _served(request, str(path).lstrip("/"))


def _served(request: Request[Any, Any, State], path: str) -> Response[bytes | None]:
    asset = assets().get(path)
    if asset is None:
        raise Problem(HTTPStatus.NOT_FOUND, "there is no such file")
    headers = {"ETag": asset.tag, "Cache-Control": "no-cache"}
    if is_known(request, asset.tag):
        return Response(None, status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
