"""How commands reach a running service."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from cyclopts import Group, Parameter

from transaction_tracker.cli.client import Api
from transaction_tracker.cli.exits import BadInputError
from transaction_tracker.cli.flags import ConfigurationFlags

if TYPE_CHECKING:
    from transaction_tracker.settings import Configuration

_GROUP = Group("Service", sort_key=20)
# A service that listens on all addresses is asked at the loopback one.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


@Parameter(name="*")
@dataclass(frozen=True)
class ServiceFlags:
    """Where the service is, and how to print its answers.

    Attributes:
        url: Where the service is. Without it, client.url of the configuration, or this machine
            at web.port: http://127.0.0.1:8080 where nothing is configured.
        token: Bearer token; without it, client.token of the configuration. Other users of this
            machine see flags: better set TXTRACK_TOKEN.
        config: Configuration file; without it that of TXTRACK_CONFIG, or txtrack.toml if it is
            there. It is not read where --url or TXTRACK_URL names the service.
        as_json: Print JSON: one document, or one line for each of many.
    """

    url: Annotated[
        str | None, Parameter(env_var="TXTRACK_URL", group=_GROUP, show_default=False)
    ] = None
    token: Annotated[
        str | None, Parameter(env_var="TXTRACK_TOKEN", group=_GROUP, show_default=False)
    ] = field(default=None, repr=False)
    config: Annotated[Path | None, Parameter(group=_GROUP, show_default=False)] = None
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False

    def api(self) -> Api:
        """Return a client; use it in an ``async with`` block.

        Raises:
            BadInputError: The configuration cannot be used, or names no service.
        """
        if self.url:
            # Not with the token of the file: that is another service's.
            return Api(self.url, self.token)
        configuration = ConfigurationFlags(config=self.config).load()
        known = configuration.client.token
        token = known.reveal() if known is not None and not self.token else self.token
        return Api(configured_url(configuration), token)


def configured_url(configuration: "Configuration") -> str:
    """Return the address of the service that a configuration names.

    Raises:
        BadInputError: Its port is not known before it runs.
    """
    if configuration.client.url is not None:
        return configuration.client.url
    web = configuration.web
    if not web.port:
        raise BadInputError(
            "web.port is 0, so the service takes any free port: name its address with --url, "
            "TXTRACK_URL or client.url"
        )
    return local_url(web.host, web.port)


def local_url(host: str, port: int) -> str:
    """Return the address under which this machine reaches a service that listens there."""
    host = _ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def transaction_path(transaction: str) -> str:
    """Return the path of a transaction, whatever characters its id has."""
    return f"v1/transactions/{quote(transaction, safe='')}"
