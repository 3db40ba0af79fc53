"""The services outside: a wire and a temper in front of the very deciders that the shop has at home.

A request comes in under its key and goes through the inbox rule, on books of the service's own: whatever is asked
twice, late or backwards takes effect once. What goes wrong goes wrong on the wire; a refusal is the decider's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from amends.core.inbox import receive
from amends.core.messages import Call, Done, Kind, Refused, Request
from amends.core.walk import execute, key_of, parts_of
from amends.shop.checkout import CHECKOUT
from amends.shop.outside.books import Books
from amends.shop.outside.temper import EVEN, SETTLES_MS, TIMEOUT_MS, Fate, Temper
from amends.shop.outside.timers import Timers
from amends.shop.payments import CREDIT_LIMIT_SET
from amends.shop.purchase import Purchase


class Providers:
    """PAYMENT and SHIPPING, as other companies run them: the client of both for `CHECKOUT_OUTSIDE`.

    Attributes:
        books: what they keep. ``books.entities`` has PAYMENT's accounts and SHIPPING's shipments.
        seen: how many calls had which fate.
    """

    def __init__(
        self,
        books: Books | None = None,
        *,
        seed: int = 0,
        temper: Temper = EVEN,
        timers: Timers | None = None,
    ) -> None:
        """Open the services.

        Args:
            books: what they keep; books that end with the process by default.
            seed: of their chance.
            temper: how they behave.
            timers: how time passes; by default that of the event loop which runs.
        """
        self.books = books or Books()
        self.seen: Counter[Fate] = Counter()
        self._seed, self._temper = seed, temper
        self._timers = timers or Timers()

    def set_limit(self, customer_id: str, credit_limit: int) -> None:
        """Open a customer's account, or set its limit: from the provider's own desk, so nothing goes wrong on the way.

        Args:
            customer_id: 1 to 8 printable characters.
            credit_limit: 1 to 1 000 000.
        """
        with self.books.transaction():
            execute(self.books.entities, CREDIT_LIMIT_SET, customer_id, credit_limit)

    async def ask(self, purchase: Purchase, call: Call) -> Done | Refused:
        """Do or undo a part of an order, once for each key.

        Args:
            purchase: the order.
            call: its key says which part, and whether to do or to undo it.

        Raises:
            ConnectionError: the service cannot be reached and nothing happened, or its answer is lost.
        """
        saga_id, event, kind = parts_of(call.key)
        request = Request(saga_id, event, Kind(kind), purchase, call)
        return await self._over_the_wire(lambda: self._serve(request), kind, call)

    async def look_up(self, call: Call) -> Done | Refused:
        """Whether the action of a key took effect.

        Raises:
            ConnectionError: as for `ask`.
        """
        return await self._over_the_wire(lambda: self._found(call.key), Kind.PROBE.value, call)

    async def _over_the_wire(self, serve: Callable[[], Done | Refused], kind: str, call: Call) -> Done | Refused:
        fate, wait_ms = self._temper.passage(self._seed, kind, call)
        self.seen[fate] += 1
        if fate is Fate.LATE:
            self._timers.call_later(wait_ms, partial(self._serve_late, serve, call))
        await self._timers.sleep(wait_ms)
        if fate is Fate.DOWN:
            raise ConnectionError(f"{call.key}: nobody can be reached")
        self._expect_unsettled(call)
        answer = serve()  # of a late one: the second time, which gives the first answer again
        if fate is Fate.LOST:
            await self._timers.sleep(SETTLES_MS)
            raise ConnectionError(f"{call.key}: the answer is lost")
        return answer

    def _serve_late(self, serve: Callable[[], Done | Refused], call: Call) -> None:
        """Act also when the caller has hung up by then."""
        with suppress(ConnectionError):
            self._expect_unsettled(call)
            serve()

    def _expect_unsettled(self, call: Call) -> None:
        """Nothing takes effect `SETTLES_MS` after it was sent, however slow the machine is, or the way to here was.

        Raises:
            ConnectionError: it is too late. The deadline of an attempt is `TIMEOUT_MS` after it was sent, or earlier.
        """
        if self._timers.is_past(call, SETTLES_MS - TIMEOUT_MS):
            raise ConnectionError(f"{call.key}: it came too late, and nothing was done")

    def _serve(self, request: Request) -> Done | Refused:
        """The inbox rule, on our books: entity, inbox and answer in one transaction."""
        step, books, key = CHECKOUT.step(request.step), self.books, request.call.key
        assert step.entity is not None, "at home every step is local"
        entity_id = step.entity(request.body)
        with books.transaction():
            owned = books.entities[step.service]
            keys = (key_of(request.saga_id, step, kind) for kind in (Kind.DO, Kind.UNDO))
            known = {each: books.inbox[each] for each in keys if each in books.inbox}
            _, entity, answer = receive(known, owned.get(entity_id), request, step)
            books.inbox[key] = answer
            if entity is not None:
                owned[entity_id] = entity
        return answer

    def _found(self, key: str) -> Done | Refused:
        with self.books.transaction():
            return self.books.inbox.get(key, Refused(f"nothing is known of {key}"))
