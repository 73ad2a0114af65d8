"""Send one message to an endpoint, and classify the response."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from beamish import telemetry
from transaction_tracker.delivery import signature
from transaction_tracker.delivery.excerpt import excerpt
from transaction_tracker.delivery.schedule import jitter
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.net import (
    CheckedClient,
    ForbiddenUrlError,
    NoAnswerError,
    parse_retry_after,
)

DEADLINE_SECONDS = 15.0
# Maximum share of the deadline that is added to it at random. Without it, endpoints that hang
# since the same event would time out in the same moment and delay all other deliveries.
_JITTER = 0.2
MAX_RESPONSE_BYTES = 64 * 2**10

ATTEMPT = ("transaction_tracker", "webhook", "attempt")
"""Telemetry event: an attempt has ended; ``seconds``, ``endpoint`` (its id), ``outcome``."""

AttemptOutcome = Literal[
    "delivered",  # 2xx
    "gone",  # 410: the receiver wants no further messages
    "refused",  # any other 4xx
    "limited",  # 429
    "redirected",  # 3xx, never followed
    "server_error",  # 5xx, and numbers that are not an HTTP status
    "forbidden",  # connections to the host's address are not allowed
    "dns",
    "connection",
    "tls",
    "timeout",
    "protocol",
    "crashed",  # an error in this program
]

# The endpoint works: its response is about this message only.
_RESPONSES: frozenset[AttemptOutcome] = frozenset(("delivered", "gone", "refused", "redirected"))


@dataclass(frozen=True, slots=True)
class Result:
    """Result of one attempt.

    Attributes:
        outcome: Kind of response or failure.
        status: HTTP status; ``None`` without a response.
        error: Why the attempt failed, in one line; ``None`` if it did not fail.
        retry_after: Seconds that the receiver asked to wait.
        seconds: Duration of the attempt.
        answer: First part of the response's body, without secrets; ``None`` without a response
            or with an empty body.
    """

    outcome: AttemptOutcome
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    seconds: float = 0.0
    # Not in a crash report: the body comes from the receiver and can contain private data.
    answer: str | None = field(default=None, repr=False)

    @property
    def delivered(self) -> bool:
        """Whether the receiver accepted the message."""
        return self.outcome == "delivered"

    @property
    def answered(self) -> bool:
        """Whether the endpoint works, even if it refused this message."""
        return self.outcome in _RESPONSES


async def send(
    client: CheckedClient, endpoint: WebhookEndpoint, message_id: str, body: bytes
) -> Result:
    """Sign and send one message, and return the result; failures of the receiver do not raise.

    Args:
        client: HTTP client.
        endpoint: Receiver of the message.
        message_id: The ``webhook-id``, the same at each attempt.
        body: The message.
    """
    start = time.perf_counter()
    result = await _post(client, endpoint, message_id, body)
    result = replace(result, seconds=time.perf_counter() - start)
    if telemetry.enabled:
        facts = {"endpoint": endpoint.id, "outcome": result.outcome}
        telemetry.execute(ATTEMPT, {"seconds": result.seconds}, facts)
    return result


async def _post(
    client: CheckedClient, endpoint: WebhookEndpoint, message_id: str, body: bytes
) -> Result:
    now = time.time()
    try:
        response = await client.request(
            "POST",
            endpoint.url,
            headers=signature.headers(endpoint.valid_secrets(now), message_id, now, body),
            body=body,
            deadline=round(DEADLINE_SECONDS * (1.0 + _JITTER * jitter()), 2),
            max_bytes=MAX_RESPONSE_BYTES,
        )
    except ForbiddenUrlError as error:
        return Result("forbidden", error=str(error))
    except NoAnswerError as error:
        return Result(error.why, error=str(error))
    result = _result(response.status, response.headers)
    answer = excerpt(response.body, endpoint, complete=response.complete)
    return replace(result, answer=answer)


def _result(status: int, headers: Mapping[str, str]) -> Result:
    outcome = _outcome(status)
    if outcome == "delivered":
        return Result(outcome, status)
    error = f"HTTP {status}"
    if outcome == "redirected":
        error += ", a redirect; redirects are not followed"
    return Result(outcome, status, error, parse_retry_after(headers.get("Retry-After")))


def _outcome(status: int) -> AttemptOutcome:
    match status:
        case 410:
            return "gone"
        case 429:
            return "limited"
        case _ if 200 <= status < 300:
            return "delivered"
        case _ if 300 <= status < 400:
            return "redirected"
        case _ if 400 <= status < 500:
            return "refused"
        case _:
            return "server_error"
