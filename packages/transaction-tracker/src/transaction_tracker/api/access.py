"""Who may do what: bearer tokens, and what is done about guessers."""

import asyncio
import ipaddress
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from transaction_tracker.api.dashboard import FILES
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

# Nobody needs a token to learn that the service lives, or how to ask it; nor for the page, which
# asks for one before it shows anything.
PUBLIC = frozenset(("/healthz", "/readyz", "/openapi.json", "/docs", *FILES))
_READING = frozenset(("GET", "HEAD"))

# A token that another program made or revoked is noticed after so long.
REFRESH_SECONDS = 5.0
TOUCH_SECONDS = 600.0

WINDOW_SECONDS = 60.0
_MAX_ADDRESSES = 10_000

_LOCAL_NAMES = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?", re.IGNORECASE)
_OWN_SITES = ("none", "same-origin")  # typed in or no browser at all; from our own page
_BEARER = Security(
    HTTPBearer(auto_error=False, description="A token made by `txtrack token create`.")
)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        id: The token's id; nothing where no token is needed.
        scopes: What it may do.
    """

    id: str
    scopes: frozenset[Scope]

    def allows(self, scope: Scope) -> bool:
        """Whether it may do what needs ``scope``."""
        return scope in self.scopes or "admin" in self.scopes


ANYBODY = Principal("", frozenset(SCOPES))


@dataclass(slots=True)
class Failures:
    """Wrong tokens of the last minute by address, of a bounded number of addresses.

    Time comes in as an argument, in seconds of any clock.

    Attributes:
        most: How many an address may send.
    """

    most: int
    _by_address: dict[str, tuple[int, float]] = field(default_factory=dict)

    def blocked(self, address: str, now: float) -> float | None:
        """Say for how many seconds this address is not listened to, if it is not."""
        count, since = self._by_address.get(address, (0, now))
        left = since + WINDOW_SECONDS - now
        return left if count >= self.most and left > 0 else None

    def add(self, address: str, now: float) -> None:
        """Count a wrong token."""
        count, since = self._by_address.pop(address, (0, now))
        if now - since >= WINDOW_SECONDS:
            count, since = 0, now
        self._by_address[address] = (count + 1, since)
        if len(self._by_address) > _MAX_ADDRESSES:
            del self._by_address[next(iter(self._by_address))]


class Tokens:
    """The tokens as the database has them, kept here for some seconds.

    Args:
        load: Reads them all.
        clock: Seconds that never go back.
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
        """List them."""
        if self._stale():
            async with self._reading:  # one reads, the others wait for it
                if self._stale():
                    self._known = await self._load()
                    self._read_at = self._clock()
        return self._known

    async def accept(self, principal: Principal) -> bool:
        """Say whether somebody who was let in would be still, for those who stay long."""
        if principal is ANYBODY:
            return not await self.all()
        now = time.time()
        return any(one.id == principal.id and one.usable(now) for one in await self.all())

    def forget(self) -> None:
        """Read them again next time: one was made or revoked."""
        self._read_at = None

    def _stale(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at > REFRESH_SECONDS


async def load_tokens() -> list[Token]:
    """Read all tokens from the store."""
    return await Store.run(list_tokens)


class Gate:
    """Let in who has a token; without any token in the database, who is on this machine.

    Once there has been a token, only tokens open: revoking the last one opens nothing.

    Args:
        app: What answers.
        is_local: Whether only this machine can reach us.
        tokens: The tokens there are.
        max_failures: Wrong tokens from one address in a minute.
    """

    def __init__(self, app: ASGIApp, is_local: bool, tokens: Tokens, max_failures: int) -> None:
        self._app = app
        self._is_local = is_local
        self._tokens = tokens
        self._failures = Failures(max_failures)
        # Behind a proxy all share an address: a guesser there must not lock the others out.
        self._welcome: dict[tuple[str, str], None] = {}

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["path"] not in PUBLIC:
            scope["state"]["principal"] = await self._principal(scope)
        elif scope["method"] not in _READING:
            # Here already: of who has shown no token, no body is read.
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
        good = token is not None and token.usable(time.time())
        wait = self._failures.blocked(address, now)
        if wait is not None and not (token and good and (address, token.id) in self._welcome):
            detail = "too many wrong tokens came from this address; wait, then send a right one"
            raise too_many(detail, kind="too-many-failures", retry_after=wait)
        if token is None or not good:
            self._failures.add(address, now)
            raise unauthorized("the token is unknown, expired or revoked", error="invalid_token")
        self._greet(address, token.id)
        return token

    def _greet(self, address: str, token: str) -> None:
        self._welcome[address, token] = None
        if len(self._welcome) > _MAX_ADDRESSES:
            del self._welcome[next(iter(self._welcome))]

    async def _touch(self, token: Token) -> None:
        if token.last_used_at is None or time.time() - token.last_used_at > TOUCH_SECONDS:
            await Store.run(partial(touch_token, token=token.id))
            self._tokens.forget()


def needs(scope: Scope) -> Callable[..., Awaitable[None]]:
    """Make a dependency that lets a request through whose token has ``scope``."""

    async def check(
        request: Request, _token: HTTPAuthorizationCredentials | None = _BEARER
    ) -> None:
        principal: Principal = request.state.principal
        if not principal.allows(scope):
            raise ProblemError(403, f"this needs a token with the scope {scope!r}", kind="scope")

    return check


def check_local(headers: Headers) -> None:
    """Refuse requests that a web page made, when there are no tokens to tell by.

    A page in this machine's browser reaches loopback addresses too, also under a name of its
    own that resolves to one (DNS rebinding). Only our own page is answered, which reads: a
    browser sends no ``Origin`` with that, and names a page of another port ``same-site``.
    """
    if not _LOCAL_NAMES.fullmatch(headers.get("host", "")):
        raise ProblemError(403, "without tokens, ask under the name localhost or 127.0.0.1")
    if "origin" in headers or headers.get("sec-fetch-site", "none") not in _OWN_SITES:
        raise ProblemError(403, "without tokens, no web page is answered but the dashboard")


def unauthorized(detail: str, *, error: str | None = None) -> ProblemError:
    """Say that a token is missing or wrong.

    Source:
        RFC 6750, section 3.
    """
    challenge = 'Bearer realm="transaction-tracker"'
    if error is not None:
        challenge += f', error="{error}"'
    return ProblemError(401, detail, headers={"WWW-Authenticate": challenge})


def _only_read() -> ProblemError:
    allowed = ", ".join(sorted(_READING))
    return ProblemError(405, "this path can only be read", headers={"Allow": allowed})


def _presented(headers: Headers) -> str:
    given = headers.getlist("authorization")
    if len(given) != 1:
        raise unauthorized("send one header, Authorization: Bearer txt_…")
    scheme, _, text = given[0].partition(" ")
    if scheme.lower() != "bearer":
        raise unauthorized("send a bearer token: Authorization: Bearer txt_…")
    return text.strip()


def _address(scope: Connection) -> str:
    """Name who is counted as one: an address, or a network that one party has whole."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    if address.version == 6:  # a /64 is the least that one party gets
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
