"""Faults that make blocks odd."""

from dataclasses import dataclass
from typing import ClassVar

from txtrack_devnode.chain import Chain
from txtrack_devnode.faults.distortions import BLOCKS, Distortion, plain
from txtrack_devnode.faults.kind import Call
from txtrack_devnode.hashing import digest
from txtrack_devnode.view import ChainView


@dataclass(frozen=True, slots=True, kw_only=True)
class HashesOnly(Distortion):
    """A block lists hashes although whole transactions were asked for."""

    name: ClassVar[str] = "hashes-only"
    concerned: ClassVar[frozenset[str]] = frozenset(BLOCKS)

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Leave the hashes of the transactions."""
        del call, state
        block = plain(result)
        whole = [item for item in block["transactions"] if isinstance(item, dict)]
        return block | {"transactions": [item["hash"] for item in whole]} if whole else result


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongParent(Distortion):
    """A block names a parent that does not exist, in a ``part`` of all blocks."""

    name: ClassVar[str] = "wrong-parent"
    concerned: ClassVar[frozenset[str]] = frozenset(BLOCKS)
    part: float = 1.0

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Put another hash in its place."""
        del call, state
        block = plain(result)
        if not self.affects(block["hash"] or block["parentHash"]):
            return result
        return block | {"parentHash": digest("parent", block["parentHash"])}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedBlocks(Distortion):
    """The node no longer has the oldest blocks, from block 0 on: ``null``."""

    name: ClassVar[str] = "pruned-blocks"
    concerned: ClassVar[frozenset[str]] = frozenset((*BLOCKS, "eth_getBlockReceipts"))
    blocks: int = 1

    def distorted(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Return nothing for a block that is too old."""
        del state
        found = plain(result)
        if isinstance(found, list):
            if not found:  # whose block they are is not in the answer
                return None if call.params[:1] in (["0x0"], ["earliest"]) else result
            found = {"number": found[0]["blockNumber"]}
        number = found["number"]
        return None if number is not None and int(number, 16) < self.blocks else result
