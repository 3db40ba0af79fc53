"""Hosting a service in a process of its own: its entities in a database of its own, its requests by a wire."""

from __future__ import annotations

from collections.abc import Sequence

from amends.bootstrap import LASTING, Opening, open  # noqa: A004 - it opens, as `amends.open`
from amends.entrypoints.cli.definitions import load_clients, load_deploy
from amends.errors import UnusableInput
from amends.storage.location import SQLITE


def opening_of(code: str, services: Sequence[str], db: str, wire: str, clients: str) -> Opening:
    """The engine that hosts services.

    Args:
        code: a module with the definitions and commands, or one definition, ``module:name`` or ``path.py:name``.
        services: those that it answers for; all others are elsewhere.
        db: its store, a path or a URL.
        wire: the URL of the wire.
        clients: names a dict of the clients of the services, by service; empty for none.

    Raises:
        UnusableInput: there is no such code, no such service, or one of the URLs is none.
    """
    given = load_deploy(code)
    asked = {step.service for saga in given.sagas for step in saga.every_step() if step.action is not None}
    if missing := sorted({*services} - asked):
        raise UnusableInput(f"{code}: no saga asks {missing[0]!r}; the services are {', '.join(sorted(asked))}")
    return open(
        db if db.startswith((*LASTING,)) else f"{SQLITE}{db}",
        sagas=given.sagas,
        commands=[command for command in given.commands if command.service in services],
        upcasts={name: upcast for name, upcast in given.upcasts.items() if name in services},
        clients=load_clients(clients) if clients else None,
        wire=wire,
        hosts=services,
        elsewhere=asked - {*services},
    )
