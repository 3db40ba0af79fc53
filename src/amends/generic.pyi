# Each has a default, of Python 3.13 and known to every type checker from here: who says no type need say nothing.
from typing import Any

from typing_extensions import TypeVar

Request_co = TypeVar("Request_co", covariant=True, default=Any)
Request_contra = TypeVar("Request_contra", contravariant=True, default=Any)
Entity_co = TypeVar("Entity_co", covariant=True, default=Any)
Answer_co = TypeVar("Answer_co", covariant=True, default=Any)
