"""Headers that a service wants with each request: secrets, all of them."""

import re
from collections.abc import Mapping

from transaction_tracker.sources.http_polling.secret import SecretText

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_LONGEST_VALUE = 8_000
# What is ours to say.
_OURS = (
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
    """Take headers, or say what is wrong with one; never its value.

    Raises:
        ValueError: A name or a value cannot be sent.

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
    if name.lower() in _OURS:
        raise ValueError(f"headers must leave {name} out: the client says that itself")


def _checked_value(name: str, value: str | SecretText) -> SecretText:
    try:
        secret = SecretText.of(value)
    except TypeError as error:
        raise ValueError(f"headers[{name!r}]: {error}") from None
    text = secret.reveal()
    if not (0 < len(text) <= _LONGEST_VALUE and text.isascii() and text.isprintable()):
        raise ValueError(
            f"headers[{name!r}] must be 1 to {_LONGEST_VALUE} printable ASCII characters"
        )
    return secret
