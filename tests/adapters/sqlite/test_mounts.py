"""What a file system keeps is told: by the engine's log, by the file, by `amends status` (promise P15)."""

from __future__ import annotations

import logging
from contextlib import closing
from pathlib import Path

import pytest

import amends
from amends.adapters.sqlite import mounts
from amends.adapters.sqlite.mounts import durability_of, is_alone, kind_of
from amends.adapters.sqlite.reader import SqliteReader

INFO = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
23 22 0:21 / /proc rw,relatime shared:12 - proc proc rw
24 22 0:24 / /dev/shm rw,relatime shared:7 master:3 - tmpfs tmpfs rw,size=24684092k
25 22 0:25 / /data rw,relatime - xfs /dev/vdb rw
26 25 0:26 /a/b /data/shared rw,relatime - nfs4 server:/export rw,vers=4.2
27 25 0:27 / /data/with\040blank\134 rw,relatime - fuse.sshfs me@there:/ rw
28 22 0:28 / /over rw,relatime - tmpfs tmpfs rw
29 22 0:29 / /over rw,relatime - btrfs /dev/vdc rw
31 22 254:0 /data/one.db /one.db rw,relatime - ext4 /dev/vda rw,discard
30 22 0:30 / /mnt/ça rw,relatime - cifs //server/share rw
torn
"""
KINDS = {
    "/shop.db": "ext4",
    "/data/shop.db": "xfs",
    "/database/shop.db": "ext4",
    "/dev/shm/deep/down/shop.db": "tmpfs",  # noqa: S108 - nothing is written there
    "/data/shared/shop.db": "nfs4",
    "/data/with blank\\/shop.db": "fuse.sshfs",
    "/over/shop.db": "btrfs",
    "/mnt/ça/shop.db": "cifs",
}


@pytest.mark.parametrize("file", KINDS)
def test_the_deepest_mount_is_the_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    """And of two at one place the later."""
    (tmp_path / "mountinfo").write_text(INFO, "utf-8")
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    assert kind_of(Path(file)) == KINDS[file]


def test_a_file_that_is_mounted_without_its_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container is given one: the log lies beside it, where it goes with the container."""
    (tmp_path / "mountinfo").write_text(INFO, "utf-8")
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mountinfo")
    assert [file for file in [*KINDS, "/one.db"] if is_alone(Path(file))] == ["/one.db"]
    assert durability_of("ext4", is_alone=True).startswith("reduced: the file alone is mounted")
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "mounted")
    store = tmp_path / "store.db"
    (tmp_path / "mounted").write_text(f"31 22 254:0 /a.db {store} rw,relatime - ext4 /dev/vda rw\n", "utf-8")
    with amends.open(f"sqlite:///{store}", sagas=[]):
        pass
    with closing(SqliteReader(store)) as reader:
        assert "mount the directory" in reader.durability()


def test_where_nothing_is_known_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On other systems than Linux."""
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "nothing")
    assert (kind_of(tmp_path), durability_of("")) == ("", "full")


@pytest.mark.parametrize(
    ("kind", "durability"),
    [
        ("ext4", "full"),
        ("overlay", "full"),
        ("tmpfs", "reduced: tmpfs keeps nothing over a reboot"),
        ("ramfs", "reduced: ramfs keeps nothing over a reboot"),
        ("nfs4", "reduced: nfs4 is a network's file system, whose locks and syncs SQLite cannot rely on"),
        ("9p", "reduced: 9p is a network's file system, whose locks and syncs SQLite cannot rely on"),
    ],
)
def test_what_is_reduced_is_told_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str, durability: str
) -> None:
    """Once in the log of the engine that opens it, and in the file for whoever reads that."""
    monkeypatch.setattr("amends.adapters.sqlite.store.kind_of", lambda _file: kind)
    caplog.set_level(logging.WARNING, "amends")
    with amends.open(f"sqlite:///{tmp_path / 'store.db'}", sagas=[]):
        pass
    told = [] if durability == "full" else [f"what is answered may be lost: durability is {durability}"]
    assert [record.getMessage() for record in caplog.records] == told
    with closing(SqliteReader(tmp_path / "store.db")) as reader:
        assert reader.durability() == durability


def test_a_store_in_memory_is_what_was_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """It needs no warning."""
    with amends.open("memory:", sagas=[]):
        pass
    assert not caplog.records
