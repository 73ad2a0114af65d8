"""Flags that several commands share."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter

from transaction_tracker.cli.exits import BadInputError
from transaction_tracker.domain.duration import duration

if TYPE_CHECKING:
    from transaction_tracker.settings import Configuration, ConfigurationError, Flags

_GROUP = Group("Configuration", sort_key=10)

Json = Annotated[bool, Parameter(name="--json", negative=())]
Transactions = Annotated[str, Parameter(required=True)]
NoHeader = Annotated[
    bool,
    Parameter(negative=(), show_default=False, help="Do not print the names of the columns."),
]


@Parameter(name="*")
@dataclass(frozen=True)
class ConfigurationFlags:
    """The configuration, and options that override it.

    Attributes:
        config: Configuration file. Default: the file of TXTRACK_CONFIG, or txtrack.toml if it
            exists.
        rpc: URL of a provider, instead of all configured providers; can be repeated.
        chain_id: Chain that all providers must be on (source.chain_id).
        confirmations: Blocks that make a state final, or "safe" or "finalized"
            (source.confirmations).
        database: Database: a file or postgresql://user@host/name (database.url).
        host: Address to listen on (web.host).
        port: Port to listen on (web.port).
        log_format: Format of the log (logs.format).
        log_level: Lowest level that is logged (logs.level).
        set: Any other option, such as source.stuck_after=5m; can be repeated. `txtrack config
            options` lists all options.
    """

    config: Annotated[Path | None, Parameter(group=_GROUP)] = None
    rpc: Annotated[tuple[str, ...], Parameter(group=_GROUP, negative=())] = ()
    chain_id: Annotated[str | None, Parameter(group=_GROUP)] = None
    confirmations: Annotated[str | None, Parameter(group=_GROUP)] = None
    database: Annotated[str | None, Parameter(group=_GROUP)] = None
    host: Annotated[str | None, Parameter(group=_GROUP)] = None
    port: Annotated[str | None, Parameter(group=_GROUP)] = None
    log_format: Annotated[Literal["json", "text"] | None, Parameter(group=_GROUP)] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, Parameter(group=_GROUP)
    ] = None
    set: Annotated[tuple[str, ...], Parameter(group=_GROUP, negative=())] = ()

    def load(self) -> "Configuration":
        """Load the configuration, overridden by these flags.

        Raises:
            BadInputError: The configuration is invalid; the message names every problem.
        """
        from transaction_tracker.settings import ConfigurationError

        try:
            return self.read()
        except ConfigurationError as error:
            raise unusable(error) from None

    def read(self) -> "Configuration":
        """Load the configuration, overridden by these flags, or raise `ConfigurationError`."""
        # Imported here, not above: a command with --url or TXTRACK_URL needs no configuration, and
        # starts in half the time without its model and the sources.
        from transaction_tracker.settings import load

        return load(self.config, self.typed())

    def typed(self) -> "Flags":
        """Return the flags by option."""
        from transaction_tracker.settings import Flags

        return Flags({key: (value, flag) for key, value, flag in self._all()})

    def _all(self) -> Iterator[tuple[tuple[str, ...], Any, str]]:
        for text in self.set:
            key, equals, value = text.partition("=")
            if not equals or not all(key.split(".")):
                raise BadInputError(f"--set must be KEY=VALUE, such as web.port=8081, got {text!r}")
            yield tuple(key.strip().split(".")), _value(value), f"--set {key}"
        if self.rpc:
            yield ("providers",), [{"url": url} for url in self.rpc], "--rpc"
        singles = {
            ("source", "chain_id"): (self.chain_id, "--chain-id"),
            ("source", "confirmations"): (self.confirmations, "--confirmations"),
            ("database", "url"): (self.database, "--database"),
            ("web", "host"): (self.host, "--host"),
            ("web", "port"): (self.port, "--port"),
            ("logs", "format"): (self.log_format, "--log-format"),
            ("logs", "level"): (self.log_level, "--log-level"),
        }
        for option, (given, flag) in singles.items():
            if given is not None:
                yield option, given, flag


def unusable(error: "ConfigurationError") -> BadInputError:
    """Return an error with one line per problem."""
    lines = "\n  ".join(map(str, error.problems))
    return BadInputError(f"the configuration is invalid:\n  {lines}")


def seconds(flag: str, text: str, *, or_none: bool = False) -> float:
    """Parse a time such as ``30``, ``30s``, ``5m``, ``2h``, ``1d``; 0 only with ``or_none``."""
    try:
        value = duration(text)
    except ValueError as error:
        raise BadInputError(f"{flag}: {error}") from None
    if not value > 0 and not (or_none and value == 0):
        bound = "0 seconds or more" if or_none else "over 0 seconds"
        raise BadInputError(f"{flag} must be {bound}, got {text}")
    return value


def _value(text: str) -> Any:
    """Parse a value as TOML; return text that is not TOML unchanged."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
