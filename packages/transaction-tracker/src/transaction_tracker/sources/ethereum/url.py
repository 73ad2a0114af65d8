"""URL of a provider. It is a secret, because its path, query and user part can hold keys."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from yarl import URL

from transaction_tracker.net.url import has_plain_authority

HTTP = ("http", "https")
WEBSOCKET = ("ws", "wss")
MIN_KEY_CHARACTERS = 6  # a shorter part is a word such as "v3"


class SecretUrl:
    """URL that prints only its scheme, host and port.

    Args:
        text: The whole URL.
        schemes: Allowed schemes: ``HTTP`` or ``WEBSOCKET``.

    Raises:
        ValueError: The text is not a valid URL. The message does not contain it.
    """

    __slots__ = ("_keys", "_url")

    def __init__(self, text: str, schemes: tuple[str, str] = HTTP) -> None:
        url, keys = URL(), set[str]()
        try:
            url = URL(text)
            usable = url.scheme in schemes and bool(url.host) and url.port is not None
            usable = usable and has_plain_authority(text)
            keys = {key for key in _keys(text, url) if len(key) >= MIN_KEY_CHARACTERS}
        except (ValueError, TypeError):
            usable = False
        if not usable:
            plain, secure = schemes
            # Without a cause, because the cause would print the URL.
            raise ValueError(
                f"a node's URL must look like {plain}://host:port or {secure}://host/key"
            ) from None
        self._url = url
        # The longest key first: if a key starts with another key, none of its rest remains.
        by_length = sorted(keys, key=len, reverse=True)
        self._keys = re.compile("|".join(map(re.escape, by_length))) if keys else None

    @classmethod
    def of(cls, value: "str | SecretUrl", schemes: tuple[str, str] = HTTP) -> "SecretUrl":
        """Return a URL given in either form as a ``SecretUrl``."""
        if not isinstance(value, SecretUrl):
            return cls(value, schemes)
        return value if value._url.scheme in schemes else cls("", schemes)

    @property
    def host(self) -> str:
        """Host name or address, the only part of the URL that is public."""
        return self._url.host or ""

    @property
    def authority(self) -> str:
        """Host and port. They contain no secret, and do not change with a key."""
        return f"{self._url.host_subcomponent}:{self._url.port}"

    def reveal(self) -> URL:
        """Return the whole URL; use it only to connect."""
        return self._url

    def redact(self, text: str) -> str:
        """Replace user, password, path and query of the URL in an external text."""
        return text if self._keys is None else self._keys.sub("…", text)

    def __str__(self) -> str:
        port = "" if self._url.is_default_port() else f":{self._url.port}"
        hidden = "/…" if self._url.path not in ("", "/") or self._url.query_string else ""
        return f"{self._url.scheme}://{self._url.host_subcomponent}{port}{hidden}"

    def __repr__(self) -> str:
        return f"SecretUrl({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretUrl) and self._url == other._url

    def __hash__(self) -> int:
        return hash(self._url)


def _keys(text: str, url: URL) -> Iterator[str]:
    """Yield the parts of a URL that can be keys: as configured, as sent and decoded.

    A node can repeat any of these forms in an error.
    """
    written = urlsplit(text)
    parts = [
        *(written.username, written.password, *written.path.split("/"), *_values(written.query)),
        *(url.raw_user, url.raw_password, *url.raw_parts, *_values(url.raw_query_string)),
    ]
    for part in parts:
        if part:
            yield from (part, unquote(part))
    yield from url.query.values()  # "+" is a space there


def _values(query: str) -> Iterator[str]:
    """Yield the values of a query; a name without a value can be a key itself."""
    for item in query.split("&"):
        name, equals, value = item.partition("=")
        yield value if equals else name
