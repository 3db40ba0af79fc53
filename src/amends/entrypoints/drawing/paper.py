"""What drawings are made with: a console, and the marks that it can show.

Text that came in from outside is only ever written as `rich.text.Text`, never as markup.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text


class Marks(NamedTuple):
    """One character each, for what happens in a drawing."""

    done: str
    refused: str
    unknown: str
    undone: str
    ahead: str
    line: str
    back: str
    turn: str
    stop: str
    hang: str
    times: str
    full: str
    empty: str
    more: str
    sent: str
    probing: str
    undoing: str
    stuck: str


UNICODE: Final = Marks("✔", "✘", "?", "↩", "·", "─", "←", "╯", "╰", "┤", "×", "█", "░", "…", "▸", "?", "◂", "!")  # noqa: RUF001 - a real multiplication sign
ASCII: Final = Marks("+", "x", "?", "~", ".", "-", "<", "'", "`", "|", "x", "#", ".", "...", ">", "?", "<", "!")

FAINT: Final = "dim"
STYLES: Final = {
    "done": "green", "refused": "bold red", "unknown": "bold magenta", "undone": "yellow", "": FAINT,
    "sent": "bold blue", "probing": "bold magenta", "undoing": "bold yellow", "stuck": "bold red",
}  # fmt: skip
"""How a step looks, by its outcome."""


class Paper(NamedTuple):
    """Where a drawing goes.

    Attributes:
        console: knows width, colours and encoding.
        marks: that its encoding has.
    """

    console: Console
    marks: Marks

    @property
    def width(self) -> int:
        """How many columns there are."""
        return self.console.width

    def write(self, *lines: Text | str) -> None:
        """Write lines as they are: none is cut or broken, so that nothing is lost and a pipe gets whole lines."""
        text = Text("\n").join(line if isinstance(line, Text) else Text(line) for line in lines)
        self.console.print(text, no_wrap=True, overflow="ignore", crop=False)

    def title(self, words: str) -> None:
        """Write a heading that divides a drawing from the one before."""
        line = self.marks.line * max(self.width - cell_len(words) - 4, 2)
        self.write("", Text.assemble((f"{self.marks.line * 2} ", FAINT), (words, "bold"), (f" {line}", FAINT)), "")


def paper() -> Paper:
    """Standard output."""
    console = Console(highlight=False, markup=False, emoji=False)
    return Paper(console, ASCII if console.options.ascii_only else UNICODE)


def bar(marks: Marks, part: int, whole: int, length: int, style: str) -> Text:
    """A bar: how much a part is of a whole, which is not 0.

    Args:
        marks: to draw it with.
        part: rounded up, so that it is seen, however small it is; what is above the whole fills the bar.
        whole: the whole bar.
        length: of the bar.
        style: of the part.
    """
    filled = min(length, -(-part * length // whole))
    return Text.assemble((marks.full * filled, style), (marks.empty * (length - filled), FAINT))


def held(out: Paper, words: str, *, holds: bool) -> Text:
    """Whether something is as it should be, in a line."""
    outcome = "done" if holds else "refused"
    return Text.assemble(" ", (getattr(out.marks, outcome), STYLES[outcome]), f" {words}")
