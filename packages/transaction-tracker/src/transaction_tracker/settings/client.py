"""Where the commands find a running service, and the token that they show it."""

from typing import Annotated, Any

from pydantic import AfterValidator, PlainSerializer, PlainValidator

from transaction_tracker.net.service import SERVICE_URL, check_token, service_url
from transaction_tracker.settings.options import option
from transaction_tracker.settings.sections import Section
from transaction_tracker.sources.http_polling import SecretText


def _url(text: str) -> str:
    service_url(text)
    return text


def _token(value: Any) -> SecretText:
    if not isinstance(value, str | SecretText):
        raise ValueError("not a text")
    token = SecretText.of(value)
    check_token(token.reveal())
    return token


def _hidden(_token: SecretText) -> str:
    return "…"


ServiceUrl = Annotated[str, AfterValidator(_url)]
Token = Annotated[SecretText, PlainValidator(_token), PlainSerializer(_hidden, return_type=str)]


class ClientSection(Section):
    """The commands that talk to a running service."""

    url: ServiceUrl | None = option(
        None,
        SERVICE_URL,
        "Where the service is; without it, on this machine at web.port. TXTRACK_URL and --url "
        "count more.",
        # It is refused where it holds a password, which the error must not show.
        secret=True,
    )
    token: Token | None = option(
        None,
        "a token, as txtrack token create prints it",
        "The token to show to that service. TXTRACK_TOKEN and --token count more. It is never "
        "printed.",
        secret=True,
    )
