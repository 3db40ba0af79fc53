"""The commands that tell of events; see `amends.entrypoints.cli.app`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from amends.entrypoints.cli.databases import Db, named
from amends.entrypoints.cli.store.command import AuditFiles
from amends.entrypoints.cli.worker.command import HealthOption

Source = Annotated[
    str,
    typer.Option("--source", metavar="URI", show_default=False, help="The source of the events; by default /amends."),
]


def tail(
    db: Db = "",
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="WHEN",
            show_default=False,
            help="From then on: 15m, 2h, 2026-01-31; by default 10m, or the start of the saga.",
        ),
    ] = "",
    saga_id: Annotated[
        str, typer.Option("--saga", metavar="SAGA_ID", help="Of this saga alone.", show_default=False)
    ] = "",
    follows: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens, until Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print CloudEvents, one a line.")] = False,
    source: Source = "",
    audit_files: AuditFiles = None,
) -> None:
    """Show what happens to sagas, as it happens: each record, of each saga in its order.

    It only reads, also while engines run, of which there may be many.

    [bold]Examples[/]
      [cyan]amends tail --db shop.db[/]
      [cyan]amends tail --follow --db postgresql://shop@db/shop[/]
      [cyan]amends tail --saga 3f8q2k1z-17 --json[/]

    [bold]Exit codes[/]
      0  all of it is shown, or Ctrl-C ended it
      1  a part of the audit cannot be read
      2  no store
    """
    from amends.entrypoints.cli.events.tail import TailOptions, show_events

    wanted = TailOptions(since=since, saga_id=saga_id, follows=follows, as_json=as_json, source=source)
    raise typer.Exit(show_events(named(db), wanted, audit_files or ()))


def publish(
    into: Annotated[
        str, typer.Option("--to", metavar="URL", help="Where to: postgresql://..., nats://...", show_default=False)
    ],
    db: Db = "",
    follows: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens, until Ctrl-C or SIGTERM.")
    ] = False,
    source: Source = "",
    without_values: Annotated[
        bool, typer.Option("--without-values", help="Leave out requests, answers and reasons.")
    ] = False,
    audit_files: AuditFiles = None,
    health: HealthOption = None,
) -> None:
    """Publish what happens to sagas as CloudEvents into a table or a stream, of each saga in its order.

    How far it is lies there, too, and is written with the events: kill it
    whenever you like, and run it again. Several may run at once.

    [bold]Examples[/]
      [cyan]amends publish --db shop.db --to postgresql://publisher@db/shop[/]
      [cyan]amends publish --follow --source /shop --to postgresql://publisher@db/events?schema=shop[/]
      [cyan]amends publish --follow --db shop.db --to nats://publisher@broker?stream=shop_events[/]

    [bold]Exit codes[/]
      0  all of it is published, or Ctrl-C or SIGTERM ended it
      1  it had to stop; what is published stays
      2  the store, or where events are to go, cannot be used
    """
    from amends.entrypoints.cli.events.publish import publish_events
    from amends.events.cloud_events import SOURCE
    from amends.events.publishing import Publication

    wanted = Publication(source or SOURCE, is_live=follows, with_values=not without_values)
    publish_events(named(db), into, wanted, audit_files or (), health or ())


def asyncapi(
    code: Annotated[
        str, typer.Argument(metavar="MODULE", help="A module or path.py with the definitions.", show_default=False)
    ],
) -> None:
    """Print an AsyncAPI document: what services are asked, what they answer, what others are told.

    [bold]Examples[/]
      [cyan]amends asyncapi travel.sagas > travel.json[/]
    """
    from amends.entrypoints.cli.definitions import load_module
    from amends.entrypoints.cli.events.describing import print_asyncapi

    print_asyncapi(load_module(code)[0], code)


COMMANDS: Final = (tail, publish, asyncapi)
