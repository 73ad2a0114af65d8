"""Facts about the chain that the parts of an Ethereum source share."""

from dataclasses import dataclass, field

from transaction_tracker.sources.ethereum.profiles import UNKNOWN, ChainProfile


@dataclass(slots=True)
class ChainContext:
    """Facts about the chain, complete after the first check.

    Attributes:
        chain_id: Chain id; ``None`` before the first check, unless configured.
        profile: Differences of the chain from Ethereum.
        base_fee: Base fee of the last head, in wei per unit of gas, if the chain has one.
    """

    chain_id: int | None = None
    profile: ChainProfile = field(default=UNKNOWN)
    base_fee: int | None = None
