"""Faults in the handling of requests: batches, ids."""

from dataclasses import dataclass
from typing import ClassVar

from txtrack_devnode.faults.kind import Fault
from txtrack_devnode.rpc import INVALID_REQUEST, RpcError

_WRONG_ID = 1_000_000_007
_READ_METHODS = (  # handled twice without effect: a payment must not be sent twice
    *("eth_chainId", "eth_blockNumber", "eth_call", "eth_getTransactionCount"),
    *("eth_getBlockByNumber", "eth_getBlockByHash", "eth_getBlockReceipts"),
    *("eth_getTransactionByHash", "eth_getTransactionReceipt"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedBatch(Fault):
    """A batch of more than ``limit`` calls gets one error object.

    Real nodes use different codes, messages and HTTP statuses: -32005 "Batched requests are
    not supported by this server" (jsonrpsee), -32600, -32603, 403, 405, 413.
    """

    name: ClassVar[str] = "refused-batch"
    limit: int = 0
    code: int = INVALID_REQUEST
    message: str | None = None
    http_status: int = 200

    def error_for(self, size: int) -> RpcError:
        """Return the error for a batch of this size."""
        default = f"batch of {size} calls: at most {self.limit} allowed"
        return RpcError(self.code, self.message or default)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault(Fault):
    """Replaces a request, alone or in a batch."""

    def replaced(self, request: dict[str, object]) -> list[dict[str, object]]:
        """Return the requests that are handled in place of this one."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongId(RequestFault):
    """The response has an id that no request has."""

    name: ClassVar[str] = "wrong-id"

    def replaced(self, request: dict[str, object]) -> list[dict[str, object]]:
        """Return the request with another id."""
        return [request | {"id": _WRONG_ID}]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatedAnswer(RequestFault):
    """A call of a batch is answered twice."""

    name: ClassVar[str] = "duplicated-answer"
    concerned: ClassVar[frozenset[str]] = frozenset(_READ_METHODS)

    def replaced(self, request: dict[str, object]) -> list[dict[str, object]]:
        """Return the request twice."""
        return [request, request]
