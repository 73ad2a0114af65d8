"""Map errors of a node to error classes, which decide the reaction."""

import orjson

from transaction_tracker.net import parse_retry_after
from transaction_tracker.sources.errors import (
    ApplicationError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
)

INTERNAL_ERROR = -32603
METHOD_NOT_FOUND = -32601
# Revert data has some hundred bytes. Bounds the memory that a hostile node can use.
MAX_DATA_CHARACTERS = 16 * 1024
_TOO_LONG = -32003
_MAX_ADVISED_SECONDS = 86_400.0
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
# Statuses that are about the request. All others are about the server or the credentials.
_ABOUT_THE_REQUEST = (400, 413, 422)
# Some proxies refuse a JSON array with 403 or 405, some nodes with "internal error".
_BATCH_CODES = (403, 405, INTERNAL_ERROR)
# The handler of a server that never accepted a batch can fail at a JSON array.
_FIRST_BATCH_CODES = (500, 501)


class BatchRefusedError(ApplicationError):
    """The source refuses batches, or a batch of this length."""


def is_null_round(answer: object) -> bool:
    """Return whether a node answered that the chain has no block with the requested number.

    Source:
        Filecoin, ``eth_getBlockByNumber``: the error "requested epoch was a null round".
    """
    return isinstance(answer, ApplicationError) and "null round" in str(answer).lower()


def rpc_error(code: int, message: str, data: object = None) -> SourceError:
    """Convert a JSON-RPC error object to an exception.

    Source:
        JSON-RPC 2.0, "Error object"; EIP-1474 for the codes below -32000.
    """
    text = f"{message} ({code})"
    words = message.lower()
    if _is_about_batches(code, words) and _advised(data) is None:
        return BatchRefusedError(text, code, source_message=message, data=_kept(data))
    if code in _RATE_LIMITS or any(phrase in words for phrase in _RATE_LIMIT_WORDS):
        return RateLimitedError(text, _advised(data))
    # Before the code: nodes send these messages with any code, and the errors are temporary.
    if any(phrase in words for phrase in _NOT_YET_WORDS):
        return NotYetError(text)
    if code == INTERNAL_ERROR:
        return ServerError(text, code)
    return ApplicationError(text, code, source_message=message, data=_kept(data))


def may_be_the_batch(error: SourceError, *, took_batches: bool) -> bool:
    """Return whether a shorter batch can succeed after this error of a whole batch.

    Args:
        error: Error of the batch.
        took_batches: Whether the source has answered a batch before.
    """
    if isinstance(error, ServerError):
        known = error.code in _BATCH_CODES
        return known or (not took_batches and error.code in _FIRST_BATCH_CODES)
    return isinstance(error, ApplicationError | NotYetError)


def is_too_long(result: object) -> bool:
    """Return whether a result is missing because the response to its batch became too long.

    Source:
        geth, ``rpc.BatchResponseMaxSize``: "response too large" with code -32003 for the rest.
    """
    is_refusal = isinstance(result, ApplicationError) and result.code == _TOO_LONG
    return is_refusal and "response too large" in str(result)


def http_error(status: int, retry_after: str | None) -> SourceError:
    """Convert an HTTP status other than 200 to an exception.

    A redirect, a wrong path and a refused key are errors of the provider as a whole: another
    provider can answer the request.

    Source:
        RFC 9110; RFC 6585 for 429.
    """
    if status == 429:
        return RateLimitedError("HTTP 429", parse_retry_after(retry_after))
    if status in _ABOUT_THE_REQUEST:
        return ApplicationError(f"HTTP {status}", status)
    if status == 503 and parse_retry_after(retry_after) is not None:
        return RateLimitedError("HTTP 503", parse_retry_after(retry_after))
    return ServerError(f"HTTP {status}", status)


def _is_about_batches(code: int, words: str) -> bool:
    """Return whether an error is about batches, not about a rate or a transaction.

    Source:
        By the message, because the codes have other meanings elsewhere (-32005 is Infura's rate
        limit, -32010 OpenEthereum's transaction error). jsonrpsee: -32005 "Batched requests are
        not supported by this server", -32010 "The batch request was too large", -32011 "The
        batch response was too large". Besu: -32005 "Number of requests exceeds max batch size".
        Nethermind: -32005 "Batch size limit exceeded". geth: -32600 "batch too large". Erigon:
        "batch limit 100 exceeded …". Hedera: -32202 "Batch requests are disabled", -32203 "Batch
        request amount 101 exceeds max 100", -32007 "Method … is not permitted as part of batch
        requests".
    """
    return "batch" in words and "revert" not in words and code not in (3, 429)


def _kept(data: object) -> object:
    """Return an error's data within the size limit; a long object becomes ``None``."""
    if isinstance(data, str):
        return data[:MAX_DATA_CHARACTERS]
    if not isinstance(data, dict | list):
        return data
    try:
        return data if len(orjson.dumps(data)) <= MAX_DATA_CHARACTERS else None
    except orjson.JSONEncodeError:  # nested too deeply to be serialised
        return None


def _advised(data: object) -> float | None:
    """Return the seconds that Infura asks to wait: ``{"rate": {"backoff_seconds": 30}}``."""
    rate = data.get("rate") if isinstance(data, dict) else None
    advised = rate.get("backoff_seconds") if isinstance(rate, dict) else None
    if not isinstance(advised, int | float) or not 0 < advised < _MAX_ADVISED_SECONDS:
        return None
    return float(advised)
