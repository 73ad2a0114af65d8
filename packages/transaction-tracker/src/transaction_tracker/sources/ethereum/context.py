"""What the parts of an Ethereum source share."""

from dataclasses import dataclass, field

from transaction_tracker.sources.ethereum.profiles import UNKNOWN, ChainProfile


@dataclass(slots=True)
class ChainContext:
    """What is known of the chain, once it has been checked.

    Attributes:
        chain_id: The chain's number; ``None`` before the first check.
        profile: What the chain does differently.
        base_fee: Base fee of the last head in wei per unit of gas, where the chain has one.
    """

    chain_id: int | None = None
    profile: ChainProfile = field(default=UNKNOWN)
    base_fee: int | None = None
