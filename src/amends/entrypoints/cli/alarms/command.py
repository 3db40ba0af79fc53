"""The command ``amends watch``; `amends.entrypoints.cli.app` brings it in."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from amends.entrypoints.cli.databases import Db
from amends.entrypoints.cli.logs import LogOption

SETTINGS_VARIABLE: Final = "AMENDS_SETTINGS"

SettingsFile = Annotated[
    str,
    typer.Option(
        "--settings", metavar="FILE", envvar=SETTINGS_VARIABLE, show_default=False, show_envvar=False,
        help=f"A TOML file of settings (docs/serve.md): else what {SETTINGS_VARIABLE} names.",
    ),
]  # fmt: skip
"""The option for the file of settings."""


def watch(
    code: Annotated[
        str,
        typer.Argument(
            metavar="CODE",
            show_default=False,
            help="The definitions of which books are compared: a module, or module:name of one.",
        ),
    ] = "",
    db: Db = "",
    settings: SettingsFile = "",
    log: LogOption = None,
    once: Annotated[bool, typer.Option("--once", help="Look once, say what holds, and tell it to no other.")] = False,
) -> None:
    """Tell alarms of a store until SIGTERM or Ctrl-C: each once when it begins, and once when it ends.

    They are told in the log, to a program, or to a webhook, as the settings
    say. amends serve does the same beside the API: run one of the two, as
    what one has told, the other does not know. docs/runbook.md says of each
    alarm what to do.

    [bold]Examples[/]
      [cyan]amends watch app.sagas --db shop.db --settings amends.toml[/]
      [cyan]amends watch --db postgresql://amends@db/shop --once[/]

    [bold]Exit codes[/]
      0  it was told to end, and has; with --once, no alarm holds
      1  with --once, some hold
      2  the store or a setting cannot be used
    """
    from amends.entrypoints.cli.alarms.watching import look_once, watch_store
    from amends.entrypoints.cli.settings import settings_from

    given = settings_from(settings, {"log": log, "serve.code": code, "serve.db": db})
    raise typer.Exit(look_once(given) if once else watch_store(given))
