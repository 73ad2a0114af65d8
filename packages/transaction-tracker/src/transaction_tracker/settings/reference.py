"""Every option, as documentation has it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic_core import PydanticUndefined

from transaction_tracker.settings.layers import variable
from transaction_tracker.settings.load import options


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        key: Its name, such as ``web.port``; of each provider, ``providers.0.url`` and so on.
        variable: The environment variable that sets it.
        expected: What it must be.
        default: Its value when nobody sets it, as TOML has it; ``None`` for none.
        required: Whether it must be set.
        says: What it does.
    """

    key: str
    variable: str
    expected: str
    default: str | None
    required: bool
    says: str


def reference() -> Iterator[Option]:
    """List all options, in the order of the sections."""
    for key, info in options():
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


def _default(value: object) -> str | None:
    if value is None or value is PydanticUndefined:
        return None
    return json.dumps(value, default=str)
