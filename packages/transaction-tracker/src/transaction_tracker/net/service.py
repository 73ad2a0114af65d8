"""The address of a running service, and the token that it is shown: what may stand in them."""

from yarl import URL

from transaction_tracker.net.url import has_plain_authority

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


def check_token(text: str) -> None:
    """Raise ``ValueError`` unless a token can stand in a header; the message does not show it."""
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("holds characters that no token has")
