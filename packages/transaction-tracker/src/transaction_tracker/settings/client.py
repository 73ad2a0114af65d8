"""Options of the commands that send requests to a running service."""

from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator

from transaction_tracker.net.service import SERVICE_URL, check_token
from transaction_tracker.options import Section, option
from transaction_tracker.options.values import ServiceUrl
from transaction_tracker.sources.http_polling import SecretText


def _token(value: Any) -> SecretText:
    if not isinstance(value, str | SecretText):
        raise ValueError("not a text")
    token = SecretText.of(value)
    check_token(token.reveal())
    return token


def _hidden(_token: SecretText) -> str:
    return "…"


Token = Annotated[SecretText, PlainValidator(_token), PlainSerializer(_hidden, return_type=str)]


class ClientSection(Section):
    """Commands that send requests to a running service."""

    url: ServiceUrl | None = option(
        None,
        SERVICE_URL,
        "URL of the service. Default: this machine at web.port. TXTRACK_URL and --url override it.",
        # A URL with a password is an error, and the message must not show the password.
        secret=True,
    )
    token: Token | None = option(
        None,
        "a token from txtrack token create",
        "Bearer token for the service; never printed. TXTRACK_TOKEN and --token override it.",
        secret=True,
    )
