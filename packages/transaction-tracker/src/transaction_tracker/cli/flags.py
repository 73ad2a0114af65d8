"""Flags that several commands share."""

import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Group, Parameter, Token
from cyclopts.validators import Number

from transaction_tracker.cli import output
from transaction_tracker.cli.client import Api
from transaction_tracker.cli.exits import BadInputError
from transaction_tracker.domain.duration import duration
from transaction_tracker.domain.numbers import whole_number

if TYPE_CHECKING:
    from transaction_tracker.settings import Configuration, ConfigurationError, Flags

_CONFIGURATION = Group("Configuration", sort_key=10)
_SERVICE = Group("Service", sort_key=20)
_EXPECTATION = Group("Expectation", sort_key=5)
# A service that listens on all addresses is reached at the loopback address.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104

Json = Annotated[bool, Parameter(name="--json", negative=())]
Transactions = Annotated[str, Parameter(required=True)]
NoHeader = Annotated[
    bool,
    Parameter(negative=(), show_default=False, help="Do not print the names of the columns."),
]
STDIN = "-"


def _whole_number(_kind: Any, tokens: Sequence[Token]) -> int:
    return whole_number(tokens[0].value)


# The parser's own conversion accepts 1_0 as 10 and 1.5 as 2.
WholeNumber = Annotated[int, Parameter(converter=_whole_number, validator=Number(gte=1))]


WholeNumberOrZero = Annotated[int, Parameter(converter=_whole_number, validator=Number(gte=0))]


def _check_file(_kind: Any, value: str | None) -> None:
    if value is not None and value.startswith("-") and value != STDIN:
        raise ValueError(f"unknown option {value}; a file of this name is ./{value}")


# With allow_leading_hyphen, the parser accepts "-" as a file, but also every unknown option; the
# validator refuses these.
InputFile = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_check_file)]


@Parameter(name="*")
@dataclass(frozen=True)
class ExpectFlags:
    """What the payment must be: each event says whether it is.

    Attributes:
        expect_from: Address that pays.
        expect_to: Address that gets the payment.
        expect_value: Exact amount in the smallest unit of the coin (wei) or the token.
        expect_min_value: Minimum amount, in the same unit.
        expect_token: Contract of a token; the amount is the sum of its transfers to --expect-to.
    """

    expect_from: Annotated[str | None, Parameter(group=_EXPECTATION)] = None
    expect_to: Annotated[str | None, Parameter(group=_EXPECTATION)] = None
    expect_value: Annotated[str | None, Parameter(group=_EXPECTATION)] = None
    expect_min_value: Annotated[str | None, Parameter(group=_EXPECTATION)] = None
    expect_token: Annotated[str | None, Parameter(group=_EXPECTATION)] = None

    def field(self) -> dict[str, Any]:
        """Return the field of a registration; empty if nothing is expected."""
        given = {name.removeprefix("expect_"): value for name, value in vars(self).items()}
        expected = {name: value for name, value in given.items() if value is not None}
        return {"expect": expected} if expected else {}


NOTHING_EXPECTED = ExpectFlags()


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

    config: Annotated[Path | None, Parameter(group=_CONFIGURATION)] = None
    rpc: Annotated[tuple[str, ...], Parameter(group=_CONFIGURATION, negative=())] = ()
    chain_id: Annotated[str | None, Parameter(group=_CONFIGURATION)] = None
    confirmations: Annotated[str | None, Parameter(group=_CONFIGURATION)] = None
    database: Annotated[str | None, Parameter(group=_CONFIGURATION)] = None
    host: Annotated[str | None, Parameter(group=_CONFIGURATION)] = None
    port: Annotated[str | None, Parameter(group=_CONFIGURATION)] = None
    log_format: Annotated[Literal["json", "text"] | None, Parameter(group=_CONFIGURATION)] = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, Parameter(group=_CONFIGURATION)
    ] = None
    set: Annotated[tuple[str, ...], Parameter(group=_CONFIGURATION, negative=())] = ()

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


# The default of commands: the file, and the environment variables, as they are.
NO_FLAGS = ConfigurationFlags()


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


@Parameter(name="*")
@dataclass(frozen=True)
class ServiceFlags:
    """The service, and the format of the output.

    Attributes:
        url: URL of the service. Default: client.url of the configuration, or this machine at
            web.port; http://127.0.0.1:8080 without a configuration.
        token: Bearer token. Default: client.token of the configuration. Other users of this
            machine can see flags, so prefer TXTRACK_TOKEN.
        config: Configuration file. Default: the file of TXTRACK_CONFIG, or txtrack.toml if it
            exists. Not read if --url or TXTRACK_URL is set.
        as_json: Print JSON: one document, or one line per item.
    """

    url: Annotated[
        str | None, Parameter(env_var="TXTRACK_URL", group=_SERVICE, show_default=False)
    ] = None
    token: Annotated[
        str | None, Parameter(env_var="TXTRACK_TOKEN", group=_SERVICE, show_default=False)
    ] = field(default=None, repr=False)
    config: Annotated[Path | None, Parameter(group=_SERVICE, show_default=False)] = None
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False

    def api(self) -> Api:
        """Return a client of the service: how every command reaches it, by ``async with``.

        Raises:
            BadInputError: The configuration is invalid, or contains no URL of a service.
        """
        if self.url:
            # Without the token of the file, which belongs to the service of the file.
            return Api(self.url, self.token)
        configuration = ConfigurationFlags(config=self.config).load()
        known = configuration.client.token
        token = known.reveal() if known is not None and not self.token else self.token
        return Api(configured_url(configuration), token)


# The default of commands: the service of the configuration.
CONFIGURED = ServiceFlags()


def configured_url(configuration: "Configuration") -> str:
    """Return the URL of the configured service.

    Raises:
        BadInputError: The port is 0, so it is unknown until the service listens.
    """
    if configuration.client.url is not None:
        return configuration.client.url
    web = configuration.web
    if not web.port:
        raise BadInputError(
            "web.port is 0, so the service listens on any free port; set its URL with --url, "
            "TXTRACK_URL or client.url"
        )
    return local_url(web.host, web.port)


def number_or_tag(text: str) -> int | str:
    """Return confirmations as a number; a tag, or text that the service refuses, unchanged."""
    try:
        return whole_number(text)
    except ValueError:
        return text


def local_url(host: str, port: int) -> str:
    """Return the URL at which this machine reaches a service with this host and port."""
    host = _ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """Open a file, or standard input, while the block runs.

    Raises:
        BadInputError: The file cannot be read; also if reading fails only inside the block.
    """
    try:
        if file != STDIN:
            with Path(file).open("rb") as stream:
                yield stream
            return
        if sys.stdin.isatty():
            output.note("reading from the terminal; Ctrl-D at the start of a line ends it")
        yield sys.stdin.buffer
    except OSError as error:
        raise BadInputError(f"cannot read {file}: {error.strerror}") from None
