"""Bitcoin, over the JSON-RPC of Bitcoin Core."""

from transaction_tracker.sources.bitcoin.client import BitcoinClient
from transaction_tracker.sources.bitcoin.networks import NETWORKS, Network
from transaction_tracker.sources.bitcoin.source import BitcoinSource

__all__ = ["NETWORKS", "BitcoinClient", "BitcoinSource", "Network"]
