"""What a node's refusals mean: which kind of error, and so what to do about it."""

from transaction_tracker.net import seconds
from transaction_tracker.sources.errors import (
    ApplicationError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
)

INTERNAL_ERROR = -32603
METHOD_NOT_FOUND = -32601
_TOO_LONG = -32003
_LONGEST_ADVICE = 86_400.0
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
# The statuses that are about what was asked; any other is about who answers, or who we are.
_ABOUT_THE_REQUEST = (400, 413, 422)


def rpc_error(code: int, message: str, data: object = None) -> SourceError:
    """Tell what a JSON-RPC error object means.

    Source:
        JSON-RPC 2.0, "Error object"; EIP-1474 for the codes below -32000.
    """
    text = f"{message} ({code})"
    words = message.lower()
    if code in _RATE_LIMITS or any(phrase in words for phrase in _RATE_LIMIT_WORDS):
        return RateLimitedError(text, _advised(data))
    # Before the code: nodes give such answers with any code, and they pass by themselves.
    if any(phrase in words for phrase in _NOT_YET_WORDS):
        return NotYetError(text)
    if code == INTERNAL_ERROR:
        return ServerError(text)
    return ApplicationError(text, code, told=message)


def is_too_long(result: object) -> bool:
    """Say whether a batch's answer had become too long before it came to this result.

    Source:
        geth, ``rpc.BatchResponseMaxSize``: "response too large" with code -32003 for the rest.
    """
    is_refusal = isinstance(result, ApplicationError) and result.code == _TOO_LONG
    return is_refusal and "response too large" in str(result)


def http_error(status: int, retry_after: str | None) -> SourceError:
    """Tell what an HTTP status other than 200 means.

    A redirection, a wrong path and a key that is refused are troubles of the provider as a
    whole: another one may well answer.

    Source:
        RFC 9110; RFC 6585 for 429.
    """
    if status == 429:
        return RateLimitedError("HTTP 429", seconds(retry_after))
    if status in _ABOUT_THE_REQUEST:
        return ApplicationError(f"HTTP {status}", status)
    if status == 503 and seconds(retry_after) is not None:
        return RateLimitedError("HTTP 503", seconds(retry_after))
    return ServerError(f"HTTP {status}")


def _advised(data: object) -> float | None:
    """Read how long Infura asks to wait: ``{"rate": {"backoff_seconds": 30}}``."""
    rate = data.get("rate") if isinstance(data, dict) else None
    advised = rate.get("backoff_seconds") if isinstance(rate, dict) else None
    if not isinstance(advised, int | float) or not 0 < advised < _LONGEST_ADVICE:
        return None
    return float(advised)
