"""The command ``amends``. Each command imports what it needs when it runs, so that ``--help`` is there at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from io import TextIOWrapper
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup

from amends.entrypoints.cli.alarms import command as cli_alarms
from amends.entrypoints.cli.check import command as cli_simulate
from amends.entrypoints.cli.events import command as cli_events
from amends.entrypoints.cli.keys import command as cli_keys
from amends.entrypoints.cli.schema import command as cli_schema
from amends.entrypoints.cli.serve import command as cli_serve
from amends.entrypoints.cli.store import command as cli_store
from amends.entrypoints.cli.up import command as cli_up
from amends.entrypoints.cli.verbs import command as cli_verbs
from amends.entrypoints.cli.wire import command as cli_wire
from amends.entrypoints.cli.worker import command as cli_worker
from amends.entrypoints.spread import WireKind
from amends.errors import AmendsError, UnusableInput

DONE: Final = 0
BAD_NEWS: Final = 1
UNUSABLE_INPUT: Final = 2
NOBODY_READS: Final = 141  # as a shell tells it: 128 + SIGPIPE

UsageError: type[Exception] = typer.BadParameter.__bases__[0]
"""What a wrong call of the command raises; Typer brings it in from a different place in each of its releases."""


class CommandGroup(TyperGroup):
    """The one place where what went wrong becomes a line on standard error and an exit code."""

    def main(self, args: Sequence[str] | None = None, *_: object, **__: object) -> NoReturn:
        """Carry out a command line and end the process."""
        _prepare_streams()
        sys.exit(self._code(args))

    def _code(self, args: Sequence[str] | None) -> int:
        try:
            code = super().main(args, "amends", standalone_mode=False)
            sys.stdout.flush()
        except UnusableInput as error:
            return _complain(str(error), UNUSABLE_INPUT)
        except UsageError as error:
            return _complain(_usage(error), UNUSABLE_INPUT)
        except AmendsError as error:
            return _complain(str(error), BAD_NEWS)
        except (BrokenPipeError, SystemExit):  # Rich and Typer exit when their output is no longer read
            _stop_writing()
            return NOBODY_READS
        except OSError as error:
            _stop_writing()
            return _complain(f"cannot write: {error.strerror}", BAD_NEWS)
        return code or DONE


def _prepare_streams() -> None:
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the shell that started the command (`>&-`)
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a character that cannot be shown is no reason to stop


def _usage(error: Any) -> str:
    command = error.ctx.command_path if error.ctx else "amends"
    return f"{error.format_message()} See: {command} --help"


def _complain(what: str, code: int) -> int:
    from amends.storage.location import without_password

    line = " ".join(map(without_password, what.split()))  # a URL may be in a usage error, as an argument too many
    words = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    sys.stderr.write(f"amends: {words}\n")
    return code


def _stop_writing() -> None:
    """Let what is still buffered go nowhere, since the interpreter tries again to write it when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class ChartFormat(StrEnum):
    """How a diagram is written."""

    terminal = "terminal"
    mermaid = "mermaid"
    svg = "svg"


class ParticipantMode(StrEnum):
    """Where PAYMENT and SHIPPING are."""

    local = "local"
    simulated = "simulated"


