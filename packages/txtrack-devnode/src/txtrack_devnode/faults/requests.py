"""Faults in how the node reads requests: batches, ids."""

from dataclasses import dataclass
from typing import ClassVar

from txtrack_devnode.faults.kind import Fault
from txtrack_devnode.rpc import INVALID_REQUEST, RpcError

_OTHER_ID = 1_000_000_007
_READING = (  # these change nothing: a payment must not be sent twice
    *("eth_chainId", "eth_blockNumber", "eth_call", "eth_getTransactionCount"),
    *("eth_getBlockByNumber", "eth_getBlockByHash", "eth_getBlockReceipts"),
    *("eth_getTransactionByHash", "eth_getTransactionReceipt"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedBatch(Fault):
    """One error object is the answer to a batch of more than ``limit`` calls.

    Real nodes have different codes, words and HTTP statuses for it: -32005 "Batched requests are
    not supported by this server" (jsonrpsee), -32600, -32603, 403, 405, 413.
    """

    name: ClassVar[str] = "refused-batch"
    limit: int = 0
    code: int = INVALID_REQUEST
    message: str | None = None
    http_status: int = 200

    def error_for(self, size: int) -> RpcError:
        """Return why a batch of this size is refused."""
        words = f"batch of {size} calls: at most {self.limit} allowed"
        return RpcError(self.code, self.message or words)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestFault(Fault):
    """Strikes one request, alone or in a batch."""

    def instead(self, request: dict[str, object]) -> list[dict[str, object]]:
        """Tell which requests are answered in place of this one."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongId(RequestFault):
    """The answer carries an id that nobody asked with."""

    name: ClassVar[str] = "wrong-id"

    def instead(self, request: dict[str, object]) -> list[dict[str, object]]:
        """Take the request with another id."""
        return [request | {"id": _OTHER_ID}]


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicatedAnswer(RequestFault):
    """A call of a batch is answered twice."""

    name: ClassVar[str] = "duplicated-answer"
    concerned: ClassVar[frozenset[str]] = frozenset(_READING)

    def instead(self, request: dict[str, object]) -> list[dict[str, object]]:
        """Take the request twice."""
        return [request, request]
