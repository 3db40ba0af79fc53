"""What is generic is so by these. What type checkers see stands in `generic.pyi`, where each has a default."""

from typing import Any, TypeVar

Body = TypeVar("Body")
Body_contra = TypeVar("Body_contra", contravariant=True)
Asked_contra = TypeVar("Asked_contra", contravariant=True)
Wanted = TypeVar("Wanted")
Entity_co = TypeVar("Entity_co", covariant=True)
Answer_co = TypeVar("Answer_co", covariant=True)
Form = Any
