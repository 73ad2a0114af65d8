"""How commands reach a running service."""

from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import quote

from cyclopts import Group, Parameter

from transaction_tracker.cli.client import Api

DEFAULT_URL = "http://127.0.0.1:8080"

_GROUP = Group("Service", sort_key=20)


@Parameter(name="*")
@dataclass(frozen=True)
class ServiceFlags:
    """Where the service is, and how to print what it says.

    Attributes:
        url: Where the service listens.
        token: Bearer token. Other users of this machine see flags: better set TXTRACK_TOKEN.
        as_json: Print JSON: one document, or one line for each of many.
    """

    url: Annotated[str, Parameter(env_var="TXTRACK_URL", group=_GROUP)] = DEFAULT_URL
    token: Annotated[
        str | None, Parameter(env_var="TXTRACK_TOKEN", group=_GROUP, show_default=False)
    ] = field(default=None, repr=False)
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False

    def api(self) -> Api:
        """Make a client; use it in an ``async with`` block."""
        return Api(self.url, self.token)


def transaction_path(transaction: str) -> str:
    """Give the path of a transaction, whatever its id is made of."""
    return f"v1/transactions/{quote(transaction, safe='')}"
