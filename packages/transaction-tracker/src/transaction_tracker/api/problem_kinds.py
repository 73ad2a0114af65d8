"""The kinds of problems that the API's description lists, each with an example."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from transaction_tracker.api.problems import ProblemError, content

_HASH = "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"
_ACCOUNT = "0xefd1c4e33c15e84d505ec1e915cbb933ba4fc30b"
_REQUEST_ID = "acd6b2ea58a63fd7"
_OWNER = "http://10.0.0.7:8080"


@dataclass(frozen=True)
class ProblemKind:
    """A kind of problem.

    Attributes:
        name: Last part of the problem's ``type``; "" if the status is the only kind.
        status: HTTP status.
        meaning: What has happened, for the description.
        detail: Text of the example.
        paths: Starts of the paths that have it. Default: all.
        error: The item of ``errors`` in the example.
        owner: ``owner`` in the example.
    """

    name: str
    status: int
    meaning: str
    detail: str
    paths: tuple[str, ...] = ("/",)
    error: tuple[tuple[str, Any], ...] = ()
    owner: str | None = None

    def example(self) -> dict[str, Any]:
        """Return an example of the problem details."""
        errors = [dict(self.error)] if self.error else []
        kind = self.name or None
        error = ProblemError(self.status, self.detail, kind=kind, errors=errors, owner=self.owner)
        return content(error, _REQUEST_ID)


_TRANSACTIONS = ("/v1/transactions",)
_TRANSACTION = ("/v1/transactions/",)
_ADDRESSES = ("/v1/addresses",)
_ENDPOINTS = ("/v1/endpoints",)
_TOKENS = ("/v1/tokens",)
_SOURCES = ("/v1/sources", "/v1/transactions", "/v1/providers", "/v1/addresses")
_ROUTER: tuple[str, ...] = ()  # only a router has it
_CONFIRMATIONS = "must be a whole number from 1 to 10,000, or 'safe' or 'finalized'"
_CANDIDATES = [f"eip155:1:{_HASH}", f"eip155:8453:{_HASH}"]
_AMBIGUOUS = f"{_HASH!r} fits several sources; use one of {', '.join(_CANDIDATES)}"
_READY = ("/readyz",)

KINDS = (
    ProblemKind(
        "not-json",
        400,
        "the body is not valid JSON; `detail` says where",
        "the body is not valid JSON: unexpected end of data: line 1 column 15 (char 14)",
    ),
    ProblemKind(
        "", 401, "the token is missing or invalid", "the token is unknown, expired or revoked"
    ),
    ProblemKind(
        "scope",
        403,
        "the token lacks the required scope",
        "the token must have the scope 'write'",
    ),
    ProblemKind(
        "not-tracked",
        404,
        "the transaction is not registered",
        f"{_HASH} is not tracked; register it with POST /v1/transactions",
        _TRANSACTION,
    ),
    ProblemKind(
        "not-watched",
        404,
        "the address is not watched",
        f"{_ACCOUNT} is not watched; watch it with POST /v1/addresses",
        _ADDRESSES,
    ),
    ProblemKind(
        "unknown-endpoint",
        404,
        "unknown endpoint",
        "unknown endpoint; GET /v1/endpoints lists the endpoints",
        _ENDPOINTS,
    ),
    ProblemKind(
        "unknown-provider",
        404,
        "unknown provider",
        "unknown provider; GET /v1/providers lists the providers",
        ("/v1/providers",),
    ),
    ProblemKind(
        "unknown-source",
        404,
        "unknown source, or the service has only one",
        "unknown source; GET /v1/sources lists the sources",
        _SOURCES,
    ),
    ProblemKind(
        "unknown-token",
        404,
        "unknown token",
        "unknown token; GET /v1/tokens lists the tokens",
        _TOKENS,
    ),
    ProblemKind(
        "",
        408,
        "the body was not received in time",
        "the body was not received within 30 s",
    ),
    ProblemKind(
        "ended",
        409,
        "the transaction has ended, so what it needs cannot be changed",
        f"{_HASH} has ended as confirmed: what was required of it can no longer be changed",
        _TRANSACTION,
    ),
    ProblemKind(
        "not-followed",
        409,
        "the source of the transaction is no longer listed, so it can be read, but not changed",
        f"the source of {_HASH} is no longer followed: add it to [[sources]] to change it",
        _TRANSACTION,
    ),
    ProblemKind(
        "ambiguous-id",
        409,
        "the id fits several sources; `errors` has the `candidates`",
        _AMBIGUOUS,
        (*_TRANSACTIONS, *_ADDRESSES),
        (
            ("detail", _AMBIGUOUS),
            ("parameter", "id"),
            ("candidates", _CANDIDATES),
        ),
    ),
    ProblemKind(
        "idempotency-conflict",
        409,
        "the first request with this key is in progress",
        "a request with this Idempotency-Key is in progress; wait for its response",
    ),
    ProblemKind(
        "too-many-endpoints", 409, "there are 512 endpoints", "at most 512 endpoints", _ENDPOINTS
    ),
    ProblemKind(
        "too-many-tokens",
        409,
        "there are 1,000 usable tokens",
        "at most 1,000 usable tokens; revoke one",
        _TOKENS,
    ),
    ProblemKind(
        "too-many-addresses",
        409,
        "the source has 1,000,000 watched addresses",
        "a source watches at most 1,000,000 addresses",
        _ADDRESSES,
    ),
    ProblemKind(
        "invalid-search",
        409,
        "`from_block` is too far below the last block, too many searches run, or no block has been "
        "applied yet",
        "no block has been applied yet: watch the address without from_block, or later",
        _ADDRESSES,
    ),
    ProblemKind(
        "no-admin",
        409,
        "the first token must have the scope `admin`",
        "the first token must have the scope admin; otherwise no further token can be made",
        _TOKENS,
    ),
    ProblemKind(
        "",
        413,
        "the body is too large",
        "a body must have at most 8,388,608 bytes; split the request",
    ),
    ProblemKind(
        "",
        415,
        "the body is not uncompressed JSON",
        "send JSON, with the header Content-Type: application/json",
    ),
    ProblemKind(
        "wrong-shard",
        421,
        "the transaction belongs to another shard; `errors` names it",
        "this is shard 0; the transaction belongs to shard 2",
        _TRANSACTIONS,
        (("detail", "this is shard 0; the transaction belongs to shard 2"), ("shard", 2)),
    ),
    ProblemKind(
        "invalid-address",
        422,
        "not an address that a source can watch",
        "expected an address: 0x and 40 hexadecimal digits",
        _ADDRESSES,
        (
            ("detail", "expected an address: 0x and 40 hexadecimal digits"),
            ("parameter", "address"),
        ),
    ),
    ProblemKind(
        "invalid-transaction",
        422,
        "not a valid transaction id",
        "expected a transaction hash: 0x and 64 hexadecimal digits",
        _TRANSACTION,
        (
            ("detail", "expected a transaction hash: 0x and 64 hexadecimal digits"),
            ("parameter", "id"),
        ),
    ),
    ProblemKind(
        "invalid-request",
        422,
        "a part of the request is invalid",
        _CONFIRMATIONS,
        error=(("detail", _CONFIRMATIONS), ("pointer", "#/confirmations")),
    ),
    ProblemKind(
        "idempotency-key-reuse",
        422,
        "the key was used with a different request",
        "this Idempotency-Key was used with a different request; use a new key",
    ),
    ProblemKind(
        "registration-queue-full",
        429,
        "too many transactions are being registered",
        "at most 50,000 transactions are registered at once; retry later",
        _TRANSACTIONS,
    ),
    ProblemKind(
        "too-many-waiters",
        429,
        "too many long polls",
        "at most 1,000 requests wait at once; retry later",
        _TRANSACTION,
    ),
    ProblemKind(
        "too-many-streams",
        429,
        "too many streams",
        "at most 200 streams are open at once; retry later",
        ("/v1/stream",),
    ),
    ProblemKind(
        "too-many-failures",
        429,
        "too many wrong tokens from this address",
        "too many wrong tokens from this address; wait, then send a valid token",
    ),
    ProblemKind(
        "", 500, "internal error; the service has logged it", "internal error; it is logged"
    ),
    ProblemKind(
        "unavailable",
        503,
        "a part of the service is restarting, or there are too many concurrent requests",
        "a part of the service is restarting",
    ),
    ProblemKind(
        "standby",
        503,
        "another program owns the database; `owner` is its address, if it is known",
        f"this service is a standby: {_OWNER} is the owner; send requests there",
        owner=_OWNER,
    ),
    ProblemKind(
        "shard-unavailable",
        503,
        "a router does not reach the owner of a shard",
        "shard 2 is unavailable: it does not respond",
        _ROUTER,
    ),
    ProblemKind(
        "not-ready",
        503,
        "`/readyz` only: `errors` says which part does not work and why; for the source also "
        "`since` when",
        "no block for 75 s",
        _READY,
        (
            ("detail", "no block for 75 s"),
            ("since", "2026-11-30T19:09:10Z"),
        ),
    ),
)
# Kinds that need an idempotency key, or a body.
_OF_KEYS = frozenset(("idempotency-conflict", "idempotency-key-reuse"))


def kinds_of(path: str, method: str, status: int) -> Iterator[ProblemKind]:
    """Return the kinds of problems that a response of an operation can have."""
    for kind in KINDS:
        if kind.status != status or not path.startswith(kind.paths):
            continue
        if kind.name in _OF_KEYS and method != "post":
            continue
        yield kind
