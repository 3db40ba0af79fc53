"""The services outside, in a process of their own that nobody kills, with books that are nobody else's.

What is asked comes on a socket in the file system, a connection for each request, which ends where it ends: of one that
was killed while it wrote, nothing arrives.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import time
from collections import Counter
from multiprocessing.connection import Connection
from typing import Any, Final, NamedTuple

from amends import Call, Done
from amends.core.messages import Outcome
from amends.shop.outside import Books, Providers
from amends.shop.purchase import Purchase
from tests.chaos.desk import Desk, MostAtOnce, Visit
from tests.chaos.processes import until_closed
from tests.chaos.wishes import Label
from tests.torture.carrier import TOLD, Carrier
from tests.torture.quick import TEMPER, QuickTimers
from tests.torture.shop import CUSTOMERS, Parcel

PRINTING_S: Final = 0.1  # long enough that many are under way whenever an engine is to end
OFFERED_S: Final = 2.0  # after so long an answer that somebody was to bring is offered to the next one
BACKLOG: Final = 1000

Asked = tuple[str, int, float]
"""What travels of a call: its key, attempt and deadline."""


class ServicesLife(NamedTuple):
    """How the process goes.

    Attributes:
        path: of the socket.
        seed: of the services' chance.
    """

    path: str
    seed: int


class Written(NamedTuple):
    """Everything that is in the services' books.

    Attributes:
        entities: of PAYMENT and SHIPPING.
        inbox: their first answers.
        parcels: saga to what happened to its parcel.
        printed: saga to how many labels it got.
        visits: saga to what the desk did for it.
        most: calls that the desk had at once.
    """

    entities: dict[str, Any]
    inbox: dict[str, Any]
    parcels: dict[str, list[str]]
    printed: Counter[str]
    visits: dict[str, set[str]]
    most: MostAtOnce


class Services:
    """PAYMENT, SHIPPING, CARRIER, PRINTER and DESK."""

    def __init__(self, seed: int) -> None:
        self._books = Books()
        self._providers = Providers(self._books, seed=seed, temper=TEMPER, timers=QuickTimers())
        for name, limit in CUSTOMERS.items():
            self._providers.set_limit(name, limit)
        self._carrier = Carrier(None)
        self._offered: dict[str, float] = {}
        self._printed = Counter[str]()
        self._desk = Desk()

    async def ask(self, purchase: Purchase, asked: Asked) -> Outcome:
        """Do or undo a part of an order."""
        return await self._providers.ask(purchase, _call(asked))

    async def look_up(self, asked: Asked) -> Outcome:
        """Look whether a part of an order was done."""
        return await self._providers.look_up(_call(asked))

    async def book(self, parcel: Parcel, asked: Asked) -> Outcome:
        """Take a parcel."""
        return await self._carrier.book(parcel, _call(asked))

    async def cancel(self, asked: Asked) -> Outcome:
        """Give a parcel back."""
        return await self._carrier.cancel(_call(asked))

    async def print_label(self, _label: Label, asked: Asked) -> Done:
        """Print a label, whoever asks, and however often."""
        self._printed[_call(asked).key.partition("/")[0]] += 1
        await asyncio.sleep(PRINTING_S)
        return Done()

    async def serve_visit(self, visit: Visit, asked: Asked) -> Outcome:
        """Do or undo a part of a visit."""
        return await self._desk.serve(visit, _call(asked))

    async def untold(self) -> list[tuple[str, Outcome]]:
        """The carrier's answers that somebody has to bring: each is given to one who asks, for a while."""
        now = time.monotonic()
        free = [name for name in self._carrier.untold() if now > self._offered.get(name, 0) + OFFERED_S]
        self._offered.update(dict.fromkeys(free, now))
        return [(f"{name}/CARRIER_BOOKED/do", self._carrier.answer_of(name)) for name in free]

    async def told(self, saga_id: str) -> None:
        """One was brought, and was taken."""
        if TOLD not in self._carrier.book_of[saga_id]:
            self._carrier.book_of[saga_id].append(TOLD)

    async def written(self) -> Written:
        """What is in the books."""
        entities = {service: dict(owned) for service, owned in self._books.entities.items()}
        inbox, desk = dict(self._books.inbox), self._desk
        return Written(entities, inbox, self._carrier.book_of, self._printed, desk.book_of, desk.most)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a request."""
        try:
            name, given = pickle.loads(await reader.read())  # noqa: S301 - a process of ours wrote it
        except (EOFError, pickle.UnpicklingError, ConnectionError):
            writer.close()
            return
        try:
            answer = await getattr(self, name)(*given)
        except ConnectionError as error:
            answer = error
        try:
            writer.write(pickle.dumps(answer))
            await writer.drain()
        except ConnectionError:
            pass  # it was killed meanwhile
        writer.close()


def _call(asked: Asked) -> Call:
    """Read a call; one that comes too late is not served: its saga may be another engine's by now."""
    key, attempt, deadline = asked
    if time.time() > deadline:
        raise ConnectionError(f"{key}: it is too late")
    return Call(key, attempt, deadline=deadline)


def run(link: Connection, life: ServicesLife) -> None:
    """Be the process, until the link is closed."""

    async def main() -> None:
        services = Services(life.seed)
        async with await asyncio.start_unix_server(services.serve, life.path, backlog=BACKLOG):
            link.send(["serves"])
            await until_closed(link)

    asyncio.run(main())


class RemoteServices:
    """The services, as an engine and a client call them."""

    def __init__(self, path: str) -> None:
        """Call them at a socket."""
        self._path = path

    async def ask(self, purchase: Purchase, call: Call) -> Any:
        """See `Services.ask`."""
        return await self.call("ask", purchase, _asked(call))

    async def look_up(self, call: Call) -> Any:
        """See `Services.look_up`."""
        return await self.call("look_up", _asked(call))

    async def book(self, parcel: Parcel, call: Call) -> Any:
        """See `Services.book`."""
        return await self.call("book", parcel, _asked(call))

    async def cancel(self, call: Call) -> Any:
        """See `Services.cancel`."""
        return await self.call("cancel", _asked(call))

    async def print_label(self, label: Label, call: Call) -> Any:
        """See `Services.print_label`."""
        return await self.call("print_label", label, _asked(call))

    async def serve_visit(self, visit: Visit, call: Call) -> Any:
        """See `Services.serve_visit`."""
        return await self.call("serve_visit", visit, _asked(call))

    async def call(self, name: str, *given: object) -> Any:
        """Call a method of theirs."""
        reader, writer = await asyncio.open_unix_connection(self._path)
        try:
            writer.write(pickle.dumps((name, given)))
            writer.write_eof()
            said = await reader.read()
        finally:
            writer.close()
        if not said:
            raise ConnectionError(f"{name}: no answer")
        answer = pickle.loads(said)  # noqa: S301 - a process of ours wrote it
        if isinstance(answer, ConnectionError):
            raise answer
        return answer


def written(path: str) -> Written:
    """What is in the books, for one who waits."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        line.sendall(pickle.dumps(("written", ())))
        line.shutdown(socket.SHUT_WR)
        with line.makefile("rb") as answer:
            found: Written = pickle.loads(answer.read())  # noqa: S301 - a process of ours wrote it
    return found


def _asked(call: Call) -> Asked:
    return call.key, call.attempt, call.deadline
