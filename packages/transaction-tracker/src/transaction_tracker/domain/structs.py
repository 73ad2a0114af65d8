"""Structs: immutable values that are created for each transaction of each block.

A frozen dataclass takes twenty times as long to create and to change, because it sets each field by
a call.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import TypeVar

from msgspec import Struct

S = TypeVar("S", bound=Struct)


def compared_without(*names: str, shown: bool = True) -> Callable[[type[S]], type[S]]:
    """Return a class decorator that leaves fields out of the comparison and the hash of a struct.

    Args:
        names: Names of the fields.
        shown: Whether ``repr`` shows these fields. A report or a message of an error must not be as
            large as the largest transaction.
    """

    def decorate(cls: type[S]) -> type[S]:
        kept = tuple(name for name in cls.__struct_fields__ if name not in names)
        compared = attrgetter(*kept)

        def equals(self: S, other: object) -> bool:
            return other.__class__ is self.__class__ and compared(self) == compared(other)

        def hashed(self: S) -> int:
            return hash(compared(self))

        def text(self: S) -> str:
            fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in kept)
            return f"{type(self).__name__}({fields})"

        cls.__eq__ = equals  # type: ignore[method-assign, assignment]
        cls.__hash__ = hashed  # type: ignore[method-assign, assignment]
        if not shown:
            cls.__repr__ = text  # type: ignore[method-assign, assignment]
        return cls

    return decorate
