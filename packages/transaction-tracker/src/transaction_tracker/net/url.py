"""URLs that somebody gave us to ask: what may stand in them."""

import re
from ipaddress import IPv4Address, ip_address

from yarl import URL

from transaction_tracker.net.addresses import Address, AllowList
from transaction_tracker.net.errors import ForbiddenUrlError

LONGEST_URL = 2_048
_LONGEST_HOST = 253

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# The C library takes names that end so for addresses: 1, 0x7f.1, 0177.0.0.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL_NAMES = ("localhost", "local", "internal")

# Those below 1024 are other protocols', which an HTTP request can be made to speak.
_LOWEST_FREE_PORT = 1_024
# What stands between the slashes and the path.
_AUTHORITY = re.compile(r"[/?#]")
# A host or an IPv6 address, and a port: readers of URLs also take 4_43, +443 and digits of other
# scripts for one, and [v1.x] for a host of the name v1.x.
_PLACE = re.compile(r"(?:\[[^][]*:[^][]*\]|[^][:]+)(?::[0-9]{1,5})?")
_SHAPE = "a URL must look like https://host/path"


def checked_url(text: str, allowed: AllowList) -> URL:
    """Read a URL that may be asked, its host in its one form.

    The name's addresses are checked when a connection is made, which is the only moment that
    counts: they may be others then.

    Args:
        text: The URL.
        allowed: What may be asked although it is not public.

    Raises:
        ForbiddenUrlError: It may not be asked; the message says why, and does not repeat it.
    """
    url = _parsed(text)
    host = _host(url.raw_host or "")
    literal = _literal(host)
    _check_place(host, literal, allowed)
    by_hand = host in allowed.hosts or (literal is not None and allowed.allows(literal))
    _check_scheme(url, by_hand)
    _check_port(url, by_hand)
    return url.with_host(host)


def has_plain_place(text: str) -> bool:
    """Return whether a URL names its host and its port in the one plain way."""
    parts = _AUTHORITY.split(text)
    place = parts[2].rpartition("@")[2] if len(parts) > 2 else ""
    return _PLACE.fullmatch(place) is not None


def _parsed(text: str) -> URL:
    if not isinstance(text, str) or len(text) > LONGEST_URL:
        raise ForbiddenUrlError(f"a URL must have at most {LONGEST_URL} characters")
    if not text.isprintable() or " " in text:
        # Before anything reads it: some readers leave such characters out.
        raise ForbiddenUrlError("a URL must have no spaces and no control characters")
    try:
        url = URL(text)
        usable = url.scheme in ("http", "https") and bool(url.raw_host)
    except ValueError:
        usable = False
    if not usable:
        raise ForbiddenUrlError(_SHAPE)  # no cause either: it would print what was given
    if "@" in _AUTHORITY.split(text)[2]:
        raise ForbiddenUrlError("a URL must have no user and no password; use a secret path")
    if not has_plain_place(text):
        raise ForbiddenUrlError(
            "a URL's host must be a name, an IPv4 address or an IPv6 address in brackets, and its "
            "port a number of decimal digits"
        )
    if url.raw_fragment or "#" in text:
        raise ForbiddenUrlError("a URL must have no fragment: what follows a # is never sent")
    return url


def _host(raw: str) -> str:
    host = raw.lower()
    if ":" in host:
        return host
    host = host.removesuffix(".")
    labels = host.split(".")
    if len(host) > _LONGEST_HOST or not all(_LABEL.fullmatch(label) for label in labels):
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


def _check_place(host: str, literal: Address | None, allowed: AllowList) -> None:
    if ":" in host and (literal is None or "%" in host):
        raise ForbiddenUrlError("an IPv6 address in a URL must have no zone")
    if literal is not None and (refusal := allowed.refusal(literal)) is not None:
        raise ForbiddenUrlError(f"{literal} may not be asked: the address is {refusal}")
    if host in allowed.hosts:
        return
    for name in _LOCAL_NAMES:
        if host == name or host.endswith(f".{name}"):
            raise ForbiddenUrlError(
                f"a host under {name!r} may not be asked unless the allow list names it"
            )


def _check_scheme(url: URL, by_hand: bool) -> None:
    if url.scheme != "https" and not by_hand:
        raise ForbiddenUrlError("a URL must begin with https:// unless the allow list has its host")


def _check_port(url: URL, by_hand: bool) -> None:
    port = url.port or 0
    if url.is_default_port() or port >= _LOWEST_FREE_PORT or (by_hand and port > 0):
        return
    raise ForbiddenUrlError(f"a URL's port must be 443 or at least 1024, got {port}")
