"""The command ``amends worker``; `amends.entrypoints.cli.app` brings it in."""

from __future__ import annotations

from typing import Annotated, Final

import typer

WAIT_MAX_S: Final = 3600.0  # as `store_wait_s` of `amends.open`


def worker(
    engine: Annotated[
        str,
        typer.Argument(
            metavar="ENGINE",
            help="module:name or path.py:name of what amends.open(...) gave.",
            show_default=False,
        ),
    ],
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait", min=0, max=WAIT_MAX_S, metavar="SECONDS",
            help="Wait so long for a store that another engine has, or that is away; by default its store_wait_s.",
        ),
    ] = None,
) -> None:  # fmt: skip
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
    from amends.entrypoints.cli.worker.serving import serve

    raise typer.Exit(serve(engine, wait))