app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from amends import __version__

        typer.echo(f"amends {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def amends(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001 - its callback has printed it and ended the command
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Amends runs sagas, and finds the rollback that doesn't.

    [bold]Examples[/]
      [cyan]amends demo[/]               a rollback that doesn't, found: a minute's read
      [cyan]amends check shop[/]         break the order saga in every way there is
      [cyan]amends simulate shop[/]      run it in a world where everything goes wrong
      [cyan]amends new tickets[/]        start a saga of your own, with its check
      [cyan]amends run orders.json[/]    run a file of operations, see what happened
      [cyan]amends graph shop[/]         the order saga as a diagram
      [cyan]amends status[/]             how the store of $AMENDS_DB does
      [cyan]amends retry SAGA_ID[/]      ask a step again that is stuck

    [bold]Exit codes[/]
      0  done, also with canceled orders and refused operations
      1  bad news: something is broken, not put back, or was refused
      2  unusable input: one line on standard error says what and where
      3  cut by a limit, or no engine has acted on it yet
      4  done, but for what waits for an operator
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(UNUSABLE_INPUT)


@app.command()
def run(
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE", show_default=False, help="Files of operations, each a batch; - is standard input."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report: one document for each file, one a line when several.")
    ] = False,
    limits: Annotated[
        bool,
        typer.Option(
            "--limits", help="Refuse, in each file, what is beyond 20 new customers, 50 new products, 100 orders."
        ),
    ] = False,
    db: Annotated[str, typer.Option("--db", metavar="STORE", help="Keep all of it in this store.")] = "",
    participants: Annotated[
        ParticipantMode, typer.Option("--participants", help="Where PAYMENT and SHIPPING are: here, or outside.")
    ] = ParticipantMode.local,
    again: Annotated[bool, typer.Option("--again", help="With --db: run the files anew.")] = False,
    spread: Annotated[
        str, typer.Option("--spread", metavar="STORE", help="Place the orders with the coordinators of this store.")
    ] = "",
    all_remarks: Annotated[
        bool, typer.Option("--all-remarks", help="Say every refusal and note; by default 20 of each in a file.")
    ] = False,
) -> None:
    """Run files of operations, and draw what happened to each order.

    The files are batches of one session: what one leaves, the next finds.
    A file is a JSON list of operations, an object that has one as
    "operations", or JSON Lines: one operation a line. What is refused, and
    why, is said on standard error.

    With --db, kill it whenever you like, and run the same files again: it
    finishes them, and does nothing twice. With --spread, the shop is in
    processes of its own (amends up, docs/spread.md): the report is the same,
    and no run is remembered.

    [bold]A file[/]
      [["CREATE_CUSTOMER", "C001", 1000], ["ADD_PRODUCT", "P001", 10, 150],
       ["PLACE_ORDER", "C001", "P001", 2], ["INJECT_FAILURE", "SHIPPING", "O001"]]

    [bold]Examples[/]
      [cyan]amends run orders.json[/]
      [cyan]amends run --json monday.json tuesday.json > reports.jsonl[/]
      [cyan]amends run --db shop.db orders.json[/]
      [cyan]echo '["CREATE_CUSTOMER", "C001", 1000]' | amends run -[/]

    [bold]Exit codes[/]
      0  done, also with canceled orders and refused operations
      1  it had to stop, on a full disk say, or where the spread shop
         does not answer for a minute: what is done stays
      2  a file or the store cannot be used; nothing has run
      4  done, but for orders that wait for an operator: each is named
    """
    from amends.entrypoints.cli.databases import place_of
    from amends.entrypoints.cli.run.runs import RunOptions, run_files

    if not files:
        raise UnusableInput("run: name a file of operations, or - for standard input. See: amends run --help")
    if spread and (db or again or participants is not ParticipantMode.local):
        raise UnusableInput("run: --spread goes without --db, --again and --participants: the shop is elsewhere")
    place = place_of(spread or db) if spread or db else None
    simulated = participants is ParticipantMode.simulated
    options = RunOptions(as_json, limits, place, simulated, again, all_remarks, is_spread=bool(spread))
    raise typer.Exit(run_files(files, options))


@app.command()
def demo(
    spread: Annotated[
        WireKind | None, typer.Option("--spread", help="Show the shop spread over processes, with this wire.")
    ] = None,
) -> None:
    """Take a tour: a rollback that doesn't, found and mended; orders that ship, roll back, and survive a kill -9.

    Everything that it shows really runs, here and now. It needs no file and leaves none.

    With --spread, 3 000 orders run through four services and two coordinators, each a
    process, as amends up starts them; a coordinator and a service are killed meanwhile, and
    started again; then money, stock and audits are looked at.

    [bold]Examples[/]
      [cyan]amends demo[/]
      [cyan]amends demo | less -R[/]
      [cyan]amends demo --spread postgresql[/]

    [bold]Exit codes[/]
      0  all of it held
      1  with --spread: something did not hold, or did not come to its end
      2  with --spread: a server is not to be had
    """
    if spread is None:
        from amends.entrypoints.demo.tour import show_demo

        show_demo()
    else:
        from amends.entrypoints.demo.spread import show_spread

        show_spread(spread)


