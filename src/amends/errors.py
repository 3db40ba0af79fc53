"""What Amends raises, as one tree; the type says who acts.

::

    AmendsError
    ├── DefinitionError     the author of a saga: the definition cannot run as written
    ├── ParticipantError    the author of a participant: a function broke its own contract
    └── UnusableInput       the caller: the input cannot be read at all

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
