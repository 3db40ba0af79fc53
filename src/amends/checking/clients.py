"""Watches what a function calls on its client, so that it can be cut off between any two of these calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, wraps
from typing import Any


@contextmanager
def books_before_each_call(client: Any) -> Iterator[list[Any]]:
    """Note a client's books before each call that is made on it from outside; what it calls on itself is none.

    Args:
        client: an object of a class of its own; one whose class cannot be changed is left alone.

    Yields:
        The books, in order; filled while the block runs.
    """
    kind = type(client)
    seen = _Seen()
    with suppress(TypeError):  # a class of C, or one with a layout of its own
        watched = _watched(kind)  # type: ignore[arg-type]  # a class is hashable
        watched.seen = seen
        client.__class__ = watched
    yield seen.books
    with suppress(TypeError):
        client.__class__ = kind


class _Seen:
    """What was seen of one client."""

    def __init__(self) -> None:
        self.books: list[Any] = []
        self.depth = 0

    def called(self, client: Any, method: Callable[..., Any]) -> Callable[..., Any]:
        """The method, which notes the books before it is called from outside."""

        @wraps(method)
        def call(*args: Any, **options: Any) -> Any:
            if not self.depth:
                self.books.append(client.books)
            self.depth += 1
            try:
                answer = method(*args, **options)
            finally:
                self.depth -= 1
            return self._awaited(answer) if inspect.iscoroutine(answer) else answer

        return call

    async def _awaited(self, answer: Any) -> Any:
        self.depth += 1
        try:
            return await answer
        finally:
            self.depth -= 1


@cache
def _watched(kind: type) -> Any:
    """The class, whose methods are watched; everything else of it is as it was."""

    class Watched(kind):  # type: ignore[misc]  # any class
        __slots__ = ()
        seen: _Seen

        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            is_method = callable(found) and not name.startswith("__") and not isinstance(found, type)
            return Watched.seen.called(self, found) if is_method else found

    Watched.__name__, Watched.__qualname__ = kind.__name__, kind.__qualname__
    return Watched
