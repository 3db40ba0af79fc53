"""Health over a port: ``/live``, ``/ready`` and ``/metrics`` of HTTP/1.1. What a stranger sends is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from amends.errors import UnusableInput
from amends.health.places import HealthPort
from amends.health.report import HealthReport
from amends.metrics import CONTENT_TYPE

REQUEST_BYTES_MAX: Final = 8 * 1024  # of a request, as most servers take at most
REQUEST_S: Final = 5.0  # within which one is sent and its answer taken: on loopback it takes a millisecond
CONNECTIONS_MAX: Final = 32  # at a time: several times what looks at one process
METRICS_TYPE: Final = f"{CONTENT_TYPE}; charset=utf-8"
ERRORS: Final = (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError)


class HealthServer:
    """Answers what is asked over a port."""

    def __init__(self, report: Callable[[], HealthReport], metrics: Callable[[], str] = str) -> None:
        """Answer nothing yet.

        Args:
            report: gives what is told.
            metrics: gives the figures of the process, as text for Prometheus.
        """
        self._report = report
        self._metrics = metrics
        self._connections = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request, and hang up; one connection too many is cut at once."""
        self._connections += 1
        try:
            if self._connections <= CONNECTIONS_MAX:
                async with asyncio.timeout(REQUEST_S):
                    writer.write(self.response(await reader.readuntil(b"\r\n\r\n")))
                    await writer.drain()
        except ERRORS:
            pass
        finally:
            self._connections -= 1
            writer.close()

    def response(self, request: bytes) -> bytes:
        """What is answered to a request, which need not be one."""
        method, _, rest = request.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED)
        with_body = method == b"GET"
        if path == b"/metrics":
            return _response(HTTPStatus.OK, self._metrics().encode(), with_body=with_body, of=METRICS_TYPE)
        report = self._report()
        is_well = {b"/live": report.health.is_live, b"/ready": report.health.is_ready}.get(path)
        if is_well is None:
            return _response(HTTPStatus.NOT_FOUND)
        return _response(
            HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE, report.as_json(), with_body=with_body
        )


def _response(status: HTTPStatus, body: bytes = b"", *, with_body: bool = True, of: str = "application/json") -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {of}\r\nContent-Length: {len(body)}\r\n"
        "Allow: GET, HEAD\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (body if with_body else b"")


@asynccontextmanager
async def serving(
    place: HealthPort, report: Callable[[], HealthReport], metrics: Callable[[], str] = str
) -> AsyncIterator[None]:
    """Answer over a port; see `HealthServer`.

    Raises:
        UnusableInput: it cannot be had.
    """
    server = HealthServer(report, metrics)
    try:
        listening = await asyncio.start_server(server.connected, place.host, place.port, limit=REQUEST_BYTES_MAX)
    except OSError as error:
        raise UnusableInput(f"health cannot be told on {place}: {error.strerror or error}") from error
    try:
        yield
    finally:
        listening.close()
