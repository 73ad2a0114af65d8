"""The outermost layer of the application: who can read, who can act, and the safe headers."""

import hmac
import re
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from beamish.observer.errors import RequestError, failed

MIN_TOKEN_CHARACTERS = 16
ACTION_HEADER = "X-Beamish-Action"
LOCAL_PEER = "beamish.local_peer"
"""Key of ``scope["state"]``: the user at the other end of a local socket, for the audit log."""

# The host of ``host:port``; an IPv6 address is in brackets.
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")

# "none" is a typed URL or a client other than a browser, "same-origin" the observer's own page.
_OWN_SITES = ("none", "same-origin")

_SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: ``localhost`` or a loopback address."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


class Token(str):
    """A token whose ``repr`` hides it: specifications of children are shown in logs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<token>"


def check_token(token: Any) -> None:
    """Raise if ``token`` is neither ``None`` nor long enough; the message does not contain it."""
    if token is None:
        return
    if not isinstance(token, str):
        raise TypeError(f"token must be a string or None; got {type(token).__qualname__}")
    if len(token) < MIN_TOKEN_CHARACTERS or not token.isascii() or not token.isprintable():
        raise ValueError(
            f"token must have at least {MIN_TOKEN_CHARACTERS} printable ASCII characters; got "
            f"{len(token)}: make one with secrets.token_urlsafe()"
        )


class Access:
    """Middleware: check each request, and add the safe headers to each response.

    Args:
        app: The inner application.
        token: What readers must send; ``None`` admits requests to loopback addresses only.
        authenticated: Whether the surrounding application has checked the request.
    """

    def __init__(self, app: ASGIApp, token: str | None, authenticated: bool) -> None:
        self._app = app
        self._token = token
        self._authenticated = authenticated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
        except RequestError as error:
            response = await failed(Request(scope), error)
            await response(scope, receive, send_safely)
            return
        await self._app(scope, receive, send_safely)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if self._authenticated or scope.get("state", {}).get(LOCAL_PEER):
            return
        if self._token is None:
            # A page of another site can make the browser connect to this machine under a name of
            # its own (DNS rebinding): then the header Host has that name.
            if not is_loopback(_hostname(headers.get("host", ""))):
                raise RequestError(
                    403, "without a token, the observer can be reached as localhost only"
                )
            # Such a page could not read the response, but each of its requests costs a walk over
            # all processes, and each stream takes the place of a viewer.
            if not _is_public(scope) and headers.get("sec-fetch-site", "none") not in _OWN_SITES:
                raise RequestError(403, "without a token, only the observer's own page is answered")
            return
        if not _is_public(scope) and not self._has_token(headers):
            raise RequestError(401, "a valid token is required", {"WWW-Authenticate": "Bearer"})

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, sent = headers.get("authorization", "").partition(" ")
        wanted = (self._token or "").encode()
        same = bool(hmac.compare_digest(sent.strip().encode(), wanted))
        return same and scheme.lower() == "bearer"


def _hostname(host: str) -> str:
    """Return the host of ``host:port``; empty if the text is neither."""
    found = _HOST.fullmatch(host)
    return "" if found is None else found[1]


def _is_public(scope: Scope) -> bool:
    # The page and its files contain no data, and a browser cannot send a token with them. Any other
    # path needs the token, also one that no route has: a server can set ``root_path`` in a way in
    # which a path of the API does not look like one here.
    path = str(scope["path"]).removeprefix(scope.get("root_path", ""))
    return path in ("", "/") or path.startswith("/assets/")


def check_action(request: Request, action: str) -> None:
    """Raise `RequestError` unless the request is from the observer's own page, or no browser's.

    A page of another site can send simple requests here, but it can neither add a header of its own
    nor change ``Sec-Fetch-Site`` and ``Origin``.
    """
    headers = request.headers
    if headers.get(ACTION_HEADER) != action:
        raise RequestError(403, f"confirm the action with the header {ACTION_HEADER}: {action}")
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise RequestError(403, "actions are accepted from the observer's own page only")
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2] != headers.get("host"):
        raise RequestError(403, "actions are accepted from the observer's own page only")


def peer(request: Request) -> str:
    """Return who sends a request, for the audit log."""
    local = request.scope.get("state", {}).get(LOCAL_PEER)
    if local:
        return str(local)
    return "unknown" if request.client is None else request.client.host
