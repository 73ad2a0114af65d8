"""The sources of values: a file, environment variables and flags; a later one overrides."""

import json
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, SettingsError

from transaction_tracker.options.problems import Key, unknown_option
from transaction_tracker.settings.model import DELIMITER, PREFIX, Configuration
from transaction_tracker.settings.problems import ConfigurationError, Problem

DEFAULT_FILE = Path("txtrack.toml")
FILE_VARIABLE = f"{PREFIX}CONFIG"
# Variables of the commands that send requests to a service; the service ignores them.
CLIENT_VARIABLES = (f"{PREFIX}URL", f"{PREFIX}TOKEN", f"{PREFIX}WEBHOOK_SECRET")
MAX_FILE_BYTES = 2**20

_WORDS: Key = ("http", "words")
_HEADERS: Key = ("http", "headers")
# Kubernetes sets these variables in every container for each Service of the namespace. Those of a
# Service named "txtrack" or "txtrack-web" start with our prefix, but are not options.
# Source: Kubernetes, "Discovering services", environment variables.
_LINKED = re.compile(r"(?P<service>.+)_PORT")
_LINK_URL = re.compile(r"(tcp|udp|sctp)://\S+:[0-9]+")
_LINK_NAMES = r"_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9_]+)?|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)?"

_TABLE = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?")


class Layer(Protocol):
    """One source of values."""

    @property
    def values(self) -> dict[str, Any]:
        """The values, nested like the sections."""
        ...

    def where(self, key: Key) -> str:
        """Return a description of the place of the value of ``key``."""
        ...


@dataclass(frozen=True, slots=True)
class File:
    """A configuration file in TOML.

    Raises:
        ConfigurationError: The file cannot be read, or is not valid TOML.
    """

    path: Path
    values: dict[str, Any] = field(init=False)
    _text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text = _read(self.path)
        object.__setattr__(self, "_text", text)
        try:
            object.__setattr__(self, "values", _by_index(tomllib.loads(text)))
        except tomllib.TOMLDecodeError as error:
            message = f"invalid TOML: {error}"
            raise ConfigurationError([Problem("", message, str(self.path))]) from None

    def where(self, key: Key) -> str:
        """Return the file, with the line if it is known."""
        line = _line_of(self._text, key)
        return f"{self.path} line {line}" if line else str(self.path)


class _Environment(EnvSettingsSource):
    """Reads the variables; treats JSON that is nested too deeply as invalid JSON."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except RecursionError:
            raise ValueError("nested too deeply") from None


@dataclass(frozen=True, slots=True)
class Variables:
    """Environment variables such as ``TXTRACK_WEB__PORT``.

    Raises:
        ConfigurationError: A section's variable is not JSON, or a section is unknown.
    """

    values: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        if problems := [*_unknown_variables(os.environ), *_invalid_tables(os.environ)]:
            raise ConfigurationError(problems)
        try:
            values = _Environment(Configuration)()
        except SettingsError as error:  # its text contains the section's name, and no value
            name = str(error).split('"')[1]
            message = "must be a JSON object with the section's keys"
            where = f"variable {variable((name,))}"
            raise ConfigurationError([Problem(name, message, where)]) from None
        object.__setattr__(self, "values", values)

    def where(self, key: Key) -> str:
        """Return the variable: the one of the option, or the one of its section."""
        names = [variable(key[:length]) for length in range(len(key), 0, -1)]
        present = {name.upper() for name in os.environ}
        return f"variable {next((name for name in names if name in present), names[0])}"


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags of a command.

    Attributes:
        typed: The value of each option, and the flag that sets it.
    """

    typed: Mapping[Key, tuple[Any, str]] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        """The values, nested like the sections."""
        nested: dict[str, Any] = {}
        for (*sections, name), (value, _) in self.typed.items():
            table: Any = nested
            for section in sections:
                table = table.setdefault(section, {}) if isinstance(table, dict) else None
            # A value in the place of a table is an error, which `load` reports.
            if isinstance(table, dict):
                table[name] = value
        return nested

    def where(self, key: Key) -> str:
        """Return the flag that sets the option, its table, or a part of it."""
        names = [self.typed[key[:n]][1] for n in range(len(key), 0, -1) if key[:n] in self.typed]
        names += [flag for part, (_, flag) in self.typed.items() if part[: len(key)] == key]
        return f"flag {names[0]}"


