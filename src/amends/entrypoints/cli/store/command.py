"""The commands that look at a store file; see `amends.entrypoints.cli.app`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

import typer

from amends.entrypoints.cli.databases import Db, named, path_of, place_of

USAGE: Final = 2
AsJson = Annotated[bool, typer.Option("--json", help="Print a document for programs.")]
AuditFiles = Annotated[
    list[str] | None,
    typer.Option("--audit-file", metavar="FILE", help="That months of the audit left for.", show_default=False),
]


class SagaStatus(StrEnum):
    """The values that ``--status`` takes."""

    forward = "forward"
    backward = "backward"
    needs_operator = "needs-operator"
    completed = "completed"
    compensated = "compensated"
    abandoned = "abandoned"
    waiting = "waiting"
    failing = "failing"
    owed = "owed"


class ExportFormat(StrEnum):
    """How records are exported."""

    jsonl = "jsonl"
    csv = "csv"


def sagas(
    db: Db = "",
    statuses: Annotated[
        list[SagaStatus] | None,
        typer.Option(
            "--status",
            metavar="STATUS",
            show_default=False,
            help="Of this one: forward, backward, needs-operator, which all are waiting; completed, compensated, "
            "abandoned; failing, of which a step has failed for long; owed, of which something is. May be given "
            "several times.",
        ),
    ] = None,
    definition: Annotated[
        str, typer.Option("--saga", metavar="NAME", help="Of the definition of this name.", show_default=False)
    ] = "",
    service: Annotated[
        str, typer.Option("--service", metavar="NAME", help="That now ask this service.", show_default=False)
    ] = "",
    older: Annotated[
        str, typer.Option("--older", metavar="AGE", help="Started longer ago: 90s, 15m, 2h, 3d.", show_default=False)
    ] = "",
    newer: Annotated[str, typer.Option("--newer", metavar="AGE", help="Started since then.", show_default=False)] = "",
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=100_000, metavar="N", help="Show the newest N of them, no more.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """List sagas, the newest first, with what they wait for.

    An order that INJECT_FAILURE makes fail has a definition of its own, such
    as "checkout failing at SHIPPING".

    [bold]Examples[/]
      [cyan]amends sagas --db shop.db[/]
      [cyan]amends sagas --status needs-operator[/]
      [cyan]amends sagas --service CARD --older 15m --json[/]
    """
    from amends.entrypoints.cli.store.sagas import list_sagas, now, search_for

    now_ms = now()
    search = search_for(statuses or (), limit, now_ms, saga=definition, service=service, older=older, newer=newer)
    list_sagas(named(db), search, now_ms, as_json=as_json)


def show(
    saga_id: Annotated[str, typer.Argument(metavar="SAGA_ID", help="Of the saga.", show_default=False)],
    db: Db = "",
    as_json: AsJson = False,
) -> None:
    """Show one saga: how far it got, what it waits for, everything that was recorded of it.

    [bold]Examples[/]
      [cyan]amends show 3f8q2k1z-17 --db shop.db[/]

    [bold]Exit codes[/]
      0  it is shown
      1  its row, or a record of it, is damaged
      2  there is no such saga, or no store
    """
    from amends.entrypoints.cli.store.sagas import now
    from amends.entrypoints.cli.store.show import show_saga

    raise typer.Exit(show_saga(named(db), saga_id, now(), as_json=as_json))


def status(
    db: Db = "",
    wire: Annotated[
        str, typer.Option("--wire", metavar="URL", help="And the wire to services elsewhere.", show_default=False)
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say how a store does: how many sagas, how fast, who waits, what is damaged.

    [bold]Examples[/]
      [cyan]amends status --db shop.db[/]
      [cyan]amends status --db shop.db --wire nats://broker[/]
      [cyan]watch amends status[/]
    """
    from amends.entrypoints.cli.store.sagas import now
    from amends.entrypoints.cli.store.status import show_status

    show_status(named(db), wire, now(), as_json=as_json)


