"""The commands ``amends db``; see `amends.entrypoints.cli.app`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from amends.entrypoints.cli.databases import Db, EventsUrl, WireUrl, named, schema_named

USAGE: Final = 2
Print = Annotated[bool, typer.Option("--print", help="Print the SQL, for a person to run, and do nothing.")]
EngineRole = Annotated[
    str,
    typer.Option(
        "--engine-role", metavar="ROLE", show_default=False,
        help="Engines log in as this role, and hosts: it adds to what is recorded, and cannot change it.",
    ),
]  # fmt: skip
ClientRole = Annotated[
    str,
    typer.Option(
        "--client-role", metavar="ROLE", show_default=False,
        help="Clients and commands do: it reads, and posts letters.",
    ),
]  # fmt: skip
Finish = Annotated[
    bool,
    typer.Option(
        "--finish", help="Once no program of before runs: take away what these alone need. They can use it no longer."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a document for programs.")]

db = typer.Typer(rich_markup_mode="rich")


@db.callback(invoke_without_command=True)
def of_db(context: typer.Context) -> None:
    """Make a store or a wire, bring it up to date, and check what it stands on.

    [bold]Examples[/]
      [cyan]amends db init --print --engine-role shop_engine --client-role shop_web[/]
      [cyan]amends db migrate --db postgresql://owner@db/shop[/]
      [cyan]amends db check --db postgresql://shop_engine@db/shop[/]
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(USAGE)


@db.command()
def init(
    db: Db = "", wire: WireUrl = "", events: EventsUrl = "", only_print: Print = False, engine_role: EngineRole = "",
    client_role: ClientRole = "",
) -> None:  # fmt: skip
    """Make a store: the schema of a PostgreSQL with the rights of its roles, or a file.

    An engine makes it as well, where its role may. Where the store is
    there, only the rights are given. The roles have to be there already.
    A wire is made in the same way; engines and hosts have one kind of role.
    So is a table of events: its engine role publishes, its client role reads.

    [bold]Examples[/]
      [cyan]amends db init --db postgresql://owner@db/shop --engine-role shop_engine[/]
      [cyan]amends db init --print --db postgresql://db/shop > shop.sql[/]
      [cyan]amends db init --wire postgresql://owner@db/shop --engine-role payment[/]
      [cyan]amends db init --events postgresql://owner@db/shop --engine-role publisher[/]

    [bold]Exit codes[/]
      0  it is there
      2  it cannot be made; nothing is changed
    """
    from amends.entrypoints.cli.schema.versions import initialise

    initialise(schema_named(db, wire, events), engine_role, client_role, only_print=only_print)


@db.command()
def migrate(
    db: Db = "",
    wire: WireUrl = "",
    events: EventsUrl = "",
    only_print: Print = False,
    engine_role: EngineRole = "",
    client_role: ClientRole = "",
    finish: Finish = False,
) -> None:
    """Bring a store to the version of this Amends, and give the roles their rights.

    An engine that opens it does so as well, where its role may. Of wires and
    tables of events there is one version: only the roles are given rights.

    [bold]Examples[/]
      [cyan]amends db migrate --db postgresql://owner@db/shop --engine-role shop_engine[/]
      [cyan]amends db migrate --print --db postgresql://owner@db/shop > shop.sql[/]
      [cyan]amends db migrate --finish --db postgresql://owner@db/shop[/]

    [bold]Exit codes[/]
      0  it has the version
      2  it is not there, of a later Amends, or cannot be changed; nothing is
    """
    from amends.entrypoints.cli.schema import versions

    if finish and not (wire or events):
        versions.finish(named(db), only_print=only_print)
    else:
        versions.bring_up_to_date(schema_named(db, wire, events), engine_role, client_role, only_print=only_print)


@db.command()
def check(
    db: Db = "", wire: WireUrl = "", events: EventsUrl = "", engine_role: EngineRole = "", client_role: ClientRole = "",
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say whether a store or a wire can be relied on: settings, version, rights.

    Rights are those of the role that looks, or of the roles that are named.

    [bold]Examples[/]
      [cyan]amends db check --db postgresql://shop_engine@db/shop[/]
      [cyan]amends db check --engine-role shop_engine --client-role shop_web[/]

    [bold]Exit codes[/]
      0  all is as it has to be
      1  something is not: each line says what, and what to do
      2  no store can be looked at
    """
    from amends.entrypoints.cli.schema.checks import check_place

    raise typer.Exit(check_place(schema_named(db, wire, events), engine_role, client_role, as_json=as_json))
