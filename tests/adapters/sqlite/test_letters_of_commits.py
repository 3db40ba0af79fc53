"""Letters of commits lie in the store's own file: there if and only if the commit is, whatever is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from amends.adapters.sqlite.store import SqliteStore
from amends.storage.shards import ALL_SHARDS
from tests.house.source import ROOT

KILLED = """
import os, sys
from amends.adapters.sqlite.store import SqliteStore
from tests.contract.rows import Writer, saga
from tests.contract.test_mailbox import letter

store = SqliteStore(sys.argv[1])
writer = Writer(store)
store.commit(writer.changes(saga("S1"))._replace(posted=[letter("a")]))
write = store._write

def killed_before_its_end(changes):
    write(changes)
    os._exit(9)

store._write = killed_before_its_end
store.commit(writer.changes(saga("S2"))._replace(posted=[letter("b")], letters=["a"]))
"""


def test_letters_of_a_commit_outlive_a_kill_if_the_commit_does(tmp_path: Path) -> None:
    """Those of one that was not at its end are not there, and it has removed none."""
    file, paths = tmp_path / "store.db", os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": paths}
    ran = subprocess.run([sys.executable, "-c", KILLED, str(file)], env=environment, timeout=120, check=False)
    assert ran.returncode == 9
    store = SqliteStore(file)
    assert [each.letter_id for each in store.mailbox.letters(ALL_SHARDS, 9)] == ["a"]
    assert store.saga("S2") is None
    store.close()
