"""Faults that change blocks."""

from dataclasses import dataclass
from typing import ClassVar

from txtrack_devnode.chain import Chain
from txtrack_devnode.faults.kind import Call
from txtrack_devnode.faults.results import BLOCKS, ResultFault, decoded
from txtrack_devnode.hashing import digest
from txtrack_devnode.view import ChainView


@dataclass(frozen=True, slots=True, kw_only=True)
class HashesOnly(ResultFault):
    """A block lists hashes although full transactions were requested."""

    name: ClassVar[str] = "hashes-only"
    concerned: ClassVar[frozenset[str]] = frozenset(BLOCKS)

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Replace each transaction by its hash."""
        del call, state
        block = decoded(result)
        full = [item for item in block["transactions"] if isinstance(item, dict)]
        return block | {"transactions": [item["hash"] for item in full]} if full else result


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongParent(ResultFault):
    """A ``part`` of all blocks has a parent hash that does not exist."""

    name: ClassVar[str] = "wrong-parent"
    concerned: ClassVar[frozenset[str]] = frozenset(BLOCKS)
    part: float = 1.0

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Replace the parent hash."""
        del call, state
        block = decoded(result)
        if not self.affects(block["hash"] or block["parentHash"]):
            return result
        return block | {"parentHash": digest("parent", block["parentHash"])}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedBlocks(ResultFault):
    """The ``blocks`` oldest blocks are ``null``."""

    name: ClassVar[str] = "pruned-blocks"
    concerned: ClassVar[frozenset[str]] = frozenset((*BLOCKS, "eth_getBlockReceipts"))
    blocks: int = 1

    def changed(self, call: Call, result: object, state: Chain | ChainView) -> object:
        """Return ``None`` for a block that is too old."""
        del state
        found = decoded(result)
        if isinstance(found, list):
            if not found:  # an empty list does not name its block
                return None if call.params[:1] in (["0x0"], ["earliest"]) else result
            found = {"number": found[0]["blockNumber"]}
        number = found["number"]
        return None if number is not None and int(number, 16) < self.blocks else result