@app.command()
def check(
    definition: cli_simulate.Definition,
    faults: Annotated[
        int | None,
        typer.Option("--faults", min=0, max=1000, metavar="N", help="At most so many faults. [2; for several sagas 1]"),
    ] = None,
    max_states: Annotated[
        int | None,
        typer.Option("--max-states", min=1, metavar="N", help="Stop after so many worlds; by default 5 000 000."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", min=0, metavar="S", help="Stop after so many seconds; by default never."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a document for programs.")] = False,
    pytest: Annotated[
        str, typer.Option("--pytest", metavar="FILE", help="Write a test that reproduces the counterexample.")
    ] = "",
    replay: Annotated[
        str, typer.Option("--replay", metavar="TOKEN", help="Show one counterexample again, without a search.")
    ] = "",
    operators: Annotated[
        bool, typer.Option("--operators", help="Halt steps, too, and let operators say all that they may.")
    ] = False,
) -> None:
    """Break a saga in every way there is, within a bound, and show what is not put back.

    Every order of messages, every crash, loss, double, late answer, refusal
    and cancel is tried on the saga's own functions. Either all of it held,
    and the answer names its bound, or the shortest way to something that is
    not put back is drawn.

    [bold]Examples[/]
      [cyan]amends check shop[/]
      [cyan]amends check trip.py:trip --faults 2 --pytest test_trip_bug.py[/]
      [cyan]amends check travel.sagas:trip --json[/]

    [bold]Exit codes[/]
      0  everything within the bound was looked at, and held
      1  a counterexample
      2  it could not be loaded
      3  no answer: cut by a limit, or everything held in a scenario that shows
         too little: no saga completes, none is compensated, a function is
         never asked
    """
    from amends.entrypoints.cli.check.checks import CheckOptions, check_definition

    wanted = CheckOptions(definition, faults, max_states, timeout, as_json, pytest, replay, operators)
    raise typer.Exit(check_definition(wanted))


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the project and its folder.", show_default=False)],
) -> None:
    """Write a starting project: a saga that waits for a person, its check, and durable runs.

    [bold]Examples[/]
      [cyan]amends new tickets && cd tickets && pytest[/]
    """
    from amends.entrypoints.cli.starter import write_project

    write_project(name)


@app.command()
def graph(
    definition: Annotated[
        str, typer.Argument(metavar="DEFINITION", help="shop, module:name or path.py:name.", show_default=False)
    ],
    output: Annotated[
        ChartFormat, typer.Option("--format", "-f", help="How to draw it.", case_sensitive=False)
    ] = ChartFormat.terminal,
) -> None:
    """Draw a saga from its definition: the way on, the pivot, the way back.

    [bold]Examples[/]
      [cyan]amends graph shop[/]
      [cyan]amends graph trip.py:trip --format svg > trip.svg[/]
      [cyan]amends graph travel.sagas:trip --format mermaid[/]
    """
    from amends.entrypoints.cli.definitions import load
    from amends.entrypoints.drawing.graphs import draw

    draw(load(definition), output)


OWN = cli_simulate.simulate, *cli_worker.COMMANDS, cli_serve.serve, cli_alarms.watch, cli_up.up
for command in (*OWN, *cli_store.COMMANDS, *cli_events.COMMANDS):
    app.command()(command)
for name, (command, words) in cli_verbs.COMMANDS.items():
    app.command(name, help=words)(command)
app.add_typer(cli_store.audit, name="audit")
app.add_typer(cli_schema.db, name="db")
app.add_typer(cli_wire.wire, name="wire")
app.add_typer(cli_keys.keys, name="keys")


def main() -> None:
    """Run the command; where ``amends`` and ``python -m amends`` begin."""
    app()
