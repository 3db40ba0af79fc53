"""Amends runs sagas, and finds the rollback that doesn't.

Public is what this module, `amends.inbox`, `amends.outbox`, `amends.shop`, `amends.checking` and `amends.testing`
export. The names of this module are listed in `__init__.pyi`, where type checkers look. Each is loaded when it is first
used, so that importing one needs no package that another needs.
"""

from amends.public import listed_beside

__version__ = "0.1.0"

__all__, __getattr__, __dir__ = listed_beside(__name__, __loader__, __file__)
