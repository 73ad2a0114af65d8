"""A node with pruned blocks, as on BSC, with Erigon, and by EIP-4444."""

from typing import Any

from txtrack_devnode import DevelopmentNode
from txtrack_devnode.ethereum import EthereumMethods
from txtrack_devnode.rpc import RpcError


class PruningNode(DevelopmentNode):
    """A development node that has pruned its oldest blocks.

    Attributes:
        lowest: The lowest block that the node has.
        knows_earliest: Whether the tag ``earliest`` returns that block.
        says_why: Whether a pruned block is answered with an error instead of null.
        by_number: The heights and tags of all requests.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.lowest = 0
        self.knows_earliest = True
        self.says_why = False
        self.by_number: list[str] = []
        self._ethereum = EthereumMethods(self.chain)
        methods = {"eth_getBlockByNumber": self._by_number, "eth_getBlockByHash": self._by_hash}
        self._dispatcher = self._dispatcher.extended(methods)

    def _by_number(self, number: object, full: object = False, /) -> object:
        self.by_number.append(str(number))
        if number == "earliest":
            number = hex(self.lowest) if self.knows_earliest else "0x0"
        if str(number).startswith("0x") and int(str(number), 16) < self.lowest:
            return self._gone()
        return self._ethereum.block_by_number(number, full)

    def _by_hash(self, block_hash: object, full: object = False, /) -> object:
        block = self.chain.block_by_hash(str(block_hash))
        if block is not None and block.number < self.lowest:
            return self._gone()
        return self._ethereum.block_by_hash(block_hash, full)

    def _gone(self) -> None:
        if self.says_why:
            # go-ethereum and reth; execution-apis, "EIP-4444".
            raise RpcError(4444, "pruned history unavailable")
