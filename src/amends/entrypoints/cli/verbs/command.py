"""The commands that tell a saga what to do; see `amends.entrypoints.cli.app`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Final

import typer

from amends.entrypoints.cli.databases import Db, named

SagaId = Annotated[str, typer.Argument(metavar="SAGA_ID", help="Of the saga; or give --where.", show_default=False)]
By = Annotated[str, typer.Option("--by", metavar="WHO", help="Who says it, for the record.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.", show_default=False)]
OfStep = Annotated[
    str, typer.Option("--step", metavar="STEP", help="Its event; else the one that it can be.", show_default=False)
]
Done = Annotated[
    str | None, typer.Option("--done", metavar="JSON", help="It took effect, with this answer.", show_default=False)
]
Refused = Annotated[
    str | None, typer.Option("--refused", metavar="TEXT", help="It did not, and why.", show_default=False)
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="KEY=VALUE", show_default=False,
        help="Of all sagas like that: status, saga, service, step, older, newer. May be given several times.",
    ),
]  # fmt: skip
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, metavar="N", help="With --where: N sagas at most.")]
WithSaga = Annotated[
    str,
    typer.Option(
        "--saga", metavar="MODULE", show_default=False,
        help="Where no engine runs: open one here, with the definitions of this module or file.",
    ),
]  # fmt: skip
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before it is done.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0, metavar="S", help="How long to wait for the engine.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print a document for programs, and ask nothing.")]
MANY: Final = 100  # sagas that a filter means at most, where it is not said how many: as `amends.views.search.LIMIT`
PATIENCE_S: Final = 30.0  # for an engine that is restarted just now
EXIT_CODES: Final = """

    [bold]Exit codes[/]
      0  it is done
      1  a saga refused it: a line says why
      2  unusable input: nothing was changed
      3  no engine has acted on it yet: the letter waits for one
"""
Command = Callable[..., None]


OF_A_STEP: Final = ("step",)
OF_AN_OUTCOME: Final = (*OF_A_STEP, "done", "refused")


def _command(verb: str, takes: Sequence[str] = ()) -> Command:
    """The command of a verb, about a saga as a whole, or about what it takes: a step, and what became of it."""

    def command(
        saga_id: SagaId = "", step: OfStep = "", done: Done = None, refused: Refused = None, by: By = "",
        reason: Reason = "", db: Db = "", where: Where = None, limit: Limit = MANY, saga: WithSaga = "",
        yes: Yes = False, timeout: Timeout = PATIENCE_S, as_json: AsJson = False,
    ) -> None:  # fmt: skip
        from amends.entrypoints.cli.verbs.orders import VerbGiven, outcome_of
        from amends.entrypoints.cli.verbs.telling import Options, tell_sagas

        outcome = outcome_of(verb, done, refused) if takes == OF_AN_OUTCOME else None
        options = Options(named(db), saga_id, tuple(where or ()), limit, saga, timeout, yes, as_json)
        raise typer.Exit(tell_sagas(VerbGiven(verb, by, reason, step, outcome), options))

    signature = inspect.signature(command, eval_str=True)
    options = [each for name, each in signature.parameters.items() if name in takes or name not in OF_AN_OUTCOME]
    command.__signature__ = signature.replace(parameters=options)  # type: ignore[attr-defined]  # Typer goes by it
    return command


def _help(words: str, *examples: str) -> str:
    shown = "\n".join(f"      [cyan]amends {example}[/]" for example in examples)
    return f"{words}\n\n    [bold]Examples[/]\n{shown}{EXIT_CODES}"


COMMANDS: Final[dict[str, tuple[Command, str]]] = {
    "cancel": (_command("cancel"), _help(
        "Have a saga undone, until its pivot's request is committed.",
        'cancel 3f8q2k1z-17 --by ann --reason "the customer called" --db shop.db',
        "cancel --where saga=trip --where older=2d --by ann",
    )),
    "retry": (_command("retry", OF_A_STEP), _help(
        "Ask a step again now, also one that is stuck: once what stood in the way is mended.",
        'retry 3f8q2k1z-17 --by ann --reason "the account is open again" --db shop.db',
        "retry --where status=needs-operator --where service=CARD --by ann",
    )),
    "resolve": (_command("resolve", OF_AN_OUTCOME), _help(
        "Tell what became of what a step was asked last, when that is certain.",
        'resolve 3f8q2k1z-17 --step CARD_CHARGED --done \'"receipt 7"\' --by ann --reason "their books have it"',
        'resolve 3f8q2k1z-17 --refused "it never arrived" --by ann',
    )),
    "abandon": (_command("abandon"), _help(
        "End a saga as it stands. What it owes stays listed.",
        'abandon 3f8q2k1z-17 --by ann --reason "written off" --db shop.db',
    )),
    "answer": (_command("answer", OF_AN_OUTCOME), _help(
        "Bring the answer to a request whose participant answers later.",
        "answer 3f8q2k1z-17 --step APPROVED --done true --by ann --db shop.db",
    )),
    "undo": (_command("undo", OF_A_STEP), _help(
        "Have undone what a step owes: it took effect after it had been given up.",
        'undo 3f8q2k1z-17 --by ann --reason "the customer wrote" --db shop.db',
    )),
}  # fmt: skip
"""By name, with their help."""
