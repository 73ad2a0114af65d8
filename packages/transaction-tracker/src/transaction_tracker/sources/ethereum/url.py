"""A provider's address, which is a secret: its path and its user part hold keys."""

from yarl import URL

from transaction_tracker.net.url import has_plain_place

HTTP = ("http", "https")
WEBSOCKET = ("ws", "wss")
_SHORTEST_KEY = 6  # anything shorter is a word like "v3"


class SecretUrl:
    """An address that never prints more than its host.

    Args:
        text: The whole address.
        schemes: How it may begin: ``HTTP`` or ``WEBSOCKET``.

    Raises:
        ValueError: The text is no such address. The message does not repeat it.
    """

    __slots__ = ("_url",)

    def __init__(self, text: str, schemes: tuple[str, str] = HTTP) -> None:
        try:
            url = URL(text)
            usable = url.scheme in schemes and bool(url.host) and url.port is not None
            usable = usable and has_plain_place(text)
        except (ValueError, TypeError):
            usable = False
        if not usable:
            plain, secure = schemes
            # No cause either: it would print what was given.
            raise ValueError(
                f"a node's URL must look like {plain}://host:port or {secure}://host/key"
            ) from None
        self._url = url

    @classmethod
    def of(cls, value: "str | SecretUrl", schemes: tuple[str, str] = HTTP) -> "SecretUrl":
        """Take a URL in either form."""
        if not isinstance(value, SecretUrl):
            return cls(value, schemes)
        return value if value._url.scheme in schemes else cls("", schemes)

    @property
    def host(self) -> str:
        """The host's name or address: all that may be told of a provider."""
        return self._url.host or ""

    def reveal(self) -> URL:
        """Give the whole address, to connect to and for nothing else."""
        return self._url

    def redact(self, text: str) -> str:
        """Take the secret parts out of a text that somebody else wrote."""
        parts = [
            *self._url.raw_parts,
            *self._url.parts,
            *self._url.query.values(),
            self._url.user,
            self._url.password,
        ]
        for part in parts:
            if part is not None and len(part) >= _SHORTEST_KEY:
                text = text.replace(part, "…")
        return text

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
