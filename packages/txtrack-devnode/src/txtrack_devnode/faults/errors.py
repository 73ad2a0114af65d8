"""Faults that answer a call with an error; the call itself is not made."""

from dataclasses import dataclass
from typing import ClassVar

from txtrack_devnode.faults.kind import Fault
from txtrack_devnode.rpc import INTERNAL_ERROR, METHOD_NOT_FOUND, SERVER_ERROR, RpcError


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFault(Fault):
    """Answers a call with an error, alone or in a batch."""

    def error(self, method: str) -> RpcError:
        """Return the error of the call."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodNotFound(ErrorFault):
    """Error -32601: the node does not have the method."""

    name: ClassVar[str] = "method-not-found"

    def error(self, method: str) -> RpcError:
        """Return the error of geth."""
        message = f"the method {method} does not exist/is not available"
        return RpcError(METHOD_NOT_FOUND, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexing(ErrorFault):
    """Error -32000: the node has not indexed its transactions yet."""

    name: ClassVar[str] = "indexing"
    concerned: ClassVar[frozenset[str]] = frozenset(
        ("eth_getTransactionByHash", "eth_getTransactionReceipt")
    )

    def error(self, method: str) -> RpcError:
        """Return the error of geth."""
        del method
        return RpcError(SERVER_ERROR, "transaction indexing is in progress")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallError(ErrorFault):
    """The call gets this error; other calls of the same batch get their results."""

    name: ClassVar[str] = "call-error"
    code: int = INTERNAL_ERROR
    message: str = "internal error"

    def error(self, method: str) -> RpcError:
        """Return the configured error."""
        del method
        return RpcError(self.code, self.message)
