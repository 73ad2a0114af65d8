"""Where values come from: a file, variables and flags, each heavier than the one before."""

import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource, SettingsError

from transaction_tracker.settings.model import DELIMITER, PREFIX, Configuration
from transaction_tracker.settings.problems import ConfigurationError, Problem, unknown

DEFAULT_FILE = Path("txtrack.toml")
FILE_VARIABLE = f"{PREFIX}CONFIG"
# What the commands that talk to a service read, and the service itself does not.
CLIENT_VARIABLES = (f"{PREFIX}URL", f"{PREFIX}TOKEN", f"{PREFIX}WEBHOOK_SECRET")
MAX_FILE_BYTES = 2**20

Key = tuple[str, ...]

_WORDS: Key = ("http", "words")
_HEADERS: Key = ("http", "headers")
# What Kubernetes sets in every container for each Service of the namespace. A Service named
# "txtrack" or "txtrack-web" has variables with our prefix that nobody has set for us.
# Source: Kubernetes, "Discovering services", environment variables.
_LINKED = re.compile(r"(?P<service>.+)_PORT")
_LINK_URL = re.compile(r"(tcp|udp|sctp)://\S+:[0-9]+")
_LINK_NAMES = r"_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9_]+)?|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)?"

_TABLE = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?")


class Layer(Protocol):
    """Values from one place."""

    @property
    def values(self) -> dict[str, Any]:
        """The values, nested as the sections are."""

    def where(self, key: Key) -> str:
        """Say for a person where the value of ``key`` stands."""


@dataclass(frozen=True, slots=True)
class File:
    """A configuration file in TOML.

    Raises:
        ConfigurationError: It cannot be read, or is no TOML.
    """

    path: Path
    values: dict[str, Any] = field(init=False)
    _text: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text = _read(self.path)
        object.__setattr__(self, "_text", text)
        try:
            object.__setattr__(self, "values", _by_place(tomllib.loads(text)))
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError([Problem("", f"no TOML: {error}", str(self.path))]) from None

    def where(self, key: Key) -> str:
        """Name the file, and the line where it is easily found."""
        line = _line_of(self._text, key)
        return f"{self.path} line {line}" if line else str(self.path)


class _Environment(EnvSettingsSource):
    """Reads the variables; JSON that is nested too deep is refused as text that is not JSON."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except RecursionError:
            raise ValueError("nested too deep") from None


@dataclass(frozen=True, slots=True)
class Variables:
    """Environment variables such as ``TXTRACK_WEB__PORT``.

    Raises:
        ConfigurationError: A section's variable is not JSON, or there is no such section.
    """

    values: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        if problems := [*_unknown_variables(os.environ), *_spoilt_tables(os.environ)]:
            raise ConfigurationError(problems)
        try:
            values = _Environment(Configuration)()
        except SettingsError as error:  # it names the section, and quotes nothing
            name = str(error).split('"')[1]
            says = "must be a JSON object with the section's keys"
            where = f"variable {variable((name,))}"
            raise ConfigurationError([Problem(name, says, where)]) from None
        object.__setattr__(self, "values", values)

    def where(self, key: Key) -> str:
        """Name the variable: the option's own, or its whole section's."""
        names = [variable(key[:length]) for length in range(len(key), 0, -1)]
        set_ones = {name.upper() for name in os.environ}
        return f"variable {next((name for name in names if name in set_ones), names[0])}"


@dataclass(frozen=True, slots=True)
class Flags:
    """What was typed after the command.

    Attributes:
        typed: The options with their values, and the flags that set them.
    """

    typed: Mapping[Key, tuple[Any, str]] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        """The values, nested as the sections are."""
        nested: dict[str, Any] = {}
        for (*sections, name), (value, _) in self.typed.items():
            table: Any = nested
            for section in sections:
                table = table.setdefault(section, {}) if isinstance(table, dict) else None
            # What was given in place of a table is an error that is found later.
            if isinstance(table, dict):
                table[name] = value
        return nested

    def where(self, key: Key) -> str:
        """Name the flag that set it, or its whole table, or a part of it."""
        names = [self.typed[key[:n]][1] for n in range(len(key), 0, -1) if key[:n] in self.typed]
        names += [flag for part, (_, flag) in self.typed.items() if part[: len(key)] == key]
        return f"flag {names[0]}"


def chosen_file(given: Path | None) -> Path | None:
    """Say which file to read: the given one, the variable's, or the usual one if it is there."""
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
        says = f"cannot read the configuration: {error.strerror}"
        raise ConfigurationError([Problem("", says, str(path))]) from None
    except UnicodeDecodeError:
        raise ConfigurationError([Problem("", "no TOML: it is not UTF-8", str(path))]) from None


def _by_place(value: Any) -> Any:
    """Write lists of tables as tables by place, so that a variable can set one key of one."""
    if isinstance(value, dict):
        return {key: _by_place(one) for key, one in value.items()}
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        return {str(place): _by_place(one) for place, one in enumerate(value)}
    return value


def _line_of(text: str, key: Key) -> int | None:
    """Find where a key stands; one in an inline table has the line of its table."""
    counts: dict[str, int] = {}
    table: Key = ()
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if header := _TABLE.match(line):
            name = header[1]
            table = tuple(part.strip() for part in name.split("."))
            if line.lstrip().startswith("[["):
                table = (*table, str(counts.get(name, 0)))
                counts[name] = counts.get(name, 0) + 1
            here = table
        else:
            parts = line.partition("=")[0].strip().split(".")
            here = (*table, *(part.strip().strip("\"'") for part in parts))
        if here == key[: len(here)] and (best is None or len(here) > best[0]):
            best = (len(here), number)
    return best[1] if best else None


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[Problem]:
    own = (FILE_VARIABLE, *CLIENT_VARIABLES)
    sections = [variable((name,)) for name in Configuration.model_fields]
    links = _service_links(environment)
    for name in sorted(map(str.upper, environment)):
        if not name.startswith(PREFIX) or name in own or name in links:
            continue
        if PREFIX + name.removeprefix(PREFIX).split(DELIMITER)[0] not in sections:
            yield unknown(name, name, [*sections, *own], "environment")


def _service_links(environment: Mapping[str, str]) -> set[str]:
    """Return the names of the variables that Kubernetes has set for its Services.

    Only what is set for one Service together: a port that a person writes is still refused.
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


def _spoilt_tables(environment: Mapping[str, str]) -> Iterator[Problem]:
    """Find variables of tables with names of the user's own that cannot be read as they were meant.

    Names of variables have no case: that does for headers, and not for the words of a service.
    """
    for name, value in environment.items():
        for table in (_WORDS, _HEADERS):
            if name.upper() == variable(table) and value and not _is_object(value):
                yield Problem(".".join(table), "must be a JSON object", f"variable {name}")
        if name.upper().startswith(variable((*_WORDS, ""))):
            says = f"has names in which case counts: give all in {variable(_WORDS)}, as JSON"
            yield Problem(".".join(_WORDS), says, f"variable {name}")


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def variable(key: Key) -> str:
    """Name the environment variable of an option or a section."""
    return PREFIX + DELIMITER.join(key).upper()