def owed(
    code: Annotated[
        str,
        typer.Argument(
            metavar="CODE", show_default=False,
            help="The definitions: shop, a module, module:name of one, or of what amends.open(...) gave.",
        ),
    ] = "",
    db: Db = "",
    books: Annotated[
        bool, typer.Option("--books", help="Compare all entities, and not only those of which a saga holds something.")
    ] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Say what is owed: what sagas hold, what is not answered, what is to be undone.

    What a saga holds of an entity is what its compensations would put back,
    so that it takes the definitions to tell it. A field that steps declare
    by holds= is to have what all sagas together hold of it.

    [bold]Examples[/]
      [cyan]amends owed shop --db shop.db[/]
      [cyan]amends owed app.sagas --books --json[/]

    [bold]Exit codes[/]
      0  it is shown, and the books say the same
      1  the books of an entity differ
      2  there is no such code, or no store
    """
    from amends.entrypoints.cli.store.owed import show_owed
    from amends.entrypoints.cli.store.sagas import now

    raise typer.Exit(show_owed(named(db), code, now(), with_books=books, as_json=as_json))


def check_deploy(
    code: Annotated[
        str,
        typer.Argument(
            metavar="MODULE[:NAME]",
            show_default=False,
            help="A module or path.py with the definitions; with NAME, what amends.open gave there, or one definition.",
        ),
    ],
    db: Db = "",
    as_json: AsJson = False,
) -> None:
    """Say what would become of all that waits in a store, were it opened with other code.

    Every saga under way, every letter that starts one, all entities: each
    goes on; is orphaned, as no definition of its name and version is there;
    or has another shape: its steps changed under the same version, or a type
    would be read as something else. It only reads, also while engines run.

    [bold]Examples[/]
      [cyan]amends check-deploy travel.sagas --db shop.db[/]
      [cyan]amends check-deploy worker.py:engine --db shop.db[/]

    [bold]Exit codes[/]
      0  all of it goes on
      1  something would be orphaned, or read as something else
      2  the code or the store cannot be used
    """
    from amends.entrypoints.cli.store.deploys import check

    raise typer.Exit(check(code, named(db), as_json=as_json))


def backup(
    target: Annotated[str, typer.Argument(metavar="FILE", help="The copy; there must be nothing yet.")],
    db: Db = "",
) -> None:
    """Copy a store, also while an engine runs on it: a whole store, as it stood at one moment.

    It prints where the audit of the copy ends.

    [bold]Examples[/]
      [cyan]amends backup /mnt/elsewhere/shop-monday.db --db shop.db[/]
    """
    from amends.entrypoints.cli.store.copies import back_up

    back_up(named(db), path_of(target))


def archive(
    before: Annotated[str, typer.Option("--before", metavar="WHEN", help="Ended before: 2026-01-31, or an age: 90d.")],
    into: Annotated[str, typer.Option("--to", metavar="FILE", help="The archive; it is made when it is not there.")],
    audit_to: Annotated[
        str, typer.Option("--audit-to", metavar="FILE", help="Where months of the audit go.", show_default=False)
    ] = "",
    db: Db = "",
) -> None:
    """Move sagas that ended long ago into another file.

    No engine may run on a file meanwhile; those of a PostgreSQL may. What was
    recorded stays in the store's audit, which verifies the archive, too. With
    --audit-to, whole months of a PostgreSQL's audit leave, once their sagas
    have left.

    [bold]Examples[/]
      [cyan]amends archive --before 90d --to old.db --db shop.db[/]
      [cyan]amends archive --before 90d --to old.db --audit-to old.audit --db postgresql://db/shop[/]
      [cyan]amends audit verify --db shop.db --archive old.db[/]
    """
    from amends.entrypoints.cli.store.copies import move

    move(named(db), path_of(into), before, path_of(audit_to))


def move(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The store, a file.", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="postgresql://...", show_default=False)],
    is_canceled: Annotated[
        bool, typer.Option("--cancel", help="End a move before its end: the shop stays in the file.")
    ] = False,
) -> None:
    """Move a shop from a file into a PostgreSQL: sagas in flight, entities, client keys, letters, the audit.

    No engine may run on the file, and none can be started on it from then
    on. Killed at any moment, it goes on when it is run again. Clients may
    submit to the file while it lasts; at its end they have to connect to
    the new address. The file stays as it is, for who looks at it.

    [bold]Examples[/]
      [cyan]amends move sqlite:///shop.db postgresql://shop@db/shop[/]
      [cyan]amends move --cancel shop.db postgresql://shop@db/shop[/]

    [bold]Exit codes[/]
      0  the shop is there, and open for engines
      1  it ended before its end: run it again
      2  one of the two cannot be used; nothing has changed
    """
    from amends.entrypoints.cli.store.moves import cancel_move, move_shop

    (cancel_move if is_canceled else move_shop)(place_of(source), place_of(target))


COMMANDS: Final = (sagas, show, status, owed, check_deploy, backup, archive, move)

audit = typer.Typer(rich_markup_mode="rich")


@audit.callback(invoke_without_command=True)
def of_audit(context: typer.Context) -> None:
    """Verify, anchor and export the audit.

    [bold]Examples[/]
      [cyan]amends audit verify --db shop.db[/]
      [cyan]amends audit head >> /mnt/elsewhere/heads[/]
      [cyan]amends audit export | grep CARD_CHARGED[/]
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(USAGE)


@audit.command()
def verify(
    db: Db = "",
    head: Annotated[
        str, typer.Option("--head", metavar="HEAD", help="An older head, or line of heads.", show_default=False)
    ] = "",
    archives: Annotated[
        list[str] | None,
        typer.Option("--archive", metavar="FILE", help="Its archive; may be given several times.", show_default=False),
    ] = None,
    audit_files: AuditFiles = None,
    as_json: AsJson = False,
) -> None:
    """Verify every block, record and row of a store, from the first to the last.

    A changed, removed, inserted or moved record is found. With a head that
    was kept elsewhere, so is a file that was cut, put back or built anew.

    [bold]Examples[/]
      [cyan]amends audit verify --db shop.db[/]
      [cyan]amends audit verify --head 1204:6f1c...[/]

    [bold]Exit codes[/]
      0  all is as it was written
      1  something is not: each line says where and what
      2  no store, or no head
    """
    from amends.entrypoints.cli.store.audits import verify_store

    left_for = [*map(place_of, archives or ())]
    raise typer.Exit(verify_store(named(db), head, left_for, audit_files or (), as_json=as_json))


@audit.command()
def recompute(
    modules: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODULE", help="Modules with the definitions and commands; else those of orders."),
    ] = None,
    db: Db = "",
    audit_files: AuditFiles = None,
    elsewhere: Annotated[
        list[str] | None,
        typer.Option("--elsewhere", metavar="SERVICE", help="Asked over a wire: its answers are taken as recorded."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute a store again from its records and definitions, and compare.

    Participants are pure: what went in gives every saga, entity and client
    key again. One that was changed is found, also where its checksum, its
    digest and the whole chain were computed anew. No engine may run.

    [bold]Examples[/]
      [cyan]amends audit recompute --db shop.db[/]
      [cyan]amends audit recompute trips.sagas trips.commands --db trips.db[/]
      [cyan]amends audit recompute --db orders.db --elsewhere PAYMENT[/]

    [bold]Exit codes[/]
      0  all is as the records lead to
      1  something is not: each line says where and what
      2  no store, or a definition is missing
    """
    from amends.entrypoints.cli.definitions import SHOP
    from amends.entrypoints.cli.store.audits import recompute_store

    given = modules or [SHOP], audit_files or (), elsewhere or ()
    raise typer.Exit(recompute_store(named(db), *given, as_json=as_json))


@audit.command()
def head(db: Db = "") -> None:
    """Print where the audit ends, to be kept out of reach of all who write the file.

    [bold]Examples[/]
      [cyan]amends audit head --db shop.db >> /mnt/elsewhere/heads[/]
    """
    from amends.entrypoints.cli.store.audits import print_head

    print_head(named(db))


@audit.command()
def export(
    db: Db = "",
    form: Annotated[
        ExportFormat, typer.Option("--format", help="One JSON object a line, or a table.")
    ] = ExportFormat.jsonl,
    output: Annotated[
        str, typer.Option("--output", metavar="FILE", help="Where to; else standard output.", show_default=False)
    ] = "",
    audit_files: AuditFiles = None,
) -> None:
    """Write every record of the audit.

    [bold]Examples[/]
      [cyan]amends audit export --db shop.db | grep CARD_CHARGED[/]
      [cyan]amends audit export --format csv --output audit.csv[/]

    [bold]Exit codes[/]
      0  all of it is written
      1  a block cannot be read; the others are written
      2  no store, or the file is there already
    """
    from amends.entrypoints.cli.store.audits import export_records

    raise typer.Exit(export_records(named(db), form, output, audit_files or ()))
