"""Rules in which chains differ from Ethereum, as options of the development chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from txtrack_devnode.block import Block
from txtrack_devnode.hashing import address, digest
from txtrack_devnode.transaction import TRANSFER_GAS, Transaction

NullRoundAnswer = Literal["null", "error", "previous"]
NULL_ROUND_ANSWERS: tuple[NullRoundAnswer, ...] = get_args(NullRoundAnswer)

_ZERO_ADDRESS = "0x" + "0" * 40


@dataclass(frozen=True, slots=True)
class SystemTransaction:
    """A transaction that the chain itself puts at the start of each block, always with nonce 0.

    Attributes:
        type: Transaction type, such as 0x7e for a deposit of the OP stack or 0x6a for the start
            of an Arbitrum block.
        sender: Sender address, the same in each block.
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
    SystemTransaction(0x7F, _ZERO_ADDRESS),
)
"""A deposit (OP Mainnet), a start of a block (Arbitrum One), an upgrade (ZKsync Era), and a state
sync from another chain (Polygon), each with the sender that it has on that chain."""


@dataclass(frozen=True, slots=True)
class ChainRules:
    """Rules of a chain; the defaults are Ethereum's.

    Attributes:
        account_nonces: Whether accounts number their transactions. If not, each transaction has
            nonce 0 and cannot be replaced (Tron).
        null_rounds: Each multiple of this number has no block (Filecoin); 0 for none.
        null_round_answer: Answer of the node for a block number without a block: ``null``,
            error 12 (Lotus), or the block before it (as Forest did).
        system: Transactions that the chain itself puts at the start of each block.
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
        """Return whether this block number is a null round."""
        return bool(self.null_rounds) and number > 0 and number % self.null_rounds == 0
