"""Middleware: only a request whose token a shard has accepted gets further.

So a client without a token can neither make the router read a body, nor reach more than one shard.
Each shard checks the token again.
"""

import hashlib
import time
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from transaction_tracker.api.access import REFRESH_SECONDS, check_local, unauthorized
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.router.shard_client import ShardRequest, ShardUnavailableError
from transaction_tracker.router.shards import Shards, passed_on, returned

# Paths of the router itself, which contain no data.
PUBLIC = frozenset(("/healthz", "/readyz"))
METRICS_PATH = "/metrics"
# The metrics show why no shard responds, so an accepted token is good for them that long.
_OUTAGE_SECONDS = 3600.0
_MAX_TOKENS = 10_000
_CHECK = "/v1/service"
_OF_BODIES = ("content-type", "idempotency-key")


@dataclass(frozen=True, slots=True)
class _Accepted:
    """When a token was accepted, and whether it can read."""

    at: float
    can_read: bool


class RequestAdmission:
    """Middleware that refuses requests whose token no shard accepts.

    Args:
        app: Inner application.
        shards: The shards.
        is_local: Whether the router listens on a loopback address.
    """

    def __init__(self, app: ASGIApp, shards: Shards, is_local: bool) -> None:
        self._app = app
        self._shards = shards
        self._is_local = is_local
        # By a hash of the header: a token must not stay in memory longer than its request.
        self._accepted: dict[bytes, _Accepted] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["path"] not in PUBLIC:
            request = Request(scope)
            refused = await self._check(request)
            if refused is not None:
                await refused(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _check(self, request: Request) -> ASGIApp | None:
        """Return the response that refuses the request, if it is refused."""
        text = self._presented(request.headers)
        key, now = hashlib.sha256(text.encode("latin-1")).digest(), time.monotonic()
        known = self._accepted.get(key)
        if known is None or now - known.at > REFRESH_SECONDS:
            try:
                response = await self._shards.any(_question(request))
            except ShardUnavailableError as error:
                if not self._is_good_for_metrics(request, known, now):
                    raise error.problem() from None
                return None
            # Another scope than read is a valid token, too.
            if response.status not in (200, 403):
                self._accepted.pop(key, None)
                return returned(response)
            if not self._is_local and response.status == 200 and not response.json["token"]:
                # The shard sees a request from its own machine, and asks for no token.
                raise ProblemError(403, "no token exists yet; create one with txtrack token create")
            known = _Accepted(now, response.status == 200)
            self._accepted[key] = known
            if len(self._accepted) > _MAX_TOKENS:
                del self._accepted[next(iter(self._accepted))]
        if request.url.path == METRICS_PATH and not known.can_read:
            return returned(await self._shards.any(_question(request)))
        return None

    def _presented(self, headers: Headers) -> str:
        given = headers.getlist("authorization")
        if not given and self._is_local:
            # As long as there are no tokens, which the shard decides.
            check_local(headers)
        elif len(given) != 1:
            raise unauthorized("send one header Authorization: Bearer txt_…")
        return given[0] if given else ""

    def _is_good_for_metrics(self, request: Request, known: _Accepted | None, now: float) -> bool:
        if request.url.path != METRICS_PATH or known is None:
            return False
        return known.can_read and now - known.at <= _OUTAGE_SECONDS


def _question(request: Request) -> ShardRequest:
    """Return the request to a shard that tells whether it accepts the token of a client."""
    sent = passed_on(request, target=_CHECK)
    headers = {name: value for name, value in sent.headers.items() if name not in _OF_BODIES}
    return ShardRequest("GET", _CHECK, headers)
