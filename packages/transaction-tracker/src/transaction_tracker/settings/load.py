"""Load the configuration."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from transaction_tracker.options.problems import Key, invalid_options
from transaction_tracker.settings.layers import File, Flags, Layer, Variables, chosen_file
from transaction_tracker.settings.model import Configuration
from transaction_tracker.settings.problems import ConfigurationError, Problem
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


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of ``above`` over those of ``below``; merge tables, replace the rest."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        tables = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old or {}, value) if tables else value
    return merged


def _problems(error: ValidationError, layers: Sequence[Layer]) -> Iterator[Problem]:
    for key, path, message in invalid_options(Configuration, error):
        yield Problem(".".join(key), message, _where(path, layers))


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
