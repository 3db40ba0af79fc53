"""The checker: breaks a saga in every way there is, within a bound, and shows what is not put back.

`check` is for tests, ``amends check`` for the command line; docs/checking.md is the guide. `explore` under it needs the
standard library alone. `simulate` and ``amends simulate`` run a saga on the engine itself; docs/simulating.md is their
guide. The names are listed in `__init__.pyi`, as those of `amends` are.
"""

from amends.checking.explore import explore as explore  # at once: else the module of this name would stand for it
from amends.public import listed_beside

__all__, __getattr__, __dir__ = listed_beside(__name__, __loader__, __file__)
