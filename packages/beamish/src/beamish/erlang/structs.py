"""Converts Elixir's structs to dataclasses and back."""

import dataclasses
import logging
import typing
from collections.abc import Mapping
from typing import Any

from beamish.erlang.terms import Atom

_log = logging.getLogger("beamish")

STRUCT = Atom("__struct__")
_PREFIX = "Elixir."


class Structs:
    """The structs of a node: names of Elixir modules, and the dataclasses they become.

    Args:
        classes: Maps the name of each struct, such as ``"Shop.Order"``, to a dataclass with the
            same fields.

    Raises:
        TypeError: A value is not a dataclass.
    """

    def __init__(self, classes: Mapping[str, type] | None = None) -> None:
        self._classes: dict[str, tuple[type, dict[str, bool]]] = {}
        self._names: dict[type, Atom] = {}
        for name, cls in (classes or {}).items():
            if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
                raise TypeError(f"the struct {name!r} must be mapped to a dataclass; got {cls!r}")
            full_name = name if name.startswith(_PREFIX) else _PREFIX + name
            self._classes[full_name] = (cls, _text_fields(cls))
            self._names[cls] = Atom(full_name)

    def __bool__(self) -> bool:
        return bool(self._classes)

    def from_map(self, fields: dict[Any, Any]) -> Any:
        """Return the dataclass for the map of a struct.

        A field that is annotated as ``str`` gets its binary decoded. A struct that is unknown, or
        whose fields the dataclass does not take, stays a map.
        """
        known = self._classes.get(fields[STRUCT])
        if known is None:
            return fields
        cls, text_fields = known
        values = {name: value for name, value in fields.items() if name != STRUCT}
        try:
            for name, is_text in text_fields.items():
                if is_text and isinstance(values.get(name), bytes):
                    values[name] = values[name].decode()
            return cls(**values)
        except Exception as error:  # of a constructor of the user: the message must still arrive
            _log.warning("the struct %s stays a map: %r", fields[STRUCT], error)
            return fields

    def to_map(self, value: Any) -> dict[Any, Any] | None:
        """Return the map of a dataclass; ``None`` if its class is not a known struct."""
        name = self._names.get(type(value))
        if name is None:
            return None
        fields = {Atom(f.name): getattr(value, f.name) for f in dataclasses.fields(value)}
        return {STRUCT: name, **fields}


def _text_fields(cls: type) -> dict[str, bool]:
    hints = typing.get_type_hints(cls)
    texts = (str, str | None)
    return {f.name: hints.get(f.name) in texts for f in dataclasses.fields(cls)}
