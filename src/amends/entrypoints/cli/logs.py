"""The log of a process that runs for long: lines for people, or one JSON object a line for programs."""

from __future__ import annotations

import logging
import sys
from typing import Annotated, Final, Literal

import typer

VARIABLE: Final = "AMENDS_LOG"
TEXT_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"

LogForm = Literal["text", "json"]

LogOption = Annotated[
    LogForm | None,
    typer.Option(
        "--log", envvar=VARIABLE, show_envvar=False, show_default=False,
        help=f"How the log is written: for people, or as JSON; by default what {VARIABLE} says, else text.",
    ),
]  # fmt: skip


def set_up_log(form: LogForm | None) -> None:
    """Have all loggers of the process write to standard error; nothing where the program has seen to that already."""
    if form == "json":
        from amends.entrypoints.cli.json_log import JsonFormatter

        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonFormatter())
        logging.basicConfig(handlers=[handler])
    else:
        logging.basicConfig(format=TEXT_FORMAT)
