"""Authentication by bearer tokens, scopes, and a limit on wrong tokens."""

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from transaction_tracker.api.addresses import client_address, counted_as
from transaction_tracker.api.dashboard import FILES, OBSERVER_PATHS
from transaction_tracker.api.problems import ProblemError, too_many
from transaction_tracker.store import Store
from transaction_tracker.store.access import (
    SCOPES,
    Scope,
    Token,
    list_tokens,
    match_token,
    touch_token,
)

# These paths need no token: they contain no data. The dashboard asks for a token before it
# requests any.
PUBLIC = frozenset(("/healthz", "/readyz", "/openapi.json", "/docs", *FILES, *OBSERVER_PATHS))
_READING = frozenset(("GET", "HEAD"))

# The delay until a token that another program created or revoked takes effect.
REFRESH_SECONDS = 5.0
TOUCH_SECONDS = 600.0

# While the database does not answer, the tokens that were loaded last are used: the routes that
# need no database (metrics, alerts) show the problem.
_DATABASE_TIMEOUT_SECONDS = 2.0

WINDOW_SECONDS = 60.0
_MAX_ADDRESSES = 10_000

_LOCAL_NAMES = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?", re.IGNORECASE)
# "none" is a typed URL or a client other than a browser, "same-origin" the dashboard.
_OWN_SITES = ("none", "same-origin")
_BEARER = Security(
    HTTPBearer(auto_error=False, description="A token created with `txtrack token create`.")
)


@dataclass(frozen=True, slots=True)
class Principal:
    """The authenticated client of a request.

    Attributes:
        id: Id of the token; empty if no token is needed.
        scopes: Scopes of the token.
    """

    id: str
    scopes: frozenset[Scope]

    def allows(self, scope: Scope) -> bool:
        """Return whether the token has ``scope``, or ``admin``, which includes all scopes."""
        return scope in self.scopes or "admin" in self.scopes


ANYBODY = Principal("", frozenset(SCOPES))


@dataclass(slots=True)
class Failures:
    """Numbers of wrong tokens in the last minute, for a bounded number of addresses.

    Times are seconds of any one clock.

    Attributes:
        limit: Number of wrong tokens after which an address is blocked.
    """

    limit: int
    _by_address: dict[str, tuple[int, float]] = field(default_factory=dict)

    def blocked(self, address: str, now: float) -> float | None:
        """Return for how many seconds this address stays blocked; ``None`` if it is not."""
        count, since = self._by_address.get(address, (0, now))
        left = since + WINDOW_SECONDS - now
        return left if count >= self.limit and left > 0 else None

    def add(self, address: str, now: float) -> None:
        """Count a wrong token."""
        count, since = self._by_address.pop(address, (0, now))
        if now - since >= WINDOW_SECONDS:
            count, since = 0, now
        self._by_address[address] = (count + 1, since)
        if len(self._by_address) > _MAX_ADDRESSES:
            del self._by_address[next(iter(self._by_address))]


