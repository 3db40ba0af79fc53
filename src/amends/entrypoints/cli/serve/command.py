"""The command ``amends serve``; `amends.entrypoints.cli.app` brings it in."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from amends.entrypoints.cli.alarms.command import SettingsFile
from amends.entrypoints.cli.databases import Db
from amends.entrypoints.cli.keys.command import Keys
from amends.entrypoints.cli.logs import LogOption
from amends.errors import UnusableInput

PORT_MAX: Final = 65_535  # of TCP
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
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", show_default=False, help="Where it listens; else 127.0.0.1.")
    ] = "",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", min=0, max=PORT_MAX, metavar="PORT", show_default=False,
            help="The port; 0 for any that is free, else 8000.",
        ),
    ] = None,
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
    settings: SettingsFile = "",
    log: LogOption = None,
) -> None:  # fmt: skip
    """Serve the HTTP API on a store until SIGTERM or Ctrl-C.

    It is a client of the store: it starts sagas, shows and tells them, and
    runs none. On a file that no engine has, it runs one itself, with the
    definitions of CODE. Without CODE it shows what is there, and takes verbs,
    but starts nothing. It is closed: who calls has a key (amends keys). The
    first one is made and printed at the first start, unless it is --open.
    Alarms are told as the settings say, else in the log.

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
        from amends.entrypoints.cli.serve.running import run_server
    except ImportError as error:
        raise UnusableInput(NO_SERVER.format(error)) from error

    from amends.entrypoints.cli.settings import settings_from

    said = {"code": code, "db": db, "host": host, "port": port, "engine": engine, "keys": keys}
    given = settings_from(settings, {"log": log, **{f"serve.{name}": value for name, value in said.items()}})
    raise typer.Exit(run_server(given, is_demo=demo, is_open=open_))
