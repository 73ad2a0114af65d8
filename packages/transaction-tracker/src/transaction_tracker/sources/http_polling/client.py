"""Send rate-limited requests to a service over HTTP."""

import time
from collections.abc import Mapping
from typing import Any

from beamish import telemetry
from transaction_tracker import json_answers
from transaction_tracker.json_answers import JsonLimits, NotJsonError, TooManyValuesError
from transaction_tracker.net import (
    AllowList,
    CheckedClient,
    ForbiddenUrlError,
    HttpResponse,
    NoAnswerError,
    parse_retry_after,
)
from transaction_tracker.sources.errors import (
    ApplicationError,
    LateError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
    TooLongError,
    TransportError,
)
from transaction_tracker.sources.http_polling.options import RequestLimits
from transaction_tracker.sources.http_polling.secret import SecretText
from transaction_tracker.sources.http_polling.template import Template
from transaction_tracker.sources.rate_limiter import RateLimiter

# How long a request can wait for the rate limit. The request's deadline starts after this wait.
MAX_WAIT_SECONDS = 30.0
MAX_DEPTH = 32
_LIMITS = JsonLimits(max_depth=MAX_DEPTH)
_REQUEST = ("transaction_tracker", "provider", "request")
# Statuses that answer a look-up: the transaction, not modified, or unknown.
_ANSWERS = (200, 304, 404, 410)
_NOT_YET = (202, 204, 425)


class Client:
    """Sends requests to a service; each host has its own rate limit.

    Args:
        headers: Headers of each request.
        limits: Limits for requests and responses.
        allowed: Exceptions to the rule that only public hosts are allowed.

    Attributes:
        requests: Number of HTTP requests sent.
    """

    def __init__(
        self, headers: Mapping[str, SecretText], limits: RequestLimits, allowed: AllowList
    ) -> None:
        self.requests: int = 0
        self._headers = headers
        self._limits = limits
        self._http = CheckedClient(allowed)
        self._limiters: dict[str, RateLimiter] = {}

    async def get(self, template: Template, text: str, etag: str | None = None) -> HttpResponse:
        """Fetch a resource.

        Args:
            template: URL of the resource.
            text: Text for the URL's placeholder.
            etag: Entity tag of the last response, for a conditional request.

        Returns:
            A response with status 200; 304 if ``etag`` still matches; 404 or 410.

        Raises:
            SourceError: There is no such response; the class names the cause.
        """
        limiter = self._limiter(template)
        try:
            await limiter.acquire(1, MAX_WAIT_SECONDS)
            try:
                return await self._measured(template, text, etag, limiter)
            finally:
                limiter.release()
        except SourceError as error:
            error.args = (f"{template}: {error}",)
            raise

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        await self._http.close()

    async def _measured(
        self, template: Template, text: str, etag: str | None, limiter: RateLimiter
    ) -> HttpResponse:
        started, outcome = time.monotonic(), "ok"
        try:
            return await self._exchange(template.fill(text), etag, limiter)
        except SourceError as error:
            outcome = type(error).__name__
            raise
        finally:
            measured = {"duration_seconds": time.monotonic() - started, "calls": 1}
            facts = {"provider": template.host, "outcome": outcome}
            telemetry.execute(_REQUEST, measured, facts)

    async def _exchange(self, url: str, etag: str | None, limiter: RateLimiter) -> HttpResponse:
        response = await self._send(url, etag)
        if response.status in _ANSWERS and (response.status != 304 or etag is not None):
            limiter.accepted()
            return self._complete(response)
        error = _failure(response.status, parse_retry_after(response.headers.get("Retry-After")))
        if isinstance(error, RateLimitedError):
            limiter.refused(error.retry_after)
        raise error

    async def _send(self, url: str, etag: str | None) -> HttpResponse:
        self.requests += 1
        try:
            return await self._http.request(
                "GET",
                url,
                headers=self._all_headers(etag),
                deadline=self._limits.deadline,
                max_bytes=self._limits.answer_bytes,
            )
        except NoAnswerError as error:
            kind = LateError if error.why == "timeout" else TransportError
            raise kind(str(error)) from None
        except ForbiddenUrlError as error:  # a long id can make the URL too long
            raise ApplicationError(str(error), code=0) from None

    def _all_headers(self, etag: str | None) -> dict[str, str]:
        own = {"Accept": "application/json"}
        own |= {name: value.reveal() for name, value in self._headers.items()}
        return own if etag is None else own | {"If-None-Match": etag}

    def _complete(self, response: HttpResponse) -> HttpResponse:
        if response.complete or response.status != 200:
            return response
        max_bytes = self._limits.answer_bytes
        if len(response.body) >= max_bytes:
            raise TooLongError(f"the response is longer than {max_bytes} bytes")
        raise TransportError("the connection was closed before the end of the response")

    def _limiter(self, template: Template) -> RateLimiter:
        if template.origin not in self._limiters:
            limits = self._limits
            self._limiters[template.origin] = RateLimiter(
                requests_per_second=limits.requests_per_second, max_in_flight=limits.in_flight
            )
        return self._limiters[template.origin]


async def parse(body: bytes) -> Any:
    """Parse JSON, with limits for its depth and its number of values.

    Raises:
        TooLongError: The JSON has too many values.
        MalformedError: The body is not JSON, or is nested too deeply.
    """
    try:
        return await json_answers.parse(body, _LIMITS)
    except NotJsonError as error:
        raise MalformedError(f"the response is not JSON: {error}") from None
    except TooManyValuesError as error:
        raise TooLongError(f"the response has too many values: {error}") from None


def _failure(status: int, retry_after: float | None) -> SourceError:
    """Return the error for a status that does not answer a look-up.

    Source:
        RFC 9110; RFC 6585 for 429; RFC 8470 for 425.
    """
    text = f"HTTP {status}"
    if status == 429 or (status == 503 and retry_after is not None):
        return RateLimitedError(text, retry_after)
    if status in _NOT_YET:
        return NotYetError(f"{text}: not available yet")
    if status in (401, 403):
        return ServerError(f"{text}: the service refuses the configured headers")
    if 300 <= status < 400:
        return ServerError(f"{text}: redirects are not followed")
    if 400 <= status < 500 and status != 408:
        return ApplicationError(text, status)
    return ServerError(text)
