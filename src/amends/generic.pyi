# A default is of Python 3.13, and known to every type checker from here: who says no type need say nothing.
from types import UnionType
from typing import Any, TypeAlias, _SpecialForm

from typing_extensions import TypeVar

Body = TypeVar("Body", default=Any)  # of a saga's request
Body_contra = TypeVar("Body_contra", contravariant=True, default=Any)
# What a client asks for: the request, where no `prepare` builds it.
Asked_contra = TypeVar("Asked_contra", contravariant=True, default=Body)
Wanted = TypeVar("Wanted")  # the same, of a saga that somebody hands over with it
Entity_co = TypeVar("Entity_co", covariant=True, default=Any)
Answer_co = TypeVar("Answer_co", covariant=True, default=Any)
Form: TypeAlias = UnionType | _SpecialForm  # a type that is no class, such as a union
