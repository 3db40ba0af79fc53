"""What Amends raises, as one tree; the type says who acts.

::

    AmendsError
    ├── DefinitionError     the author of a saga: the definition cannot run as written
    ├── ParticipantError    the author of a participant: a function broke its own contract
    ├── UnusableInput       the caller: the input cannot be read at all
    │   ├── StoreUnusable   the caller: what is named is no store that this version can use
    │   │   ├── StoreInUse  the caller, later: another engine has it
    │   │   └── StoreAway   the caller, later: its database is not to be reached
    │   ├── WireUnusable    the caller: what is named is no wire that this version can use
    │   │   └── WireAway    the caller, later: its broker is not to be reached
    │   └── MessageUnusable the caller: a message of a wire that no host can act on; it is kept apart
    │       └── MessageTooBig   the caller: it is larger than a wire takes
    ├── RequestRefused      the caller: no saga was started, and why
    │   └── KeyReused       the caller: the client key stands for another request
    ├── Overloaded          the caller, later: more is waiting than the engine takes
    ├── StoreError
    │   ├── StoreFull       the loop, later: there is no space; nothing was written
    │   ├── StoreBusy       the loop, later: another program holds the file; nothing was written
    │   ├── StoreConflict   the loop: another process wrote first; nothing was written
    │   │   └── LockTimeout the loop: another process kept rows locked for too long; nothing was written
    │   ├── LeaseLost       the operator: another engine took over the sagas of this one; nothing was written
    │   ├── StoreTooBig     the loop: more at once than the storage takes; nothing was written
    │   └── StoreFailed     the operator: the storage failed; what was written is seen at the next start
    ├── OperatorNeeded      the operator: a saga that a caller waits for needs one; also a ``TimeoutError``
    ├── EngineStopped       the caller: the engine was closed, or its storage failed
    └── EngineMisused       the caller: the engine is of another process, or of another event loop

A participant that says no is no exception: that is the value ``Refused``.
"""


class AmendsError(Exception):
    """The root: catch it to catch everything that Amends raises on purpose."""


class DefinitionError(AmendsError, ValueError):
    """A saga is wrong as written. The message names the step and says how to mend it."""


class ParticipantError(AmendsError, TypeError):
    """A participant's function gave back what none may. The message names the function and the step."""


class UnusableInput(AmendsError, ValueError):
    """Input that cannot be read: a file that is missing, text that is not JSON. The message says where."""


class StoreUnusable(UnusableInput):
    """No store, or one that cannot be used: in use, of a later version, not ours, not writable. One line says which."""


class StoreInUse(StoreUnusable):
    """Another engine has the store. It is free as soon as that one is closed, or its process has ended."""


class StoreAway(StoreUnusable):
    """A store is not to be had now: its database is away or has no connection left, or its file is locked for long."""


class WireUnusable(UnusableInput):
    """No wire, or one that cannot be used: not ours, of a later version, with too few rights. One line says which."""


class WireAway(WireUnusable):
    """A wire is not to be had now: its broker is away, or refuses for the moment. What was posted may have arrived."""


class MessageUnusable(UnusableInput):
    """A message of a wire that none of its takers can act on. The error says what is wrong with it, and where."""


class MessageTooBig(MessageUnusable):
    """A message is larger than a wire takes. Nothing of it was posted."""


class RequestRefused(AmendsError, ValueError):
    """No saga was started for a request. The message says why; the same request under the same key is refused again."""


class KeyReused(RequestRefused):
    """A client key stands for another request than the one that came with it now."""


class OperatorNeeded(AmendsError, TimeoutError):
    """A saga that a caller waits for waits for an operator itself. The message says why, what is owed, what to do.

    It is a ``TimeoutError``, so that a program that is ready for a saga that has not ended in time is ready for this.
    """


class Overloaded(AmendsError):
    """More is waiting than the engine takes. Nothing was started; try again later."""


class StoreError(AmendsError):
    """The storage did not do what it was asked."""


class StoreFull(StoreError):
    """There is no space. Nothing was written, and what is asked again later is taken when there is space."""


class StoreBusy(StoreError):
    """Another program keeps the file locked. Nothing was written, and what is asked again later is taken then."""


class StoreConflict(StoreError):
    """Another process wrote first: what was to be written had been decided on something older. Nothing was written."""


class LockTimeout(StoreConflict):
    """Another process kept locked what the turn needed, for as long as a turn may wait. Nothing was written."""


class LeaseLost(StoreError):
    """The engine's lease was ended: it was stopped for too long, and another one took over. Nothing was written."""


class StoreTooBig(StoreError):
    """What was to be written at once is more than the storage takes. Nothing was written; parts of it can be."""


class StoreFailed(StoreError):
    """The storage failed. Whether the last commit is written is not known before the store is opened anew."""


class EngineStopped(AmendsError):
    """The engine was closed, or its storage failed. What it had answered is stored; open it again to go on."""


class EngineMisused(AmendsError, RuntimeError):
    """An engine was asked where it cannot answer: in a forked child, or in another event loop than its own."""
