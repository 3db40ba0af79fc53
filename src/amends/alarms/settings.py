"""What alarms are raised for, and whom they are told; docs/serve.md lists all of it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

DAY_S = 86_400


class AlarmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of alarms; each says what it is by its description."""

    every_s: Annotated[float, Meta(ge=1, le=3600, description="Seconds between two looks at the store.")] = 15.0
    log: Annotated[bool, Meta(description="Whether alarms are told in the log.")] = True
    command: Annotated[
        tuple[str, ...],
        Meta(description="A program and its arguments, which gets each alarm as JSON on its standard input."),
    ] = ()
    webhook: Annotated[str, Meta(description="An `https://` or `http://` address that each alarm is posted to.")] = ""
    webhook_hosts: Annotated[
        tuple[str, ...], Meta(description="The hosts that a webhook may have; no other is asked.")
    ] = ()
    webhook_networks: Annotated[
        tuple[str, ...],
        Meta(description="Networks of yours that its address may be in, such as `10.1.0.0/16`; others are public."),
    ] = ()
    timeout_s: Annotated[
        float, Meta(gt=0, le=300, description="Seconds that a command or a webhook has for one alarm.")
    ] = 10.0
    memory: Annotated[
        str, Meta(description="The file that keeps what was told; by default beside a store in a file, as `.alarms`.")
    ] = ""
    off: Annotated[tuple[str, ...], Meta(description="The names of alarms that are not raised.")] = ()
    owed_after_s: Annotated[
        float, Meta(ge=0, description="`owed`: seconds for which an effect may stand that is to be undone.")
    ] = 3600.0
    all_books: Annotated[
        bool,
        Meta(description="`books-differ`: whether all entities are compared at each look, which reads all of them."),
    ] = False
    oldest_waiting_s: Annotated[
        float, Meta(gt=0, description="`oldest-waiting`: seconds after which a saga is too old that has not ended.")
    ] = 7.0 * DAY_S
    letter_after_s: Annotated[
        float, Meta(gt=0, description="`letter-waits`: seconds after which a letter has waited for long.")
    ] = 60.0
    disk_free_bytes: Annotated[
        int, Meta(ge=0, description="`disk`: bytes that are to be free beside a store in a file.")
    ] = 2**30
