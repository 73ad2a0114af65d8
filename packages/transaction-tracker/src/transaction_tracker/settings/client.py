"""Where the commands find a running service, and the token that they show it."""

from typing import Annotated, Any

from pydantic import AfterValidator, PlainSerializer, PlainValidator
from yarl import URL

from transaction_tracker.settings.options import option
from transaction_tracker.settings.sections import Section
from transaction_tracker.sources.http_polling import SecretText

SERVICE_URL = "an address such as http://127.0.0.1:8080, without user and password"


def service_url(text: str) -> URL:
    """Parse the address of a service, to which paths of its API can be joined.

    Raises:
        ValueError: It is not an http(s) URL, or holds a user or a password.
    """
    url = URL(text)
    usable = url.scheme in ("http", "https") and url.host and url.port is not None
    if not usable or url.user or url.password:
        raise ValueError(f"must be {SERVICE_URL}")
    return url if url.path.endswith("/") else url.with_path(f"{url.path}/")


def check_token(text: str) -> None:
    """Raise ``ValueError`` unless a token can stand in a header; the message does not show it."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("holds characters that no token has")


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
