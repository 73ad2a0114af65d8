"""Check the URLs that users configure."""

import re
from ipaddress import IPv4Address, ip_address

from yarl import URL

from transaction_tracker.net.addresses import Address, AllowList, can_be_allowed
from transaction_tracker.net.errors import ForbiddenUrlError

MAX_URL_CHARACTERS = 2_048
_MAX_HOST_CHARACTERS = 253

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# The C library reads a host whose last label is a number as an address: 1, 0x7f.1, 0177.0.0.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL_NAMES = ("localhost", "local", "internal")

# Ports below 1024 belong to other protocols. An HTTP request that contains the text of such a
# protocol could attack its server.
_MIN_UNPRIVILEGED_PORT = 1_024
# The third part of a split URL is its authority: user, host and port.
_DELIMITER = re.compile(r"[/?#]")
# A host or an IPv6 address in brackets, and a port. URL parsers also accept 4_43, +443 and digits
# of other scripts as a port, and [v1.x] as the host v1.x.
_HOST_AND_PORT = re.compile(r"(?:\[[^][]*:[^][]*\]|[^][:]+)(?::[0-9]{1,5})?")
_SHAPE = "a URL must look like https://host/path"


def checked_url(text: str, allowed: AllowList) -> URL:
    """Return the parsed URL with a normalized host, if requests to the URL are allowed.

    The addresses of a host name are checked when a connection is made, not here: the name can
    resolve to other addresses by then.

    Args:
        text: URL to check.
        allowed: Exceptions to the rule that only public hosts are allowed.

    Raises:
        ForbiddenUrlError: Requests to the URL are not allowed. The message says why, and does
            not repeat the URL.
    """
    url = _parse(text)
    host = _host(url.raw_host or "")
    literal = _literal(host)
    _check_host(host, literal, allowed)
    exempt = host in allowed.hosts or (literal is not None and allowed.allows(literal))
    _check_scheme(url, exempt)
    _check_port(url, exempt)
    return url.with_host(host)


def has_plain_authority(text: str) -> bool:
    """Return whether the host and port of a URL have a form that all parsers read alike."""
    parts = _DELIMITER.split(text)
    return is_plain_authority(parts[2].rpartition("@")[2] if len(parts) > 2 else "")


def is_plain_authority(host_and_port: str) -> bool:
    """Return whether a host and port have a form that all parsers read alike."""
    return _HOST_AND_PORT.fullmatch(host_and_port) is not None


def _parse(text: str) -> URL:
    if not isinstance(text, str) or len(text) > MAX_URL_CHARACTERS:
        raise ForbiddenUrlError(f"a URL must have at most {MAX_URL_CHARACTERS} characters")
    if not text.isprintable() or " " in text:
        # Checked before the URL is parsed: some parsers remove such characters.
        raise ForbiddenUrlError("a URL must have no spaces and no control characters")
    url = URL()
    try:
        url = URL(text)
        usable = url.scheme in ("http", "https") and bool(url.raw_host)
    except ValueError:
        usable = False
    if not usable:
        # Raised outside the except block: the chained error would print the URL.
        raise ForbiddenUrlError(_SHAPE)
    if "@" in _DELIMITER.split(text)[2]:
        raise ForbiddenUrlError("a URL must have no user and no password; use a secret path")
    if not has_plain_authority(text):
        raise ForbiddenUrlError(
            "a URL's host must be a name, an IPv4 address or an IPv6 address in brackets, and its "
            "port a number of decimal digits"
        )
    if url.raw_fragment or "#" in text:
        raise ForbiddenUrlError("a URL must have no fragment: text after a # is never sent")
    return url


def _host(raw: str) -> str:
    host = raw.lower()
    if ":" in host:
        return host
    host = host.removesuffix(".")
    labels = host.split(".")
    if len(host) > _MAX_HOST_CHARACTERS or not all(_LABEL.fullmatch(label) for label in labels):
        raise ForbiddenUrlError("a URL's host must be a name such as hooks.example.com")
    if _NUMBER.fullmatch(labels[-1]) and not _is_canonical(host):
        raise ForbiddenUrlError("an address in a URL must be written as four decimal numbers")
    return host


def _is_canonical(host: str) -> bool:
    try:
        return str(IPv4Address(host)) == host
    except ValueError:
        return False


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _check_host(host: str, literal: Address | None, allowed: AllowList) -> None:
    if ":" in host and (literal is None or "%" in host):
        raise ForbiddenUrlError("an IPv6 address in a URL must have no zone")
    if literal is not None and (refusal := allowed.refusal(literal)) is not None:
        raise ForbiddenUrlError(
            f"{literal} is not allowed: the address is {refusal}",
            can_be_allowed=can_be_allowed(literal),
        )
    if host in allowed.hosts:
        return
    for name in _LOCAL_NAMES:
        if host == name or host.endswith(f".{name}"):
            raise ForbiddenUrlError(
                f"a host under {name!r} is not allowed unless it is in the allow list",
                can_be_allowed=True,
            )


def _check_scheme(url: URL, exempt: bool) -> None:
    if url.scheme != "https" and not exempt:
        raise ForbiddenUrlError(
            "a URL must begin with https:// unless its host is in the allow list",
            can_be_allowed=True,
        )


def _check_port(url: URL, exempt: bool) -> None:
    port = url.port or 0
    if url.is_default_port() or port >= _MIN_UNPRIVILEGED_PORT or (exempt and port > 0):
        return
    raise ForbiddenUrlError(
        f"a URL's port must be 443 or at least {_MIN_UNPRIVILEGED_PORT}, got {port}"
    )
