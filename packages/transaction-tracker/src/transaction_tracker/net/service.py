"""Addresses and tokens in settings: what may stand in them."""

from yarl import URL

from transaction_tracker.net.url import has_plain_authority

EXPLORER_URL = "an address with {id}, such as https://explorer.example/tx/{id}"
SERVICE_URL = "an address such as http://127.0.0.1:8080, without user and password"


def service_url(text: str) -> URL:
    """Parse the address of a service, to which paths of its API can be joined.

    Raises:
        ValueError: It is not an http(s) URL, or holds a user or a password.
    """
    url = URL(text)
    usable = url.scheme in ("http", "https") and url.host and url.port is not None
    if not usable or url.user or url.password or not has_plain_authority(text):
        raise ValueError(f"must be {SERVICE_URL}")
    return url if url.path.endswith("/") else url.with_path(f"{url.path}/")


def check_explorer_url(text: str) -> None:
    """Raise ``ValueError`` unless a text is an http(s) URL with ``{id}`` for a transaction's id.

    A browser must not run it: ``javascript:`` is also a URL.
    """
    url = URL(text)
    usable = url.scheme in ("http", "https") and url.host and "{id}" in text.partition("://")[2]
    if not usable or url.user or url.password or "{" in text.replace("{id}", ""):
        raise ValueError(f"must be {EXPLORER_URL}")


def check_token(text: str) -> None:
    """Raise ``ValueError`` unless a token can stand in a header; the message does not show it."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("holds characters that no token has")
