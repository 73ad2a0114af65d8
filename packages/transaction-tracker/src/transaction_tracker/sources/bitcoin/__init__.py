"""Bitcoin, over the JSON-RPC of Bitcoin Core."""
