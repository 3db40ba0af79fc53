"""The type variables of what is generic. What type checkers see stands in `generic.pyi`: there, each has a default."""

from typing import TypeVar

Request_co = TypeVar("Request_co", covariant=True)
Request_contra = TypeVar("Request_contra", contravariant=True)
Entity_co = TypeVar("Entity_co", covariant=True)
Answer_co = TypeVar("Answer_co", covariant=True)
