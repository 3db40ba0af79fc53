"""Saying which orders of a run wait for an operator, with where to look: each once, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from shlex import quote
from typing import Final

from amends.entrypoints.cli.run.remarks import SAID_MAX
from amends.entrypoints.drawing.words import one_line
from amends.lines import grouped
from amends.shop import Report
from amends.shop.orders import PROCESSING

REASON_MAX: Final = 200  # characters: two lines and a half of a terminal
GUIDE: Final = "docs/cli.md, 'An order that waits for an operator'"

Look = Callable[[Iterable[str]], Mapping[str, str]]
"""Which of some orders wait for an operator, and why."""


class WaitingOrders:
    """The orders of a run that wait for an operator.

    Attributes:
        orders: those that were met so far, each with the reason.
    """

    def __init__(self, look: Look, db: str) -> None:
        """Begin with none.

        Args:
            look: tells those that wait.
            db: path of the store; empty for none.
        """
        self.orders: dict[str, str] = {}
        self._look = look
        self._db = db

    def lines_of(self, name: str, report: Report) -> Iterator[str]:
        """The lines for a file that was run.

        Args:
            name: of the file.
            report: of the file; an order that neither shipped nor was canceled may wait.
        """
        unended = [order_id for order_id, order in report["orders"].items() if order["status"] == PROCESSING]
        looked = self._look(unended) if unended else {}
        found = {order_id: why for order_id, why in looked.items() if order_id not in self.orders}
        self.orders |= found
        for order_id, why in [*found.items()][:SAID_MAX]:
            yield f"{name}: {order_id} waits for an operator: {one_line(why, REASON_MAX)}{self._where(order_id)}"
        if len(found) > SAID_MAX:
            yield f"{name}: {grouped(len(found) - SAID_MAX)} more wait for an operator"

    def end(self) -> Iterator[str]:
        """What is to be done, at the end of a run with such orders."""
        many = len(self.orders)
        if many:
            who = "1 order waits" if many == 1 else f"{grouped(many)} orders wait"
            yield f"amends: {who} for an operator, and the others went on{self._listed()}"

    def _where(self, order_id: str) -> str:
        return f"; see: amends show {order_id} --db {quote(self._db)}" if self._db else ""

    def _listed(self) -> str:
        if not self._db:
            return "; what waits is gone with this run, --db keeps it"
        return f"; see: amends sagas --status needs-operator --db {quote(self._db)}; what to do: {GUIDE}"
