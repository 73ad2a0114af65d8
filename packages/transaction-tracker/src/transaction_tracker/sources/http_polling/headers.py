"""Check the headers that users configure; each value is treated as a secret."""

import re
from collections.abc import Mapping

from transaction_tracker.sources.http_polling.secret import SecretText

MAX_HEADER_CHARACTERS = 8_000

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# Headers that the HTTP client sets.
_RESERVED = (
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-none-match",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)


def check_headers(headers: Mapping[str, str | SecretText] | None) -> dict[str, SecretText]:
    """Return the headers with their values as secrets.

    Raises:
        ValueError: A name or a value cannot be sent. The message never contains a value.

    Source:
        RFC 9110, section 5.
    """
    if headers is not None and not isinstance(headers, Mapping):
        raise ValueError("headers must be a mapping of names to values")
    checked: dict[str, SecretText] = {}
    for name, value in (headers or {}).items():
        _check_name(name)
        checked[name] = _checked_value(name, value)
    return checked


def _check_name(name: object) -> None:
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ValueError(f"headers must have names such as Authorization, got {name!r}")
    if name.lower() in _RESERVED:
        raise ValueError(f"headers must not contain {name}: the HTTP client sets it")


def _checked_value(name: str, value: str | SecretText) -> SecretText:
    try:
        secret = SecretText.of(value)
    except TypeError as error:
        raise ValueError(f"headers[{name!r}]: {error}") from None
    text = secret.reveal()
    if not (0 < len(text) <= MAX_HEADER_CHARACTERS and text.isascii() and text.isprintable()):
        raise ValueError(
            f"headers[{name!r}] must be 1 to {MAX_HEADER_CHARACTERS} printable ASCII characters"
        )
    return secret
