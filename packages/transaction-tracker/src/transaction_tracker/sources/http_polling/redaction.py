"""Remove a service's secrets from texts that the service or a library wrote."""

import json
import re
from collections.abc import Callable, Iterable, Iterator

from yarl import URL

from transaction_tracker.sources.http_polling.secret import SecretText

Redact = Callable[[str], str]

# Shorter parts are words such as "v3" or "en", which also occur in unrelated text.
_MIN_SECRET_CHARACTERS = 6
_PLACEHOLDER = re.compile(r"\{[a-z]+\}")


def redactor(secrets: Iterable[str]) -> Redact:
    """Return a function that removes secrets from a text, also in their JSON form."""
    forms = {form for secret in secrets for form in _forms(secret)}
    if not forms:
        return str
    # The longest first: if one secret is the start of another, the rest of the longer one would
    # remain.
    by_length = sorted(forms, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, by_length)))
    return lambda text: pattern.sub("…", text)


def keys(headers: Iterable[SecretText], addresses: Iterable[str]) -> Iterator[str]:
    """Yield the parts of headers and URLs that can be secrets.

    Args:
        headers: Values of all headers.
        addresses: All URLs, with or without their placeholders.
    """
    for value in headers:
        yield from filter(_is_long, _of_header(value.reveal()))
    for address in addresses:
        yield from filter(_is_long, _of_address(_PLACEHOLDER.sub("", address)))


def _of_header(text: str) -> Iterator[str]:
    # A secret can follow a word such as Bearer.
    yield from (text, *text.split())


def _of_address(text: str) -> Iterator[str]:
    """Yield the values of the query, and the parts of the path that contain a digit.

    Each in three forms: as configured, as sent, and decoded. A service can repeat any of them.
    """
    url = URL(text)
    place, _, query = text.partition("?")
    paths = (*place.split("/")[3:], *url.raw_parts, *url.parts)
    yield from (part for part in paths if re.search("[0-9]", part))
    yield from url.query.values()
    yield from _values(query)
    yield from _values(url.raw_query_string)


def _values(query: str) -> Iterator[str]:
    """Yield the encoded values of a query; a parameter without ``=`` is a value too."""
    for parameter in query.split("&"):
        name, equals, value = parameter.partition("=")
        yield value if equals else name


def _is_long(text: str) -> bool:
    return len(text) >= _MIN_SECRET_CHARACTERS


def _forms(secret: str) -> Iterator[str]:
    yield secret
    # In a log line in JSON, quotes and backslashes are escaped.
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
