"""The command ``amends serve``; `amends.entrypoints.cli.app` brings it in."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from amends.entrypoints.cli.databases import Db
from amends.entrypoints.cli.keys.command import Keys
from amends.errors import UnusableInput

PORT: Final = 8000  # as uvicorn has it
PORT_MAX: Final = 65_535  # of TCP
LOOPBACK: Final = "127.0.0.1"
NO_SERVER: Final = "the HTTP API needs Litestar and uvicorn: pip install 'amends[serve]' ({})"


def serve(
    code: Annotated[
        str,
        typer.Argument(
            metavar="CODE", show_default=False,
            help="The definitions: shop, a module, module:name of one, or of what amends.open(...) gave.",
        ),
    ] = "",
    db: Db = "",
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where it listens.")] = LOOPBACK,
    port: Annotated[
        int, typer.Option("--port", min=0, max=PORT_MAX, metavar="PORT", help="The port; 0 for any that is free.")
    ] = PORT,
    engine: Annotated[
        bool | None,
        typer.Option(
            "--engine/--no-engine", show_default=False,
            help="Run an engine here, too; by default on a file that no engine has.",
        ),
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="The order shop with slow payments and shipments, to watch; it is --open.")
    ] = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Let any program of this machine do everything, without a key: to develop.")
    ] = False,
    keys: Keys = "",
) -> None:  # fmt: skip
    """Serve the HTTP API on a store until SIGTERM or Ctrl-C.

    It is a client of the store: it starts sagas, shows and tells them, and
    runs none. On a file that no engine has, it runs one itself, with the
    definitions of CODE. Without CODE it shows what is there, and takes verbs,
    but starts nothing. It is closed: who calls has a key (amends keys). The
    first one is made and printed at the first start, unless it is --open.

    [bold]Examples[/]
      [cyan]amends serve --demo[/]
      [cyan]amends serve shop --db shop.db[/]
      [cyan]amends serve app.sagas:engine[/]
      [cyan]amends serve app.sagas --db postgresql://amends@db/shop --port 8080[/]

    [bold]Exit codes[/]
      0  it was told to end, and has
      1  its engine stopped by itself: its storage failed, or another one took over
      2  there is no such code, the store cannot be used, or the address is taken
    """
    try:
        from amends.entrypoints.cli.serve.running import ServerOptions, run_server
    except ImportError as error:
        raise UnusableInput(NO_SERVER.format(error)) from error

    raise typer.Exit(run_server(ServerOptions(code, db, host, port, engine, demo, open_, keys)))
