"""The text of a value for reports, which does not take longer for a larger value."""

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from types import WrapperDescriptorType
from typing import Any, TypeVar

T = TypeVar("T")

MAX_CHARACTERS = 2_000
_MAX_DEPTH = 50


def brief(value: Any, limit: int = MAX_CHARACTERS) -> str:
    """Return the start of ``repr(value)``, cut off after ``limit`` characters.

    A report of a server whose state has millions of entries must not block the event loop, so
    Python's collections, dataclasses and msgspec structs are read only as far as they are shown. A
    value whose ``__repr__`` raises is shown as a placeholder.

    Source:
        Elixir's ``Inspect.Opts``: ``limit`` and ``printable_limit`` bound what ``inspect`` shows.
    """
    text = _Text(limit)
    text.add(value, depth=0)
    return text.ended()


class _Text:
    """The text so far.

    Args:
        limit: Number of characters after which the rest is left out.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[str] = []
        self._left = limit
        self._within: set[int] = set()  # ids of the collections that contain the current value

    def ended(self) -> str:
        text = "".join(self._parts)
        return text if len(text) <= self._limit else f"{text[: self._limit]}…"

    def add(self, value: Any, depth: int) -> None:
        show = _COLLECTIONS.get(type(value))
        if show is None and _has_generated_repr(type(value)):
            show = _Text._dataclass
        elif show is None and _is_struct(type(value)):
            show = _Text._struct
        if show is None:
            self._write(_shown(value, self._left))
        elif id(value) in self._within or depth > _MAX_DEPTH:
            self._write("...")
        else:
            self._within.add(id(value))
            show(self, value, depth + 1)
            self._within.discard(id(value))

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._left -= len(text)

    def _items(self, values: Iterable[Any], depth: int) -> None:
        for number, value in enumerate(self._first(values)):
            if self._left < 0:
                return
            if number:
                self._write(", ")
            self.add(value, depth)

    def _first(self, values: Iterable[T]) -> list[T]:
        """Return the values that can be shown, each in 3 characters or more.

        A copy, because a ``__repr__`` can change the collection.
        """
        return list(islice(values, max(0, self._left) // 3 + 1))

    def _list(self, value: list[Any], depth: int) -> None:
        self._write("[")
        self._items(value, depth)
        self._write("]")

    def _tuple(self, value: tuple[Any, ...], depth: int) -> None:
        self._write("(")
        self._items(value, depth)
        self._write(",)" if len(value) == 1 else ")")

    def _set(self, value: set[Any] | frozenset[Any], depth: int) -> None:
        name = "" if type(value) is set else "frozenset"
        if not value:
            self._write(f"{name or 'set'}()")
            return
        self._write(f"{name}({{" if name else "{")
        self._items(value, depth)
        self._write("})" if name else "}")

    def _deque(self, value: deque[Any], depth: int) -> None:
        self._write("deque([")
        self._items(value, depth)
        self._write("])" if value.maxlen is None else f"], maxlen={value.maxlen})")

    def _dict(self, value: dict[Any, Any], depth: int) -> None:
        self._write("{")
        for number, (key, item) in enumerate(self._first(value.items())):
            if self._left < 0:
                return
            if number:
                self._write(", ")
            self.add(key, depth)
            self._write(": ")
            self.add(item, depth)
        self._write("}")

    def _dataclass(self, value: Any, depth: int) -> None:
        shown = (field.name for field in dataclasses.fields(value) if field.repr)
        self._named(type(value).__qualname__, value, shown, depth)

    def _struct(self, value: Any, depth: int) -> None:
        self._named(type(value).__name__, value, type(value).__struct_fields__, depth)

    def _named(self, kind: str, value: Any, names: Iterable[str], depth: int) -> None:
        self._write(f"{kind}(")
        for number, name in enumerate(names):
            if self._left < 0:
                return
            self._write(f", {name}=" if number else f"{name}=")
            try:
                self.add(getattr(value, name), depth)
            except AttributeError:
                self._write("<unset>")
        self._write(")")


_COLLECTIONS: dict[type, Callable[[_Text, Any, int], None]] = {
    list: _Text._list,
    tuple: _Text._tuple,
    set: _Text._set,
    frozenset: _Text._set,
    deque: _Text._deque,
    dict: _Text._dict,
}


def _has_generated_repr(kind: type) -> bool:
    """Return whether ``dataclass`` wrote the class's ``__repr__``; `pprint` decides likewise."""
    if not dataclasses.is_dataclass(kind):
        return False
    inner = getattr(kind.__repr__, "__wrapped__", None)
    return inner is not None and "__create_fn__" in inner.__qualname__


def _is_struct(kind: type) -> bool:
    """Return whether msgspec's ``Struct`` shows the class's values, with all fields."""
    config = getattr(kind, "__struct_config__", None)
    if config is None or config.repr_omit_defaults:
        return False
    # A method of Python is the class's own; that of ``Struct`` is written in C.
    return isinstance(kind.__repr__, WrapperDescriptorType)


def _shown(value: Any, left: int) -> str:
    try:
        if isinstance(value, str | bytes | bytearray) and type(value).__repr__ in _TEXT_REPRS:
            return repr(value[: max(left, 0) + 1])
        return repr(value)
    except Exception as error:  # an error of a user's __repr__ must not replace the report
        return f"<{type(value).__qualname__} that cannot be shown: {type(error).__qualname__}>"


_TEXT_REPRS = (str.__repr__, bytes.__repr__, bytearray.__repr__)
