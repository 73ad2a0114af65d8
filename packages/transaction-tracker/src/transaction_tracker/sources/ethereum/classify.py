"""What a node's refusals mean: which kind of error, and so what to do about it."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from transaction_tracker.sources.errors import (
    ApplicationError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
)

INTERNAL_ERROR = -32603
METHOD_NOT_FOUND = -32601
_RATE_LIMITS = (-32005, -32029, 429)
_RATE_LIMIT_WORDS = ("rate limit", "too many requests", "request limit", "compute units")
_NOT_YET_WORDS = (
    "indexing is in progress",
    "header not found",
    "block not found",
    "unknown block",
    "missing trie node",
    "not yet available",
)


def rpc_error(code: int, message: str) -> SourceError:
    """Tell what a JSON-RPC error object means."""
    text = f"{message} ({code})"
    words = message.lower()
    if code in _RATE_LIMITS or any(phrase in words for phrase in _RATE_LIMIT_WORDS):
        return RateLimitedError(text)
    # Before the code: nodes give such answers with any code, and they pass by themselves.
    if any(phrase in words for phrase in _NOT_YET_WORDS):
        return NotYetError(text)
    return ServerError(text) if code == INTERNAL_ERROR else ApplicationError(text, code)


def http_error(status: int, retry_after: str | None) -> SourceError:
    """Tell what an HTTP status other than 200 means."""
    if status == 429:
        return RateLimitedError("HTTP 429", seconds(retry_after))
    if status >= 500:
        return ServerError(f"HTTP {status}")
    return ApplicationError(f"HTTP {status}", status)


def seconds(retry_after: str | None) -> float | None:
    """Read a ``Retry-After``: seconds or a date; ``None`` for anything else."""
    if not retry_after:
        return None
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a time zone
        return None
