"""Messages for invalid options: the expected and the actual value."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

Key = tuple[str, ...]

_MAX_SHOWN_CHARACTERS = 80


def options(model: type[BaseModel], at: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Yield all options with their keys; ``*`` stands for each index of a list of tables."""
    for name, info in model.model_fields.items():
        section, many = _section(info)
        if section is None:
            yield (*at, name), info
        else:
            yield from options(section, (*at, name, "*") if many else (*at, name))


def invalid_options(
    model: type[BaseModel], error: ValidationError
) -> Iterator[tuple[Key, Key, str]]:
    """Yield each invalid option once: its key, the key of the wrong value, and the message.

    The key of the wrong value can continue in the option, with an index of a list.
    """
    known = dict(options(model))
    seen = set()
    for details in error.errors(include_url=False, include_context=False):
        path = tuple(str(part) for part in details["loc"])
        if details["type"] == "extra_forbidden":
            key, message = path, unknown_option(path[-1], _siblings(known, path))
        else:
            key, info = _nearest(known, path)
            message = _invalid(info, details)
        # A value of a union type has an error for each member: report one problem per option.
        if key not in seen:
            seen.add(key)
            yield key, path, message


def unknown_option(name: str, known: Sequence[str]) -> str:
    """Return the message for an unknown option, with the most similar known one."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known options: {', '.join(sorted(known))}"
    return f"is an unknown option; {hint}"


def _section(info: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    """Return the section that a field contains, or ``None``, and whether it is a list of them."""
    kind = info.annotation
    inside = getattr(kind, "__args__", (None,))[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, False
    if isinstance(inside, type) and issubclass(inside, BaseModel):
        return inside, get_origin(kind) is tuple
    return None, False


def _invalid(info: FieldInfo | None, error: Any) -> str:
    extra = info.json_schema_extra if info is not None else None
    facts = extra if isinstance(extra, dict) else {}
    if error["type"] == "missing":
        return f"is required: {facts.get('expected')}"
    is_table = error["type"].startswith("model")
    expected = facts.get("expected") or ("a table" if is_table else "tables")
    # A whole table can contain a secret, so only the value of a single option is shown.
    actual = _shown(error["input"]) if facts.get("secret") is False else "another value (hidden)"
    return f"must be {expected}, got {actual}"


def _shown(value: object) -> str:
    """Format a value for a message: shortened, and only the type of a table or a list."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[:_MAX_SHOWN_CHARACTERS]}…"


def _nearest(known: dict[Key, FieldInfo], path: Key) -> tuple[Key, FieldInfo | None]:
    """Return the option of a pydantic location, which can go on with types and indexes."""
    for length in range(len(path), 0, -1):
        key = path[:length]
        if info := known.get(_general(key)):
            return (_entry(path, length) if get_origin(info.annotation) is dict else key), info
    return path, None


def _entry(path: Key, length: int) -> Key:
    """Return the key of a table's entry; without the entry's name if the name is invalid.

    An invalid name is not shown, because a user can confuse name and value, and print a secret.
    """
    return path[:length] if path[-1] == "[key]" else path[: length + 1]


def _general(key: Key) -> Key:
    return tuple("*" if part.isdecimal() else part for part in key)


def _siblings(known: dict[Key, FieldInfo], path: Key) -> list[str]:
    above = _general(path[:-1])
    depth = len(above)
    return sorted({key[depth] for key in known if key[:depth] == above})
