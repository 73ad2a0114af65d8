"""Faults that give a call an error in place of its result; the call itself is not made."""

from dataclasses import dataclass
from typing import ClassVar

from txtrack_devnode.faults.kind import Fault
from txtrack_devnode.rpc import INTERNAL_ERROR, METHOD_NOT_FOUND, SERVER_ERROR, RpcError


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(Fault):
    """Strikes one call, alone or in a batch, before it is made."""

    def error(self, method: str) -> RpcError:
        """Tell what the call gets."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodNotFound(Refusal):
    """The node does not have the method: error -32601."""

    name: ClassVar[str] = "method-not-found"

    def error(self, method: str) -> RpcError:
        """Say it as geth does."""
        message = f"the method {method} does not exist/is not available"
        return RpcError(METHOD_NOT_FOUND, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexing(Refusal):
    """The node has not indexed its transactions yet: error -32000."""

    name: ClassVar[str] = "indexing"
    concerned: ClassVar[frozenset[str]] = frozenset(
        ("eth_getTransactionByHash", "eth_getTransactionReceipt")
    )

    def error(self, method: str) -> RpcError:
        """Say it as geth does."""
        del method
        return RpcError(SERVER_ERROR, "transaction indexing is in progress")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallError(Refusal):
    """The call gets this error; others of the same batch get their results."""

    name: ClassVar[str] = "call-error"
    code: int = INTERNAL_ERROR
    message: str = "internal error"

    def error(self, method: str) -> RpcError:
        """Say what was asked for."""
        del method
        return RpcError(self.code, self.message)
