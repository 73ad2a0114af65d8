"""One attempt to deliver one message, and what its answer means."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from beamish import telemetry
from transaction_tracker.net import (
    CheckedClient,
    ForbiddenUrlError,
    NoAnswerError,
    parse_retry_after,
)
from transaction_tracker.outbox import signature
from transaction_tracker.outbox.excerpt import excerpt
from transaction_tracker.outbox.schedule import jitter
from transaction_tracker.store.endpoints import Endpoint

DEADLINE_SECONDS = 15.0
# Of the deadline, at most, and added to it: endpoints that hang since the same event do not fail
# in the same moment, in which nothing else would be delivered.
_SPREAD = 0.2
MAX_ANSWER_BYTES = 64 * 2**10

ATTEMPT = ("transaction_tracker", "webhook", "attempt")
"""Telemetry: an attempt has ended; ``seconds``, with ``endpoint`` (its id) and ``outcome``."""

Verdict = Literal[
    "delivered",  # 2xx
    "gone",  # 410: the receiver wants nothing more
    "refused",  # any other 4xx
    "limited",  # 429
    "redirected",  # 3xx, never followed
    "server_error",  # 5xx, and what is no status
    "forbidden",  # its address may not be asked
    "dns",
    "connection",
    "tls",
    "timeout",
    "protocol",
    "crashed",  # our own mistake
]

# The endpoint is there and has read the message; it says something about that one alone.
_ANSWERS: frozenset[Verdict] = frozenset(("delivered", "gone", "refused", "redirected"))


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt.

    Attributes:
        verdict: Which kind of answer it was.
        status: The HTTP status; ``None`` when none came.
        error: Why it failed, in a line; ``None`` when it did not.
        retry_after: Seconds for which the receiver asked.
        seconds: How long it took.
        answer: The first part of the body of the answer, without secrets; ``None`` when no answer
            came, or an empty one.
    """

    verdict: Verdict
    status: int | None = None
    error: str | None = None
    retry_after: float | None = None
    seconds: float = 0.0
    # Not in a crash report: it is the receiver's, and can hold what does not belong in a log.
    answer: str | None = field(default=None, repr=False)

    @property
    def delivered(self) -> bool:
        """Whether the receiver took the message."""
        return self.verdict == "delivered"

    @property
    def answered(self) -> bool:
        """Whether the endpoint works, whatever it thinks of the message."""
        return self.verdict in _ANSWERS


async def attempt(client: CheckedClient, endpoint: Endpoint, message: str, body: bytes) -> Result:
    """Send one message, signed, and say what became of it; it never raises for what others do.

    Args:
        client: How to reach the endpoint.
        endpoint: Who is to get it.
        message: Its name, the same at each attempt.
        body: What it says.
    """
    began = time.perf_counter()
    result = await _send(client, endpoint, message, body)
    result = replace(result, seconds=time.perf_counter() - began)
    if telemetry.enabled:
        facts = {"endpoint": endpoint.id, "outcome": result.verdict}
        telemetry.execute(ATTEMPT, {"seconds": result.seconds}, facts)
    return result


async def _send(client: CheckedClient, endpoint: Endpoint, message: str, body: bytes) -> Result:
    now = time.time()
    try:
        answer = await client.request(
            "POST",
            endpoint.url,
            headers=signature.headers(endpoint.valid_secrets(now), message, now, body),
            body=body,
            deadline=round(DEADLINE_SECONDS * (1.0 + _SPREAD * jitter()), 2),
            max_bytes=MAX_ANSWER_BYTES,
        )
    except ForbiddenUrlError as error:
        return Result("forbidden", error=str(error))
    except NoAnswerError as error:
        return Result(error.why, error=str(error))
    return replace(_judge(answer.status, answer.headers), answer=excerpt(answer.body, endpoint))


def _judge(status: int, headers: Mapping[str, str]) -> Result:
    verdict = _verdict(status)
    if verdict == "delivered":
        return Result(verdict, status)
    words = (
        "HTTP {}, a redirect: endpoints must answer themselves"
        if verdict == "redirected"
        else "HTTP {}"
    )
    return Result(
        verdict, status, words.format(status), parse_retry_after(headers.get("Retry-After"))
    )


def _verdict(status: int) -> Verdict:
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
