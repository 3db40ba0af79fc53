"""What an exploration found, as plain text: a move on a line, then the rule that broke."""

from __future__ import annotations

import os
import re
from pathlib import Path

from amends.checking.explore import Counterexample, Exploration
from amends.checking.world import Move

DRAW = bool(os.environ.get("DRAW"))  # `DRAW=1 make test` writes the files anew


def drawn(found: Exploration) -> str:
    """Return the answer as text, the same to the byte for the same answer."""
    if found.counterexample is None:
        assert found.held, f"cut by {found.cut_by}"
        return f"holds with up to {counted(found.faults)}\n"
    return text_of(found.counterexample, found.moves.layout.ids)


def counted(faults: int) -> str:
    """Return a number of faults in words."""
    return f"{faults} fault" if faults == 1 else f"{faults} faults"


def text_of(counterexample: Counterexample, ids: tuple[str, ...]) -> str:
    """Return a counterexample as text."""
    lines = [line_of(number, seen.move, ids) for number, seen in enumerate(counterexample.trace, 1)]
    faults = sum(seen.move.cost for seen in counterexample.trace)
    rule, text, _ = counterexample.broken
    drawn_text = "\n".join([*lines, "", f"broken with {counted(faults)}: {rule}", text, ""])
    return re.sub(r"\.py:\d+", ".py", drawn_text)  # where somebody raised moves with every line above it


def line_of(number: int, move: Move, ids: tuple[str, ...]) -> str:
    """Return one move on a line; faults are marked."""
    about = f"{move.step}/{move.kind.value}" if move.step else "-"
    mark = "!" * move.cost
    more = "; ".join(part for part in (move.note, move.aside) if part)
    return f"{number:>2} {mark:2} {ids[move.saga]:5} {move.what:14} {about:26} {more}".rstrip()


def same_as_drawn(path: Path, text: str) -> None:
    """Compare with the file, or write it when that is what was asked for."""
    if DRAW:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.read_text("utf-8") == text, f"{path.name} shows another trace; DRAW=1 writes it anew"
