"""Sessions of people: a key is given once, and a cookie stands for it then. What the cookie holds is kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from typing import Final, NamedTuple

IDLE_S: Final = 1800.0  # half an hour without a request
LASTS_S: Final = 12 * 3600.0  # a working day
SESSIONS_MAX: Final = 10_000  # of a process, the last ones: some 10 MB
TOKEN_BYTES: Final = 32  # 256 bits


class PersonSession(NamedTuple):
    """A person who has logged in.

    Attributes:
        key_id: of the key; the session ends with it.
        csrf: what a request has to say that changes something.
        made: when it began, on the monotonic clock.
        used: when it was used last.
    """

    key_id: str
    csrf: str
    made: float
    used: float


class Sessions:
    """The sessions of one process, by the hash of what the cookie holds. They end with it."""

    def __init__(self) -> None:
        self._kept = OrderedDict[bytes, PersonSession]()

    def begin(self, key_id: str) -> tuple[str, PersonSession]:
        """Begin a session; what the cookie holds, and the session."""
        token, now = secrets.token_urlsafe(TOKEN_BYTES), time.monotonic()
        session = PersonSession(key_id, secrets.token_urlsafe(TOKEN_BYTES), now, now)
        self._kept[_hash(token)] = session
        while len(self._kept) > SESSIONS_MAX:
            self._kept.popitem(last=False)
        return token, session

    def found(self, token: str) -> PersonSession | None:
        """The session of a cookie, which is used now; ``None`` where there is none, or it is over."""
        name, now = _hash(token), time.monotonic()
        session = self._kept.get(name)
        if session is None:
            return None
        if now - session.used > IDLE_S or now - session.made > LASTS_S:
            del self._kept[name]
            return None
        self._kept[name] = session._replace(used=now)
        return session

    def end(self, token: str) -> None:
        """End a session, if there is one."""
        self._kept.pop(_hash(token), None)


def is_same(given: str, kept: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode(), kept.encode())


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
