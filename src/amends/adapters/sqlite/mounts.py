"""What a file system keeps of what it is given: not every one that takes an `fsync` has a disk behind it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from amends.storage.ports import REDUCED

MOUNTS: Final = Path("/proc/self/mountinfo")
"""Of Linux (proc_pid_mountinfo(5)): the fifth field is where it is mounted; the first one behind a lone ``-`` the kind
of the file system. On other systems nothing is known of it."""
ESCAPED: Final = re.compile(r"\\([0-7]{3})")  # how a blank, a tab, a newline and a backslash are written in a path

FULL: Final = "full"
"""What a commit survives with the settings of `amends.adapters.sqlite.settings`: a kill, and a power cut."""

IN_MEMORY: Final = {"ramfs", "rootfs", "tmpfs"}
OF_A_NETWORK: Final = {
    "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.s3fs", "fuse.sshfs", "lustre", "ncpfs", "nfs",
    "nfs4", "smb3", "smbfs",
}  # fmt: skip
LOCAL: Final = {
    "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "reiserfs", "tmpfs", "xfs", "zfs",
}  # fmt: skip
"""Those that date each write by this machine's clock, when it happens: an unexpected date is another's write."""


def kind_of(file: Path) -> str:
    """The kind of the file system on which a file is or would be; empty when that is not known.

    Args:
        file: without symbolic links, as `amends.adapters.sqlite.opening.checked_path` gives it.
    """
    found = enumerate(_mounts())
    on_the_way = [(len(place.parts), number, kind) for number, (place, kind) in found if _is_in(file, place)]
    return max(on_the_way)[-1] if on_the_way else ""  # of two at one place, the later one hides the other


def is_alone(file: Path) -> bool:
    """Whether a file is mounted itself, and so without what is to lie beside it, as containers are given files."""
    return any(place == file for place, _ in _mounts())


def durability_of(kind: str, *, is_alone: bool = False) -> str:
    """What a commit survives on a file system of a kind: ``full``, or ``reduced`` and why.

    Args:
        kind: as `kind_of` gives it.
        is_alone: see `is_alone`.
    """
    if is_alone:
        return f"{REDUCED}the file alone is mounted, and its log goes with the container: mount the directory"
    if kind in IN_MEMORY:
        return f"{REDUCED}{kind} keeps nothing over a reboot"
    if kind in OF_A_NETWORK:
        return f"{REDUCED}{kind} is a network's file system, whose locks and syncs SQLite cannot rely on"
    return FULL


def _mounts() -> list[tuple[Path, str]]:
    try:
        lines = os.fsdecode(MOUNTS.read_bytes()).splitlines()
    except OSError:
        return []
    return [_mount(line) for line in lines if " - " in line]


def _mount(line: str) -> tuple[Path, str]:
    before, _, behind = line.partition(" - ")
    place = ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), before.split(" ")[4])
    return Path(place), behind.split(" ")[0]


def _is_in(file: Path, place: Path) -> bool:
    return file.is_relative_to(place)