class Tokens:
    """The tokens in the database, cached for ``REFRESH_SECONDS``.

    Args:
        load: Function that loads all tokens.
        clock: Monotonic clock, in seconds.
    """

    def __init__(
        self,
        load: Callable[[], Awaitable[list[Token]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._clock = clock
        self._known: list[Token] = []
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    async def all(self) -> list[Token]:
        """Return all tokens."""
        if self._stale():
            async with self._reading:  # one request loads the tokens, the others wait for it
                if self._stale():
                    await self._refresh()
        return self._known

    async def accept(self, principal: Principal) -> bool:
        """Return whether a client of a long request is still authorized."""
        if principal is ANYBODY:
            return not await self.all()
        now = time.time()
        return any(token.id == principal.id and token.usable(now) for token in await self.all())

    def forget(self) -> None:
        """Clear the cache, after a token was created or revoked."""
        self._read_at = None

    def expire(self) -> None:
        """Load the tokens at the next request; until then, the known ones are still right."""
        self._read_at = -math.inf

    async def _refresh(self) -> None:
        # Never without tokens to fall back on, nor after a change by this API: then the known ones
        # are wrong, and the request waits.
        seconds = None if self._read_at is None else _DATABASE_TIMEOUT_SECONDS
        try:
            async with asyncio.timeout(seconds):
                self._known = await self._load()
        except TimeoutError:
            if seconds is None:
                raise
        self._read_at = self._clock()

    def _stale(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at > REFRESH_SECONDS


async def load_tokens() -> list[Token]:
    """Load all tokens from the store."""
    return await Store.run(list_tokens)


class Authentication:
    """Middleware: admit requests with a valid token, or local requests if there is no token.

    A revoked token stays in the database and still counts, so revoking the last token does not
    admit requests without a token again.

    Args:
        app: Inner application.
        is_local: Whether the API listens on a loopback address.
        tokens: Tokens in the database.
        max_failures: Number of wrong tokens per minute after which an address is blocked.
    """

    def __init__(self, app: ASGIApp, is_local: bool, tokens: Tokens, max_failures: int) -> None:
        self._app = app
        self._is_local = is_local
        self._tokens = tokens
        self._failures = Failures(max_failures)
        # Clients behind one proxy share an address. A client that was accepted before stays
        # accepted while its address is blocked, so that a guesser cannot lock it out.
        self._recently_accepted: dict[tuple[str, str], None] = {}

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["path"] not in PUBLIC:
            scope["state"]["principal"] = await self._principal(scope)
        elif scope["method"] not in _READING:
            # Raised here, before the body is read: the client has shown no token.
            raise _only_read()
        await self._app(scope, receive, send)

    async def _principal(self, scope: Connection) -> Principal:
        headers = Headers(scope=scope)
        known = await self._tokens.all()
        if self._is_local and not known:
            check_local(headers)
            return ANYBODY
        text = _presented(headers)
        token = self._checked(text, known, _address(scope))
        await self._touch(token)
        return Principal(token.id, token.scopes)

    def _checked(self, text: str, known: list[Token], address: str) -> Token:
        now = time.monotonic()
        token = match_token(text, known)
        valid = token is not None and token.usable(time.time())
        wait = self._failures.blocked(address, now)
        known_client = token and valid and (address, token.id) in self._recently_accepted
        if wait is not None and not known_client:
            detail = "too many wrong tokens from this address; wait, then send a valid token"
            raise too_many(detail, kind="too-many-failures", retry_after=wait)
        if token is None or not valid:
            self._failures.add(address, now)
            raise unauthorized("the token is unknown, expired or revoked", error="invalid_token")
        self._remember(address, token.id)
        return token

    def _remember(self, address: str, token: str) -> None:
        self._recently_accepted[address, token] = None
        if len(self._recently_accepted) > _MAX_ADDRESSES:
            del self._recently_accepted[next(iter(self._recently_accepted))]

    async def _touch(self, token: Token) -> None:
        if token.last_used_at is None or time.time() - token.last_used_at > TOUCH_SECONDS:
            with suppress(TimeoutError):
                async with asyncio.timeout(_DATABASE_TIMEOUT_SECONDS):
                    await Store.run(partial(touch_token, token=token.id))
                    self._tokens.expire()


def needs(scope: Scope) -> Callable[..., Awaitable[None]]:
    """Return a dependency that raises a problem unless the token has ``scope``."""

    async def check(
        request: Request, _token: HTTPAuthorizationCredentials | None = _BEARER
    ) -> None:
        principal: Principal = request.state.principal
        if not principal.allows(scope):
            raise ProblemError(403, f"the token must have the scope {scope!r}", kind="scope")

    return check


def check_local(headers: Headers) -> None:
    """Raise a problem for a request of another web page, as long as there are no tokens.

    A web page in this machine's browser can send requests to loopback addresses, also under a
    host name that resolves to one (DNS rebinding). Only the dashboard is allowed. It only reads,
    and for such requests a browser sends no ``Origin``; pages of another port are ``same-site``.
    """
    if not _LOCAL_NAMES.fullmatch(headers.get("host", "")):
        detail = "without tokens, the host must be localhost or a loopback address"
        raise ProblemError(403, detail)
    if "origin" in headers or headers.get("sec-fetch-site", "none") not in _OWN_SITES:
        raise ProblemError(403, "without tokens, the dashboard is the only web page allowed")


def unauthorized(detail: str, *, error: str | None = None) -> ProblemError:
    """Return the problem of a missing or invalid token.

    Source:
        RFC 6750, section 3.
    """
    challenge = 'Bearer realm="transaction-tracker"'
    if error is not None:
        challenge += f', error="{error}"'
    return ProblemError(401, detail, headers={"WWW-Authenticate": challenge})


def _only_read() -> ProblemError:
    allowed = ", ".join(sorted(_READING))
    return ProblemError(405, "method not allowed; see the Allow header", headers={"Allow": allowed})


def _presented(headers: Headers) -> str:
    given = headers.getlist("authorization")
    if len(given) != 1:
        raise unauthorized("send one header Authorization: Bearer txt_…")
    scheme, _, text = given[0].partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized("send a bearer token: Authorization: Bearer txt_…")
    return text.strip()


def _address(scope: Connection) -> str:
    """Return the key under which failures count: an IPv4 address, or an IPv6 network (/64)."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        return counted_as(client_address(host))
    except ValueError:
        return str(host)
