"""A participant that knows nothing of amends: it answers the requests to a service CARD, by the wire format alone.

It keeps accounts in a database of its own, and an inbox beside them: the answer to each key, written with its effect.
Messages lie in a schema of a PostgreSQL (docs/wire.md). Any number of these may run, and be killed at any moment.

Usage: python examples/foreign_participant.py OWN_DATABASE WIRE_DATABASE WIRE_SCHEMA
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

SERVICE = "CARD"
STEP = "CARD_CHARGED"  # its saga's request is a list, which begins with an account and a price in cents
TABLES = """
    CREATE TABLE IF NOT EXISTS accounts (owner text PRIMARY KEY, cents bigint NOT NULL CHECK (cents >= 0));
    CREATE TABLE IF NOT EXISTS inbox (key text PRIMARY KEY, says text NOT NULL, value jsonb);
"""
AGAIN_US = 15_000_000  # what is taken and not acknowledged comes again after so many microseconds
Answer = tuple[str, Any]  # what is said, and its value


def charge(own: psycopg.Connection[Any], owner: str, cents: int) -> Answer:
    """Take the money, if it is there."""
    taken = "UPDATE accounts SET cents = cents - %s WHERE owner = %s AND cents >= %s RETURNING cents"
    left = own.execute(taken, [cents, owner, cents]).fetchone()
    return ("done", {"left": left[0]}) if left else ("refused", f"{owner} cannot pay {cents} cents")


def refund(own: psycopg.Connection[Any], owner: str, cents: int) -> Answer:
    """Give it back."""
    own.execute("UPDATE accounts SET cents = cents + %s WHERE owner = %s", [cents, owner])
    return "done", None


def answer(own: psycopg.Connection[Any], request: dict[str, Any]) -> Answer:
    """What is said to a request: the same at every attempt. Its effect is committed with that."""
    about = request["key"].rpartition("/")[0]
    action, undo = f"{about}/do", f"{about}/undo"
    key = action if request["kind"] == "probe" else request["key"]
    with own.transaction():
        own.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [about])  # one at a time
        rows = own.execute("SELECT key, says, value FROM inbox WHERE key = ANY(%s)", [[key, action, undo]])
        known: dict[str, Answer] = {row[0]: (row[1], row[2]) for row in rows}
        if key in known:
            return known[key]
        if request["kind"] == "probe":
            return "refused", "nothing is to be found"
        if time.time() * 1000 > request["deadline_ms"]:
            return "unknown", "the request came too late"
        if request["kind"] == "do":  # after its undo, nothing is done any more
            said = ("refused", "undone before it came") if undo in known else charge(own, *request["body"][:2])
        else:  # an undo of what never came, was refused, or is undone, has nothing to do
            is_done = known.get(action, ("",))[0] == "done" and undo not in known
            said = refund(own, *request["body"][:2]) if is_done else ("done", None)
        own.execute("INSERT INTO inbox VALUES (%s, %s, %s)", [key, said[0], Jsonb(said[1])])
        return said


def act_on(own: psycopg.Connection[Any], body: bytes) -> tuple[str, bytes]:
    """The channel of the answers to a message, and they; raises for what is none."""
    message = json.loads(body)
    if message["v"] != 1:
        raise ValueError(f"version {message['v']}")
    answers = []
    for request in message["requests"]:
        says, value = answer(own, request) if request["step"] == STEP else ("unknown", f"a step that is not {STEP}")
        said = {"says": says} if value is None else {"says": says, "value": value}
        answers.append({name: request[name] for name in ("saga_id", "step", "kind", "attempt")} | said)
    return message["reply_to"], json.dumps({"v": 1, "service": SERVICE, "answers": answers}).encode()


def serve(own_database: str, wire_database: str, schema: str) -> None:
    """Take messages, act on each, answer after the commit, and acknowledge after that: for ever."""
    with psycopg.connect(own_database, autocommit=True) as own, psycopg.connect(wire_database, autocommit=True) as wire:
        own.execute(TABLES)
        wire.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schema)))
        while True:
            taken = wire.execute("SELECT * FROM take(%s, 10, %s)", [SERVICE, AGAIN_US]).fetchall()
            for position, body in taken:
                try:
                    channel, answers = act_on(own, body)
                except (ValueError, LookupError, TypeError) as error:  # nobody can act on it
                    wire.execute("SELECT park(%s, %s, %s, %s)", [SERVICE, position, body, repr(error)])
                    continue
                wire.execute("SELECT post(%s, %s)", [channel, [answers]])
                wire.execute("SELECT acknowledge(%s, %s)", [SERVICE, [position]])
            time.sleep(0 if taken else 0.05)


if __name__ == "__main__":
    serve(*sys.argv[1:4])