def chosen_file(given: Path | None) -> Path | None:
    """Return the file to read: the given one, that of ``TXTRACK_CONFIG``, or the default file.

    ``None`` if no file is named and the default file does not exist.
    """
    if given is not None:
        return given
    if named := os.environ.get(FILE_VARIABLE):
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ConfigurationError([Problem("", "is larger than 1 MiB", str(path))])
        return data.decode()
    except OSError as error:
        message = f"cannot read the configuration: {error.strerror}"
        raise ConfigurationError([Problem("", message, str(path))]) from None
    except UnicodeDecodeError:
        message = "invalid TOML: the file is not UTF-8"
        raise ConfigurationError([Problem("", message, str(path))]) from None


def _by_index(value: Any) -> Any:
    """Convert lists of tables to tables by index, so that a variable can set one key of one."""
    if isinstance(value, dict):
        return {key: _by_index(inner) for key, inner in value.items()}
    if isinstance(value, list) and value and all(isinstance(inner, dict) for inner in value):
        return {str(index): _by_index(inner) for index, inner in enumerate(value)}
    return value


def _line_of(text: str, key: Key) -> int | None:
    """Return the line of a key; for a key in an inline table, the line of the table."""
    arrays: dict[Key, int] = {}
    table: Key = ()
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            *above, name = (part.strip() for part in header[1].split("."))
            table = (*_indexed(above, arrays), name)
            if line.lstrip().startswith("[["):
                arrays[table] = arrays.get(table, -1) + 1
                table = (*table, str(arrays[table]))
            here = table
        else:
            parts = line.partition("=")[0].strip().split(".")
            here = (*table, *(part.strip().strip("\"'") for part in parts))
        if here == key[: len(here)] and (best is None or len(here) > best[0]):
            best = (len(here), number)
    return best[1] if best else None


def _indexed(parts: Iterable[str], arrays: Mapping[Key, int]) -> Key:
    """Return a key with the current index after each list of tables.

    Args:
        parts: The names in the header of a table.
        arrays: The last index of each list of tables so far.
    """
    key: Key = ()
    for part in parts:
        key = (*key, part)
        if key in arrays:
            key = (*key, str(arrays[key]))
    return key


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[Problem]:
    own = (FILE_VARIABLE, *CLIENT_VARIABLES)
    sections = [variable((name,)) for name in Configuration.model_fields]
    links = _service_links(environment)
    for name in sorted(map(str.upper, environment)):
        if not name.startswith(PREFIX) or name in own or name in links:
            continue
        if PREFIX + name.removeprefix(PREFIX).split(DELIMITER)[0] not in sections:
            yield Problem(name, unknown_option(name, [*sections, *own]), "environment")


def _service_links(environment: Mapping[str, str]) -> set[str]:
    """Return the names of the variables that Kubernetes sets for its Services.

    A Service is recognized only by its variables together, so that a single variable, such as a
    misspelled TXTRACK_PORT, is still an error.
    """
    services = [
        match["service"]
        for name, value in environment.items()
        if (match := _LINKED.fullmatch(name))
        and _LINK_URL.fullmatch(value)
        and f"{match['service']}_SERVICE_HOST" in environment
    ]
    if not services:
        return set()
    linked = re.compile(f"({'|'.join(map(re.escape, services))})({_LINK_NAMES})")
    return {name for name in environment if linked.fullmatch(name)}


def _invalid_tables(environment: Mapping[str, str]) -> Iterator[Problem]:
    """Yield the problems of variables for tables with keys that users choose.

    The names of variables are case-insensitive. Names of headers are too, but the words of a
    service are not, so a variable cannot set a single word.
    """
    for name, value in environment.items():
        for table in (_WORDS, _HEADERS):
            if name.upper() == variable(table) and value and not _is_object(value):
                yield Problem(".".join(table), "must be a JSON object", f"variable {name}")
        if name.upper().startswith(variable((*_WORDS, ""))):
            message = f"has case-sensitive keys: set {variable(_WORDS)} to a JSON object"
            yield Problem(".".join(_WORDS), message, f"variable {name}")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def variable(key: Key) -> str:
    """Return the environment variable of an option or a section."""
    return PREFIX + DELIMITER.join(key).upper()
