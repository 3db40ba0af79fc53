"""The commands ``amends wire``; see `amends.entrypoints.cli.app`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

USAGE: Final = 2
Url = Annotated[
    str, typer.Option("--wire", metavar="URL", help="The wire: postgresql://..., nats://...", show_default=False)
]
Channel = Annotated[
    str, typer.Argument(metavar="CHANNEL", help="A service; or, in quotes, '>' and an engine.", show_default=False)
]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="Of the message.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print a document for programs, with all of each message.")]

wire = typer.Typer(rich_markup_mode="rich")


@wire.callback(invoke_without_command=True)
def of_wire(context: typer.Context) -> None:
    """Look at the messages of a wire that no taker could act on, and decide.

    [bold]Examples[/]
      [cyan]amends wire parked --wire postgresql://wire@db/wire[/]
      [cyan]amends wire again PAYMENT 17 --wire nats://broker[/]
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(USAGE)


@wire.command()
def parked(
    url: Url,
    channel: Annotated[
        str, typer.Option("--channel", metavar="CHANNEL", help="Of this one alone.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List messages that no taker could act on, the oldest first, with the reason.

    Their sagas are told by unknown, where it is known whose they are, and ask
    again: a message here is for a person to look at, and holds up nothing.

    [bold]Examples[/]
      [cyan]amends wire parked --wire postgresql://wire@db/wire[/]
      [cyan]amends wire parked --channel PAYMENT --json --wire nats://broker[/]

    [bold]Exit codes[/]
      0  they are listed, or there are none
      2  there is no such wire, or it is away
    """
    from amends.entrypoints.cli.wire.parked import list_parked

    list_parked(url, channel, as_json=as_json)


@wire.command()
def again(channel: Channel, number: Number, url: Url) -> None:
    """Have a parked message taken again, as by a host that knows its definition now.

    [bold]Examples[/]
      [cyan]amends wire again PAYMENT 17 --wire postgresql://owner@db/wire[/]

    [bold]Exit codes[/]
      0  it is on its channel, and parked no longer
      2  there is no such message or wire, or this role may not; or it is away
    """
    from amends.entrypoints.cli.wire.parked import take_back

    take_back(url, channel, number)


@wire.command()
def drop(channel: Channel, number: Number, url: Url) -> None:
    """Drop a parked message for good.

    [bold]Examples[/]
      [cyan]amends wire drop PAYMENT 17 --wire postgresql://owner@db/wire[/]

    [bold]Exit codes[/]
      0  it is gone
      2  there is no such message or wire, or this role may not; or it is away
    """
    from amends.entrypoints.cli.wire.parked import drop_one

    drop_one(url, channel, number)
