"""Flags of the commands that send requests to a running service."""

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
# A service that listens on all addresses is reached at the loopback address.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


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
            BadInputError: The configuration is invalid, or contains no URL of a service.
        """
        if self.url:
            # Without the token of the file, which belongs to the service of the file.
            return Api(self.url, self.token)
        configuration = ConfigurationFlags(config=self.config).load()
        known = configuration.client.token
        token = known.reveal() if known is not None and not self.token else self.token
        return Api(configured_url(configuration), token)


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


def local_url(host: str, port: int) -> str:
    """Return the URL at which this machine reaches a service with this host and port."""
    host = _ANY.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def transaction_path(transaction: str) -> str:
    """Return the API's path of a transaction, with its id percent-encoded."""
    return f"v1/transactions/{quote(transaction, safe='')}"
