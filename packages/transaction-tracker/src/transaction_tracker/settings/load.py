"""Load the configuration."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from transaction_tracker.settings.layers import File, Flags, Key, Layer, Variables, chosen_file
from transaction_tracker.settings.model import Configuration
from transaction_tracker.settings.problems import ConfigurationError, Problem, shown, unknown
from transaction_tracker.settings.together import conflicts


def load(path: Path | None = None, flags: Flags | None = None) -> Configuration:
    """Load the configuration from a file, environment variables and flags.

    Variables override the file, and flags override both.

    Args:
        path: Configuration file. Default: the file of ``TXTRACK_CONFIG``, or ``txtrack.toml`` if
            it exists.
        flags: Flags of the command.

    Raises:
        ConfigurationError: The configuration is invalid. For each problem, the error contains
            the key, the expected and the actual value, and the place.
    """
    file = chosen_file(path)
    layers: list[Layer] = [File(file)] if file is not None else []
    layers += [Variables(), flags or Flags()]
    merged: dict[str, Any] = {}
    for layer in layers:
        merged = _merged(merged, layer.values)
    try:
        configuration = Configuration(**merged)
    except ValidationError as error:
        raise ConfigurationError(_problems(error, layers)) from None
    problems = [
        Problem(".".join(key), message, _where(key, layers))
        for key, message in conflicts(configuration)
    ]
    if problems:
        raise ConfigurationError(problems)
    return configuration


def options(
    model: type[BaseModel] = Configuration, at: Key = ()
) -> Iterator[tuple[Key, FieldInfo]]:
    """Yield all options with their keys; ``*`` stands for each index of a list of tables."""
    for name, info in model.model_fields.items():
        section, many = _section(info)
        if section is None:
            yield (*at, name), info
        else:
            yield from options(section, (*at, name, "*") if many else (*at, name))


def _section(info: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    """Return the section that a field contains, or ``None``, and whether it is a list of them."""
    kind = info.annotation
    inside = getattr(kind, "__args__", (None,))[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, False
    if isinstance(inside, type) and issubclass(inside, BaseModel):
        return inside, get_origin(kind) is tuple
    return None, False


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of ``above`` over those of ``below``; merge tables, replace the rest."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        tables = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old or {}, value) if tables else value
    return merged


def _problems(error: ValidationError, layers: Sequence[Layer]) -> list[Problem]:
    found: dict[Key, Problem] = {}
    for details in error.errors(include_url=False, include_context=False):
        path = tuple(str(part) for part in details["loc"])
        key, info = _nearest(path)
        where = _where(path, layers)
        if details["type"] == "extra_forbidden":
            problem = unknown(".".join(path), path[-1], _siblings(path), where)
        else:
            problem = _invalid(key, info, details, where)
        # A value of a union type has an error for each member: report one problem per option.
        found.setdefault(key if details["type"] != "extra_forbidden" else path, problem)
    return list(found.values())


def _invalid(key: Key, info: FieldInfo | None, error: Any, where: str) -> Problem:
    extra = info.json_schema_extra if info is not None else None
    facts = extra if isinstance(extra, dict) else {}
    if error["type"] == "missing":
        return Problem(".".join(key), f"is required: {facts.get('expected')}", where)
    expected = facts.get("expected") or ("tables" if key == ("providers",) else "a table")
    # A whole table can contain a secret, so only the value of a single option is shown.
    actual = shown(error["input"]) if facts.get("secret") is False else "another value (hidden)"
    return Problem(".".join(key), f"must be {expected}, got {actual}", where)


def _nearest(path: Key) -> tuple[Key, FieldInfo | None]:
    """Return the option of a pydantic location, which can go on with types and indexes."""
    known = dict(options())
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


def _siblings(path: Key) -> list[str]:
    above = _general(path[:-1])
    depth = len(above)
    return sorted({key[depth] for key, _ in options() if key[:depth] == above})


def _where(key: Key, layers: Sequence[Layer]) -> str:
    """Return the place of the key, or of its nearest table, in the overriding source."""
    for length in range(len(key), 0, -1):
        for layer in reversed(layers):
            if _has(layer.values, key[:length]):
                return layer.where(key[:length])
    return ""


def _has(values: Any, key: Key) -> bool:
    for part in key:
        if isinstance(values, list) and part.isdecimal() and int(part) < len(values):
            values = values[int(part)]
        elif isinstance(values, dict) and part in values:
            values = values[part]
        else:
            return False
    return True
