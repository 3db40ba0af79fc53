"""Access keys: what is shown once, and what is kept of it in a file beside the store, or wherever it is put."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from amends.entrypoints.http.scopes import GRANTED, Caller, Scope
from amends.errors import UnusableInput

PREFIX: Final = "amends"
ID_BYTES: Final = 6
SECRET_BYTES: Final = 32  # 256 bits (reliability of the OWASP list, API2)
WRITTEN: Final = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * ID_BYTES}}})_([A-Za-z0-9_-]{{43}})")
"""A key as it is shown: whose secret is found in a text by programs that look for such."""
NAME_MAX: Final = 255  # characters, as of who says something
LOOK_S: Final = 1.0  # between two looks whether the file has changed: a revoked key works no longer than that
FORM: Final = 1


class AccessKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key, as it is kept.

    Attributes:
        key_id: by which it is named, and which is the middle of what is shown.
        name: who has it: a person, or a program; it stands in the records of sagas.
        scopes: what it is for.
        digest: SHA-256 of its secret, hex digits.
        made_ms: when it was made, milliseconds since 1970 (UTC).
        ends_ms: when it ends; ``None`` for never.
    """

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str
    made_ms: int
    ends_ms: int | None = None

    def holds(self, now_ms: int) -> bool:
        """Whether it has not ended."""
        return self.ends_ms is None or now_ms < self.ends_ms

    @property
    def caller(self) -> Caller:
        """Who calls with it."""
        return Caller(self.name, frozenset(self.scopes))


class _KeyList(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[AccessKey] = []
    form: int = FORM


class KeyFile:
    """The keys of a store, in a file that its owner alone can read. It holds no secret of any key."""

    def __init__(self, path: Path) -> None:
        """Read nothing yet.

        Args:
            path: of the file; it is made by the first key.
        """
        self.path = path
        self._known: dict[str, AccessKey] = {}
        self._state: tuple[int, int, int] | None = None
        self._looked = float("-inf")

    def found(self, shown: str) -> AccessKey | None:
        """The key that was shown once; ``None`` where it is none, or has ended.

        Args:
            shown: what a caller gave.

        Raises:
            UnusableInput: the file cannot be read.
        """
        given = WRITTEN.fullmatch(shown)
        key = self._now().get(given[1]) if given else None
        digest = _digest(given[2] if given else "")
        is_right = hmac.compare_digest(digest, key.digest if key else digest)
        return key if key and is_right and key.holds(_now_ms()) else None

    def named(self, key_id: str) -> AccessKey | None:
        """A key that has not ended, by its id."""
        key = self._now().get(key_id)
        return key if key and key.holds(_now_ms()) else None

    def listed(self) -> Sequence[AccessKey]:
        """All of them, those that have ended among them, in the order in which they were made.

        Raises:
            UnusableInput: the file cannot be read.
        """
        return self._read().keys

    def add(self, name: str, scopes: Sequence[Scope], ends_ms: int | None = None) -> tuple[AccessKey, str]:
        """Make a key.

        Args:
            name: who has it.
            scopes: what it is for, at least one.
            ends_ms: when it ends; ``None`` for never.

        Returns:
            The key, and what is shown once.

        Raises:
            UnusableInput: there is no such scope or name, or the file cannot be written.
        """
        if not (0 < len(name) <= NAME_MAX and name.isprintable()):
            raise UnusableInput(f"{name!r:.100} is no name: give 1 to {NAME_MAX} printable characters")
        if not scopes or not GRANTED.issuperset(scopes):
            raise UnusableInput(f"give at least one of the scopes {', '.join(sorted(GRANTED))}")
        key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
        key = AccessKey(key_id, name, tuple(sorted(set(scopes))), _digest(secret), _now_ms(), ends_ms)
        with self._changing() as listed:
            listed.keys.append(key)
        return key, f"{PREFIX}_{key_id}_{secret}"

    def end(self, key_id: str, ends_ms: int) -> AccessKey:
        """Have a key end at a moment, or earlier where it does.

        Raises:
            UnusableInput: there is no such key, or the file cannot be written.
        """
        with self._changing() as listed:
            for place, key in enumerate(listed.keys):
                if key.key_id == key_id:
                    ended = msgspec.structs.replace(key, ends_ms=min(ends_ms, key.ends_ms or ends_ms))
                    listed.keys[place] = ended
                    return ended
        raise UnusableInput(f"{self.path} has no key {key_id!r:.100}; `amends keys list` names them")

    def _now(self) -> dict[str, AccessKey]:
        """The keys by their ids; the file is looked at once a second."""
        if time.monotonic() - self._looked > LOOK_S:
            state = _state_of(self.path)
            if state != self._state:
                self._known = {key.key_id: key for key in self._read().keys}
            self._state, self._looked = state, time.monotonic()
        return self._known

    def _read(self) -> _KeyList:
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_KeyList)
        except FileNotFoundError:
            return _KeyList()
        except (OSError, msgspec.DecodeError) as error:
            raise UnusableInput(f"{self.path}: the keys cannot be read: {error}") from error

    @contextlib.contextmanager
    def _changing(self) -> Iterator[_KeyList]:
        """Change the file as a whole; others that want the same wait.

        Raises:
            UnusableInput: it cannot be written.
        """
        try:
            with self.path.with_name(f"{self.path.name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                listed = self._read()
                yield listed
                _write(self.path, msgspec.json.format(msgspec.json.encode(listed)) + b"\n")
        except OSError as error:
            raise UnusableInput(f"{self.path}: the keys cannot be written: {error.strerror or error}") from error
        self._looked = float("-inf")


def _write(path: Path, content: bytes) -> None:
    """Put a file in the place of another one, which its owner alone can read."""
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
