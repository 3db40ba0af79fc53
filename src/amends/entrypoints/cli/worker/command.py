"""The commands ``amends worker`` and ``amends host``; `amends.entrypoints.cli.app` brings them in."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from amends.entrypoints.cli.logs import LogOption

WAIT_MAX_S: Final = 3600.0  # as `store_wait_s` of `amends.open`


Wait = Annotated[
    float | None,
    typer.Option(
        "--wait", min=0, max=WAIT_MAX_S, metavar="SECONDS",
        help="Wait so long for a store that another engine has, or that is away; by default its store_wait_s.",
    ),
]  # fmt: skip

HealthOption = Annotated[
    list[str] | None,
    typer.Option(
        "--health", metavar="PORT|FILE", show_default=False,
        help="Tell how it does there: a port of this machine, or a file; or both, given twice.",
    ),
]  # fmt: skip


def worker(
    engine: Annotated[
        str,
        typer.Argument(
            metavar="ENGINE",
            help="module:name or path.py:name of what amends.open(...) gave.",
            show_default=False,
        ),
    ],
    wait: Wait = None,
    health: HealthOption = None,
    log: LogOption = None,
) -> None:
    """Run an engine until SIGTERM or Ctrl-C: clients of other processes submit to it.

    The module is imported from where the command runs, and says which engine
    it is: engine = amends.open("sqlite:///shop.db", sagas=[...]). A line says
    when it takes requests. Told to end, it takes and sends nothing new, waits
    for the calls under way as long as its drain_s, and gives the store back;
    told once more, it waits no longer.

    [bold]Examples[/]
      [cyan]amends worker app.sagas:engine[/]
      [cyan]amends worker app.sagas:engine --wait 30[/]

    [bold]Exit codes[/]
      0  it was told to end, and has
      1  it stopped by itself: its storage failed, or another engine took over
      2  there is no such engine, or its store is in use or cannot be used
    """
    from amends.entrypoints.cli.definitions import load_opening
    from amends.entrypoints.cli.worker.serving import serve

    raise typer.Exit(serve(load_opening(engine), engine, wait, health, log))


def host(
    code: Annotated[
        str,
        typer.Argument(
            metavar="CODE",
            help="A module with the definitions and commands, or module:name of one.",
            show_default=False,
        ),
    ],
    service: Annotated[list[str], typer.Option("--service", metavar="SERVICE", help="To answer for; or several.")],
    db: Annotated[str, typer.Option("--db", metavar="STORE", help="Where its entities are: a file, or a URL.")],
    wire: Annotated[str, typer.Option("--wire", metavar="URL", help="What its requests come by.")],
    clients: Annotated[
        str, typer.Option("--clients", metavar="MODULE:NAME", help="A dict of its clients, by service.")
    ] = "",
    wait: Wait = None,
    health: HealthOption = None,
    log: LogOption = None,
) -> None:
    """Answer for a service until SIGTERM or Ctrl-C: sagas of other processes ask it over a wire.

    It is an engine with a store of its own, in which are the entities of the
    service, what was answered, and a chain of the audit. Any number of hosts
    answer for a service on one PostgreSQL. Told to end, it takes nothing new,
    and answers what it took; told once more, it waits no longer.

    [bold]Examples[/]
      [cyan]amends host app.sagas --service PAYMENT --db payment.db --wire postgresql://wire@db/wire[/]
      [cyan]amends host app.sagas --service CARD --db card.db --wire ... --clients app.bank:clients[/]

    [bold]Exit codes[/]
      0  it was told to end, and has
      1  it stopped by itself: its storage failed, or another engine took over
      2  there is no such code or service, or its store or wire cannot be used
    """
    from amends.entrypoints.cli.worker.hosting import opening_of
    from amends.entrypoints.cli.worker.serving import serve

    opening = opening_of(code, service, db, wire, clients)
    raise typer.Exit(serve(opening, f"the host of {', '.join(service)}", wait, health, log))


def health(
    place: Annotated[
        str, typer.Argument(metavar="PORT|FILE", help="Where the process tells how it does.", show_default=False)
    ],
    live: Annotated[
        bool, typer.Option("--live", help="Ask whether it is to be started anew, not whether it can be given work.")
    ] = False,
) -> None:
    """Say how a process does that was started with --health, or with health= of amends.open.

    For a container's health check, and for people. It looks at no store.

    [bold]Examples[/]
      [cyan]amends health 8080[/]
      [cyan]amends health /run/shop/payment.json --live[/]

    [bold]Exit codes[/]
      0  it is ready; with --live, it works or will by itself
      1  it is not, or nothing is told there
      2  this names no port and no file
    """
    from amends.entrypoints.cli.worker.health import show_health

    raise typer.Exit(show_health(place, is_live_enough=live))


COMMANDS: Final = (worker, host, health)
