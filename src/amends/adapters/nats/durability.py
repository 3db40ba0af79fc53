"""What a message survives that a server has taken: what its settings, and those of the streams, say (P15)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from nats.js import JetStreamContext
from nats.js.api import StreamConfig, StreamInfo

from amends.adapters.nats.address import NatsAddress
from amends.adapters.nats.monitor import ServerSettings, SettingsHidden, settings_at
from amends.adapters.nats.streams import expect_no_loss, losses_of, make_streams
from amends.storage.ports import REDUCED

FULL: Final = "full"
FORGOTTEN: Final = "/tmp/nats/jetstream"  # noqa: S108 - it is looked for, and not used
"""Where a server has its files that was not told where: they are gone after a reboot."""


class Durability:
    """What messages survive, as a server says to which one is connected.

    How its streams are set is read each time. How the servers are set that have them is read once for a connection: a
    server takes another `sync_interval` when it starts.
    """

    def __init__(self, address: NatsAddress, wanted: Sequence[StreamConfig]) -> None:
        """Know nothing yet.

        Args:
            address: of the server.
            wanted: the streams, as they have to be.
        """
        self._address, self._wanted = address, wanted
        self._of_servers: list[str] | None = None

    def forget(self) -> None:
        """Know nothing any more: another server is connected, or the same one that has started anew."""
        self._of_servers = None

    async def read(self, streams: JetStreamContext) -> str:
        """What messages survive: ``full``, or ``reduced: `` and the settings by which it is.

        Raises:
            WireUnusable: a setting is not what it has to be, or cannot be read, and is told; the address does not allow
                for it.
        """
        infos = await make_streams(streams, self._address, self._wanted)
        if self._of_servers is None:
            said = await asyncio.gather(*map(_said, self._address.monitors))
            self._of_servers = [*_losses(infos, said)]
        losses = [*losses_of(infos, self._wanted), *self._of_servers]
        expect_no_loss(self._address, losses)
        return f"{REDUCED}{'; '.join(losses)}" if losses else FULL


async def _said(monitor: str) -> ServerSettings | str:
    """How a server is set; or why that is not known."""
    try:
        return await settings_at(monitor)
    except SettingsHidden as error:
        return str(error)


def _losses(infos: Sequence[StreamInfo], said: Sequence[ServerSettings | str]) -> Iterator[str]:
    """What of the servers that have the streams would lose messages, or is not known."""
    known: Mapping[str, ServerSettings] = {each.name: each for each in said if isinstance(each, ServerSettings)}
    hidden = ", ".join(each for each in said if isinstance(each, str)) or "it is another server's"
    for name in sorted({name for info in infos for name in _holders(info)}):
        if (settings := known.get(name)) is None:
            yield (
                f"sync_interval of server {name} cannot be read ({hidden}): give the server `http: 8222`, and the "
                "address ?monitor=http://host:port where it is at another place"
            )
        elif not settings.syncs_always:
            yield f"server {name} does not sync what it takes: give it `jetstream {{ sync_interval: always }}`"
        elif settings.store_dir == FORGOTTEN:
            yield f"server {name} has its files in {FORGOTTEN}: give it `jetstream {{ store_dir: ... }}`"


def _holders(info: StreamInfo) -> Iterator[str]:
    """The servers that have a stream, by their names."""
    followers = (info.cluster.replicas or ()) if info.cluster else ()
    yield (info.cluster.leader if info.cluster else None) or "that leads the stream, and is not known,"
    yield from (str(peer.name) for peer in followers)
