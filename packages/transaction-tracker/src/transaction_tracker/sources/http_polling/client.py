"""Questions to a service by HTTP, no more of them than it wants."""

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
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
)
from transaction_tracker.sources.gate import Gate
from transaction_tracker.sources.http_polling.options import Limits
from transaction_tracker.sources.http_polling.secret import SecretText
from transaction_tracker.sources.http_polling.template import Template

# Seconds that a question waits for its turn, which is before its deadline begins.
LONGEST_WAIT = 30.0
MAX_DEPTH = 32
_LIMITS = JsonLimits(max_depth=MAX_DEPTH)
_REQUEST = ("transaction_tracker", "provider", "request")
# What a look-up may find, beside an answer in full.
_PLAIN = (200, 304, 404, 410)
_NOT_YET = (202, 204, 425)


class TooLongError(MalformedError):
    """The answer is longer than is taken."""


class LateError(TransportError):
    """The answer did not come in time."""


class Client:
    """Asks a service, each of its hosts at its own rate.

    Args:
        headers: What is sent with each request.
        limits: How much is asked for, and taken.
        allowed: What may be asked although it is not public.

    Attributes:
        requests: How many HTTP requests were sent.
    """

    def __init__(
        self, headers: Mapping[str, SecretText], limits: Limits, allowed: AllowList
    ) -> None:
        self.requests = 0
        self._headers = headers
        self._limits = limits
        self._http = CheckedClient(allowed)
        self._gates: dict[str, Gate] = {}

    async def get(self, template: Template, text: str, etag: str | None = None) -> HttpResponse:
        """Fetch a resource.

        Args:
            template: Its address.
            text: What goes into the address's gap.
            etag: The name of what is known already.

        Returns:
            An answer with status 200; 304 when ``etag`` is still its name; 404 or 410.

        Raises:
            SourceError: There is none of these; the class says why.
        """
        gate = self._gate(template)
        try:
            await gate.enter(1, LONGEST_WAIT)
            try:
                return await self._measured(template, text, etag, gate)
            finally:
                gate.leave()
        except SourceError as error:
            error.args = (f"{template}: {error}",)
            raise

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        await self._http.close()

    async def _measured(
        self, template: Template, text: str, etag: str | None, gate: Gate
    ) -> HttpResponse:
        started, outcome = time.monotonic(), "ok"
        try:
            return await self._exchange(template.fill(text), etag, gate)
        except SourceError as error:
            outcome = type(error).__name__
            raise
        finally:
            measured = {"duration_seconds": time.monotonic() - started, "calls": 1}
            facts = {"provider": template.host, "outcome": outcome}
            telemetry.execute(_REQUEST, measured, facts)

    async def _exchange(self, url: str, etag: str | None, gate: Gate) -> HttpResponse:
        answer = await self._send(url, etag)
        if answer.status in _PLAIN and (answer.status != 304 or etag is not None):
            gate.passed()
            return self._whole(answer)
        error = _refusal(answer.status, parse_retry_after(answer.headers.get("Retry-After")))
        if isinstance(error, RateLimitedError):
            gate.refused(error.retry_after)
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
        except ForbiddenUrlError as error:  # an id can make an address too long
            raise ApplicationError(str(error), code=0) from None

    def _all_headers(self, etag: str | None) -> dict[str, str]:
        own = {"Accept": "application/json"}
        own |= {name: value.reveal() for name, value in self._headers.items()}
        return own if etag is None else own | {"If-None-Match": etag}

    def _whole(self, answer: HttpResponse) -> HttpResponse:
        if answer.complete or answer.status != 200:
            return answer
        most = self._limits.answer_bytes
        if len(answer.body) >= most:
            raise TooLongError(f"the answer is longer than {most} bytes")
        raise TransportError("the answer broke off")

    def _gate(self, template: Template) -> Gate:
        if template.origin not in self._gates:
            limits = self._limits
            self._gates[template.origin] = Gate(
                requests_per_second=limits.requests_per_second, max_in_flight=limits.in_flight
            )
        return self._gates[template.origin]


async def parse(body: bytes) -> Any:
    """Parse JSON that is not nested too deep and has not too many values.

    Raises:
        TooLongError: It has too many values.
        MalformedError: It is something else, or nested too deep.
    """
    try:
        return await json_answers.parse(body, _LIMITS)
    except NotJsonError as error:
        raise MalformedError(f"the answer is not JSON: {error}") from None
    except TooManyValuesError as error:
        raise TooLongError(f"the answer has too many values: {error}") from None


def _refusal(status: int, retry_after: float | None) -> SourceError:
    """Tell what a status means that is no answer.

    Source:
        RFC 9110; RFC 6585 for 429; RFC 8470 for 425.
    """
    told = f"HTTP {status}"
    if status == 429 or (status == 503 and retry_after is not None):
        return RateLimitedError(told, retry_after)
    if status in _NOT_YET:
        return NotYetError(f"{told}: there is no answer yet")
    if status in (401, 403):
        return ServerError(f"{told}: the service refuses our headers")
    if 300 <= status < 400:
        return ServerError(f"{told}: redirects are not followed")
    if 400 <= status < 500 and status != 408:
        return ApplicationError(told, status)
    return ServerError(told)
