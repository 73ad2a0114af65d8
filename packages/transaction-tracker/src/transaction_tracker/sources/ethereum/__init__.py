"""Source for Ethereum and other EVM chains, over JSON-RPC."""

from transaction_tracker.sources.ethereum.client import RpcClient
from transaction_tracker.sources.ethereum.rpc import Identity, Request, Rpc
from transaction_tracker.sources.ethereum.source import EthereumSource
from transaction_tracker.sources.ethereum.url import SecretUrl

__all__ = ["EthereumSource", "Identity", "Request", "Rpc", "RpcClient", "SecretUrl"]
