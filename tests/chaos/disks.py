"""File systems of a server's own: one that is small, and one whose power can be cut. Both need a machine that mounts.

The power of a file system in an image is cut by the system itself: from one moment on nothing is written to the image
any more, not even what was written and not synced (``FS_IOC_SHUTDOWN`` of ext4, without a flush of its log). Then every
process of the server is killed, and the image is mounted anew.
"""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.postgres import Server, kill_all_of, postgres_at
from tests.torture.broken import demand

SMALL: Final = "192m"
SEGMENT: Final = "--wal-segsize=1"  # megabytes: a small disk has room for some
IMAGE_BYTES: Final = 768 << 20
FS_IOC_SHUTDOWN: Final = 0x8004587D  # _IOR('X', 125, __u32), linux/fs.h
WITHOUT_FLUSH: Final = 2  # FS_SHUTDOWN_FLAGS_NOLOGFLUSH
PIECE: Final = bytes(4096)
UNUSED_WITHIN_S: Final = 30.0


class CannotMount(Exception):
    """This machine does not let us mount, and why."""


@contextmanager
def small_disk(folder: Path) -> Iterator[Server]:
    """Have a server on a disk that is soon full.

    Raises:
        CannotMount: this machine does not let us.
    """
    place = folder / "small"
    place.mkdir(parents=True)
    _mounted("-t", "tmpfs", "-o", f"size={SMALL}", "amends-chaos", place)
    try:
        with postgres_at(place, SEGMENT) as server:
            yield server
    finally:
        _unmount(place)


def fill(server: Server, spare: int) -> Path:
    """Fill a server's disk but for some bytes; gives the file that is in the way."""
    file = server.data.parent / "ballast"
    with suppress(OSError), file.open("wb", buffering=0) as ballast:
        while (free := os.statvfs(server.data)).f_bavail * free.f_frsize > spare:
            ballast.write(PIECE)
    return file


@contextmanager
def image_disk(folder: Path) -> Iterator[Server]:
    """Have a server on an image whose power can be cut.

    Raises:
        CannotMount: this machine does not let us.
    """
    image, place = folder / "image", folder / "mounted"
    place.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    _run("mkfs.ext4", "-q", image)
    _mounted("-o", "loop", image, place)
    try:
        with postgres_at(place) as server:
            _run("sync", "-f", place)  # tests make a server's data without a sync
            yield server
    finally:
        _unmount(place)
        image.unlink()


def cut_power(server: Server) -> None:
    """Cut the power of a server's image, and bring both up again."""
    place = server.data.parent
    image = place.with_name("image")
    postmaster = server.postmaster
    root = os.open(place, os.O_RDONLY)
    try:
        fcntl.ioctl(root, FS_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSH))
    finally:
        os.close(root)
    kill_all_of(postmaster)
    _unmount(place)
    _mounted("-o", "loop", image, place)
    server.unlock()
    server.start()


def _unmount(place: Path) -> None:
    """Unmount, once the last process of the server has ended."""
    until = time.monotonic() + UNUSED_WITHIN_S
    while place.is_mount():
        demand(time.monotonic() < until, f"{place} is in use")
        with suppress(CannotMount):
            _run("umount", place)
            return
        time.sleep(0.05)


def _mounted(*words: object) -> None:
    _run("mount", *words)


def _run(*words: object) -> None:
    try:
        subprocess.run([*map(str, words)], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        raise CannotMount(f"{words[0]}: {' '.join(said.split())}") from error
