"""Connections that have to say what they want: uvicorn waits for the head of a request without end.

A thousand silent connections would else keep all callers out, for as long as they like (ADR 0048).
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S: Final = 10.0  # within which a head of 16 KiB is sent, over a bad line; docs/serve.md, "Limits"
PIECE: Final = 4 * 1024  # bytes: h11 bounds only a head that is not whole, and asyncio reads 256 KiB at once


class BoundedHead(H11Protocol):
    """A connection that is closed where the head of a request does not come whole in time.

    Attributes:
        head_s: within how many seconds, above 0, of the connection for the first request, and of its first byte
            for each later one. Choose more where callers are behind very slow lines.
    """

    head_s = HEAD_S
    _head_due: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first head."""
        super().connection_made(transport)
        self._bound_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; more of a head does not move the time at which it is due."""
        for start in range(0, len(data), PIECE):
            if self.transport.is_closing():
                return
            super().data_received(data[start : start + PIECE])
        if self.conn.their_state is h11.IDLE:
            self._bound_head()
        else:
            self._unbound_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._unbound_head()
        super().connection_lost(exc)

    def _bound_head(self) -> None:
        if self._head_due is None:
            self._head_due = self.loop.call_later(self.head_s, self.timeout_keep_alive_handler)

    def _unbound_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
