"""List every option for the documentation and for ``txtrack config options``."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pydantic_core import PydanticUndefined

from transaction_tracker.options.problems import Key, options
from transaction_tracker.settings.layers import variable
from transaction_tracker.settings.model import Configuration


@dataclass(frozen=True, slots=True)
class Option:
    """Reference entry of one option.

    Attributes:
        key: Name, such as ``web.port``; an option of a provider is ``providers.0.url``.
        variable: Environment variable that sets it.
        expected: Valid values.
        default: Default value in TOML; ``None`` if there is none.
        required: Whether the option must be set.
        description: What the option does.
    """

    key: str
    variable: str
    expected: str
    default: str | None
    required: bool
    description: str


def reference() -> Iterator[Option]:
    """Yield all options, in the order of the sections.

    Of a source of several, only those that the only source has not in a section of its own.
    """
    known = dict(options(Configuration))
    for key, info in known.items():
        if _is_repeated(key, known):
            continue
        place = tuple("0" if part == "*" else part for part in key)
        extra = info.json_schema_extra
        expected = extra.get("expected") if isinstance(extra, dict) else None
        yield Option(
            ".".join(place),
            variable(place),
            str(expected),
            _default(info.default),
            info.default is PydanticUndefined,
            info.description or "",
        )


def _is_repeated(key: Key, known: Collection[Key]) -> bool:
    """Return whether an option of a source of several is one of the only source, too."""
    return key[:2] == ("sources", "*") and (key[2:] in known or ("source", *key[2:]) in known)


def _default(value: object) -> str | None:
    if value is None or value is PydanticUndefined:
        return None
    return json.dumps(value, default=str)
