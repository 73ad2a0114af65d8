"""What takes a configuration's secrets out of texts that somebody else wrote."""

import re
from collections.abc import Callable, Iterable, Iterator

from yarl import URL

from transaction_tracker.settings import Configuration, HttpSection

Redact = Callable[[str], str]

# Anything shorter is a word like "v3" or "en", which would spoil every line that it is a part of.
_SHORTEST = 6
_GAP = re.compile(r"\{[a-z]+\}")


def redactors(configuration: Configuration) -> list[Redact]:
    """Give what takes the configuration's secrets out of a text, such as a line of the logs."""
    urls = [url for one in configuration.providers for url in (one.url, one.ws_url) if url]
    found: list[Redact] = [url.redact for url in urls]
    password = configuration.database.url.reveal().password
    secrets = [password] if password else []
    if configuration.http is not None:
        secrets += _of_headers(configuration.http)
        secrets += _of_addresses(configuration.http)
    if secrets:
        found.append(_without(secrets))
    return found


def _without(secrets: Iterable[str]) -> Redact:
    # The longest first: of two that begin alike, nothing is left over.
    longest_first = sorted(set(secrets), key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return lambda text: pattern.sub("…", text)


def _of_headers(section: HttpSection) -> Iterator[str]:
    """Find the keys in headers, which may stand after a word such as Bearer."""
    for value in section.headers.values():
        text = value.reveal()
        yield from (one for one in (text, *text.split()) if len(one) >= _SHORTEST)


def _of_addresses(section: HttpSection) -> Iterator[str]:
    """Find what may be a key in addresses: what is asked for, and parts that are no plain words."""
    for url in (URL(_GAP.sub("", text.reveal())) for _, _, text in section.addresses()):
        paths = (*url.raw_parts, *url.parts)
        yield from (one for one in paths if len(one) >= _SHORTEST and re.search("[0-9]", one))
        yield from (one for one in url.query.values() if len(one) >= _SHORTEST)
