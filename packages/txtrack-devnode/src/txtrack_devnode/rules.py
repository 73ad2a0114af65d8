"""What a chain does differently from Ethereum, as options of the development chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from txtrack_devnode.block import Block
from txtrack_devnode.hashing import address, digest
from txtrack_devnode.transaction import TRANSFER_GAS, Transaction

NullRoundAnswer = Literal["null", "error", "previous"]
NULL_ROUND_ANSWERS: tuple[NullRoundAnswer, ...] = get_args(NullRoundAnswer)

_NOBODY = "0x" + "0" * 40


@dataclass(frozen=True, slots=True)
class SystemTransaction:
    """A transaction that the chain itself puts first into each block, always with nonce 0.

    Attributes:
        type: 0x7e for a deposit of the OP stack, 0x6a for one that starts an Arbitrum block, and
            so on.
        sender: The same in each block.
    """

    type: int
    sender: str

    def on(self, parent: Block, chain_id: int) -> Transaction:
        """Build the transaction for the block on top of ``parent``."""
        return Transaction(
            hash=digest("system", self.type, self.sender, parent.hash),
            chain_id=chain_id,
            sender=self.sender,
            nonce=0,
            to=address("system", self.type),
            value=0,
            data="0x",
            gas=TRANSFER_GAS,
            max_fee=0,
            priority_fee=0,
            type=self.type,
            system=True,
            ordered=False,
        )


SYSTEM_TRANSACTIONS: Sequence[SystemTransaction] = (
    SystemTransaction(0x7E, "0xdeaddeaddeaddeaddeaddeaddeaddeaddead0001"),
    SystemTransaction(0x6A, "0x00000000000000000000000000000000000a4b05"),
    SystemTransaction(0xFF, "0x0000000000000000000000000000000000008001"),
    SystemTransaction(0x7F, _NOBODY),
)
"""A deposit, the start of a block, an upgrade, and state that came from another chain: the senders
are those of OP Mainnet, Arbitrum One, ZKsync Era and Polygon."""


@dataclass(frozen=True, slots=True)
class ChainRules:
    """What a chain does differently; the defaults are Ethereum's.

    Attributes:
        account_nonces: Whether accounts number their transactions. Without that, each transaction
            has nonce 0, and none takes the place of another (Tron).
        null_rounds: Each multiple of this number has no block (Filecoin); 0 means none.
        null_round_answer: What the node answers where a number has no block: ``null``, error 12
            (Lotus), or the block before it (as Forest did).
        system: What the chain itself puts first into each block.
    """

    account_nonces: bool = True
    null_rounds: int = 0
    null_round_answer: NullRoundAnswer = "null"
    system: tuple[SystemTransaction, ...] = ()

    def __post_init__(self) -> None:
        if self.null_rounds < 0 or self.null_rounds == 1:
            raise ValueError(f"null_rounds must be 0, or 2 or more, got {self.null_rounds}")
        if self.null_round_answer not in NULL_ROUND_ANSWERS:
            raise ValueError(
                f"null_round_answer must be one of {NULL_ROUND_ANSWERS}, "
                f"got {self.null_round_answer!r}"
            )

    def is_null_round(self, number: int) -> bool:
        """Return whether the rules leave this number without a block."""
        return bool(self.null_rounds) and number > 0 and number % self.null_rounds == 0
