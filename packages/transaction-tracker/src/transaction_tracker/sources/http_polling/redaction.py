"""What takes a service's keys out of texts that somebody else wrote."""

import json
import re
from collections.abc import Callable, Iterable, Iterator

from yarl import URL

from transaction_tracker.sources.http_polling.secret import SecretText

Redact = Callable[[str], str]

# Anything shorter is a word like "v3" or "en", which would spoil every line that it is a part of.
_SHORTEST = 6
_GAP = re.compile(r"\{[a-z]+\}")


def without(secrets: Iterable[str]) -> Redact:
    """Give what takes secrets out of a text, as they are and as JSON writes them."""
    forms = {form for secret in secrets for form in _forms(secret)}
    if not forms:
        return str
    # The longest first: of two that begin alike, nothing is left over.
    by_length = sorted(forms, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, by_length)))
    return lambda text: pattern.sub("…", text)


def keys(headers: Iterable[SecretText], addresses: Iterable[str]) -> Iterator[str]:
    """Find what may be a key in what a service is asked with.

    Args:
        headers: The values of all headers.
        addresses: All addresses, with or without their gaps.
    """
    for value in headers:
        yield from filter(_is_long, _of_header(value.reveal()))
    for address in addresses:
        yield from filter(_is_long, _of_address(_GAP.sub("", address)))


def _of_header(text: str) -> Iterator[str]:
    # A key may stand after a word such as Bearer.
    yield from (text, *text.split())


def _of_address(text: str) -> Iterator[str]:
    """Find what is asked for, and parts of the path that are no plain words.

    As written in the option, as it is sent, and decoded: a service may repeat any of these.
    """
    url = URL(text)
    place, _, query = text.partition("?")
    paths = (*place.split("/")[3:], *url.raw_parts, *url.parts)
    yield from (one for one in paths if re.search("[0-9]", one))
    yield from url.query.values()
    yield from _values(query)
    yield from _values(url.raw_query_string)


def _values(query: str) -> Iterator[str]:
    """Give the values of a query as they are written; one without a name is a value too."""
    for one in query.split("&"):
        name, equals, value = one.partition("=")
        yield value if equals else name


def _is_long(text: str) -> bool:
    return len(text) >= _SHORTEST


def _forms(secret: str) -> Iterator[str]:
    yield secret
    # A line of the log may be JSON, in which a quote and a backslash are escaped.
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
