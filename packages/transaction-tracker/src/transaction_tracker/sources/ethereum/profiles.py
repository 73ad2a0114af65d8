"""What each EVM chain does differently, as data: one row a chain."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

# Types whose sender and nonce are a slot wherever accounts have nonces: legacy, access list,
# dynamic fee, blob, set code.
STANDARD_TYPES = frozenset((0x0, 0x1, 0x2, 0x3, 0x4))

# How a receipt's fields make the fee. "execution" is gas used times effective gas price and no
# more: all that can be said of an unknown chain.
FeeRule: TypeAlias = Literal["ethereum", "op-stack", "scroll", "arbitrum", "execution"]


@dataclass(frozen=True, slots=True)
class ChainProfile:
    """What one chain does differently.

    The defaults are the cautious ones, for a chain that is not in the table.

    Attributes:
        name: The chain, for people.
        block_time: Seconds between blocks.
        account_nonces: Whether accounts number their transactions: without that, no transaction
            can take the place of another, and none is ever ``replaced``.
        slot_types: Transaction types whose sender and nonce are a slot.
        fee: How a receipt's fields make the fee.
        parent_links: Whether a block's ``parentHash`` is the hash of the block before it. Without
            that, blocks are followed by number, and each look at the head asks for our tip again.
        null_rounds: Whether numbers can have no block: a parent can be several numbers below.
        finality_tags: Whether the chain has the tags ``safe`` and ``finalized``.
        batches: Whether its nodes usually accept batches.
    """

    name: str = "unknown chain"
    block_time: float = 12.0
    account_nonces: bool = True
    slot_types: frozenset[int] = STANDARD_TYPES
    fee: FeeRule = "execution"
    parent_links: bool = True
    null_rounds: bool = False
    finality_tags: bool = True
    batches: bool = True


UNKNOWN = ChainProfile()

PROFILES: Mapping[int, ChainProfile] = MappingProxyType(
    {
        1: ChainProfile("Ethereum", fee="ethereum"),
    }
)


def profile_of(chain_id: int | None, overrides: Mapping[str, object] | None = None) -> ChainProfile:
    """Return the profile of a chain, with the configuration's changes.

    Args:
        chain_id: The chain; one that is not in the table gets the cautious defaults.
        overrides: Attributes of ``ChainProfile`` by name.

    Raises:
        ValueError: An override's name or value is invalid; the message names it.
    """
    found = UNKNOWN if chain_id is None else PROFILES.get(chain_id, UNKNOWN)
    return replace(found, **overrides) if overrides else found  # type: ignore[arg-type]
