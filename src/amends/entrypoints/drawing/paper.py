"""What drawings are made with: a console, its colours, and the signs that it can show.

Text that came in from outside is only ever written as `rich.text.Text`, never as markup.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from amends.lines import ASCII, UNICODE, Line, Signs

FAINT: Final = "dim"
STYLES: Final = {
    "done": "green", "refused": "bold red", "unknown": "bold magenta", "undone": "yellow", "": FAINT,
    "sent": "bold blue", "probing": "bold magenta", "undoing": "bold yellow", "stuck": "bold red",
}  # fmt: skip
"""How a step looks, by its outcome."""

LOOKS: Final = {**STYLES, "": "", "faint": FAINT, "strong": "bold", "saga": "cyan"}
"""How a span looks, by its look."""


class Paper(NamedTuple):
    """Where a drawing goes.

    Attributes:
        console: knows width, colours and encoding.
        signs: those that its encoding has.
    """

    console: Console
    signs: Signs

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
        line = self.signs.line * max(self.width - cell_len(words) - 4, 2)
        self.write("", Text.assemble((f"{self.signs.line * 2} ", FAINT), (words, "bold"), (f" {line}", FAINT)), "")


def paper() -> Paper:
    """The paper of a command: standard output, with the signs that its encoding has."""
    console = Console(highlight=False, markup=False, emoji=False)
    return Paper(console, ASCII if console.options.ascii_only else UNICODE)


def painted(lines: Iterable[Line]) -> list[Text]:
    """Lines in the colours of their looks."""
    return [Text.assemble(*((span.text, LOOKS[span.look]) for span in line)) for line in lines]


def bar(signs: Signs, part: int, whole: int, length: int, style: str) -> Text:
    """A bar: how much a part is of a whole, which is not 0.

    Args:
        signs: to draw it with.
        part: rounded up, so that it is seen, however small it is; what is above the whole fills the bar.
        whole: the whole bar.
        length: of the bar.
        style: of the part.
    """
    filled = min(length, -(-part * length // whole))
    return Text.assemble((signs.full * filled, style), (signs.empty * (length - filled), FAINT))


def held(out: Paper, words: str, *, holds: bool) -> Text:
    """Whether something is as it should be, in a line."""
    outcome = "done" if holds else "refused"
    return Text.assemble(" ", (getattr(out.signs, outcome), STYLES[outcome]), f" {words}")
