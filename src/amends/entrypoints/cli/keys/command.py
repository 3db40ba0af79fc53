"""The commands of ``amends keys``; `amends.entrypoints.cli.app` brings them in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from amends.entrypoints.cli.databases import Db
from amends.errors import UnusableInput

if TYPE_CHECKING:
    from amends.entrypoints.http.access.keys import KeyFile
    from amends.storage.location import LastingLocation

SUFFIX: Final = ".keys"
VARIABLE: Final = "AMENDS_KEYS"
OVERLAP: Final = "1h"
NO_LITESTAR: Final = "the HTTP API needs Litestar and uvicorn: pip install 'amends[serve]' ({})"

keys = typer.Typer(no_args_is_help=True, rich_markup_mode="rich")


@keys.callback()
def of_keys() -> None:
    """Make, list and end the keys of who calls the HTTP API.

    [bold]Examples[/]
      [cyan]amends keys new web-shop --scope start --scope read --db shop.db[/]
      [cyan]amends keys list --db shop.db[/]
    """


Keys = Annotated[
    str,
    typer.Option(
        "--keys", metavar="FILE", envvar=VARIABLE, show_default=False, show_envvar=False,
        help=f"The file of access keys: else what {VARIABLE} names, or STORE{SUFFIX} beside a file.",
    ),
]  # fmt: skip
"""The option for the file of keys."""
KeyId = Annotated[str, typer.Argument(metavar="ID", help="Of the key, as `amends keys list` names it.")]


def keys_path(at: LastingLocation, given: str) -> Path:
    """Where the keys of a store are.

    Args:
        at: the store.
        given: the file that was named; empty for none.

    Raises:
        UnusableInput: none was, and the store is no file.
    """
    from amends.storage.location import SQLITE

    if given:
        return Path(given)
    if not at.url.startswith(SQLITE):
        raise UnusableInput(f"say where the keys of {at.shown} are: --keys FILE, or {VARIABLE}")
    return Path(f"{at.shown}{SUFFIX}")


def _file(db: str, given: str) -> KeyFile:
    from amends.entrypoints.cli.databases import named

    try:
        from amends.entrypoints.http.access.keys import KeyFile
    except ImportError as error:
        raise UnusableInput(NO_LITESTAR.format(error)) from error
    return KeyFile(Path(given) if given else keys_path(named(db), ""))


@keys.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who has it: it stands in the records of sagas.")],
    scope: Annotated[
        list[str], typer.Option("--scope", metavar="SCOPE", help="read, start, cancel, operate or audit; or several.")
    ],
    expires: Annotated[str, typer.Option("--expires", metavar="SPAN", help="When it ends: 90d, 12h.")] = "",
    db: Db = "",
    file: Keys = "",
) -> None:
    """Make a key, and print it: it is shown this once, and kept as a hash.

    [bold]Examples[/]
      [cyan]amends keys new web-shop --scope start --scope read --db shop.db[/]
      [cyan]amends keys new ann --scope read --scope operate --expires 90d --db shop.db[/]

    [bold]Exit codes[/]
      0  the key was made
      2  there is no such scope, or the file cannot be written
    """
    from amends.entrypoints.cli.keys.changing import make_key

    make_key(_file(db, file), name, scope, expires)


@keys.command("list")
def list_(db: Db = "", file: Keys = "") -> None:
    """List the keys: who has each, what it is for, and when it ends. No secret is known.

    [bold]Examples[/]
      [cyan]amends keys list --db shop.db[/]

    [bold]Exit codes[/]
      0  they are listed
      2  the file cannot be read
    """
    from amends.entrypoints.cli.keys.changing import list_keys

    list_keys(_file(db, file))


@keys.command("revoke")
def revoke(key_id: KeyId, db: Db = "", file: Keys = "") -> None:
    """End a key, and the sessions that were begun with it, within a second.

    [bold]Examples[/]
      [cyan]amends keys revoke 5f0c1a2b3c4d --db shop.db[/]

    [bold]Exit codes[/]
      0  it has ended
      2  there is no such key, or the file cannot be written
    """
    from amends.entrypoints.cli.keys.changing import revoke_key

    revoke_key(_file(db, file), key_id)


@keys.command("rotate")
def rotate(
    key_id: KeyId,
    overlap: Annotated[str, typer.Option("--overlap", metavar="SPAN", help="How long the old one works.")] = OVERLAP,
    db: Db = "",
    file: Keys = "",
) -> None:
    """Make a key for the same name and scopes, and have the old one end soon.

    [bold]Examples[/]
      [cyan]amends keys rotate 5f0c1a2b3c4d --overlap 24h --db shop.db[/]

    [bold]Exit codes[/]
      0  the new one was made, and is printed
      2  there is no such key, or the file cannot be written
    """
    from amends.entrypoints.cli.keys.changing import rotate_key

    rotate_key(_file(db, file), key_id, overlap)
