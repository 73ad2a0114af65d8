"""A transaction as the development node knows it: a value, wherever it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from txtrack_devnode.hashing import digest

LEGACY, DYNAMIC_FEE, SET_CODE = 0, 2, 4
TRANSFER_GAS = 21_000
_GAS_PER_BYTE = 16

Replacement = Literal["repriced", "cancelled", "replaced"]
REPLACEMENTS: tuple[Replacement, ...] = get_args(Replacement)


@dataclass(frozen=True, slots=True)
class Authorization:
    """A permission of EIP-7702: it uses up ``nonce`` of ``authority``, which sends nothing."""

    authority: str
    nonce: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """One transaction; amounts in wei, ``data`` in hexadecimal.

    Attributes:
        type: 2 (dynamic fees) for most, 4 if it has authorizations, another number for those that
            the chain itself makes.
        system: Whether the chain itself made it: it pays nothing and its nonce means nothing.
        ordered: Whether its nonce orders it among its sender's transactions.
    """

    hash: str
    chain_id: int
    sender: str
    nonce: int
    to: str | None
    value: int
    data: str
    gas: int
    max_fee: int
    priority_fee: int
    type: int = DYNAMIC_FEE
    authorizations: tuple[Authorization, ...] = ()
    system: bool = False
    ordered: bool = True

    @classmethod
    def create(
        cls,
        *,
        chain_id: int,
        sender: str,
        nonce: int,
        to: str | None,
        value: int = 0,
        data: str = "0x",
        gas: int | None = None,
        max_fee: int,
        priority_fee: int = 0,
        authorizations: Sequence[Authorization] = (),
    ) -> "Transaction":
        """Build a transaction whose hash is that of its content; ``None`` is just enough gas."""
        gas = intrinsic_gas(data) if gas is None else gas
        content = (chain_id, sender, nonce, to, value, data, gas, max_fee, priority_fee)
        if not authorizations:
            return cls(digest("transaction", *content), *content)
        tx_hash = digest("transaction", *content, *authorizations)
        return cls(tx_hash, *content, SET_CODE, tuple(authorizations))

    @classmethod
    def unordered(cls, tx: "Transaction", number: int) -> "Transaction":
        """Convert a transaction for a chain without account nonces; ``number`` tells it apart."""
        tx_hash = digest("unordered", tx.hash, number)
        return replace(tx, hash=tx_hash, nonce=0, type=LEGACY, ordered=False)

    @property
    def slot(self) -> tuple[str, int]:
        """Sender and nonce: of all transactions with the same slot, one at most is mined.

        Where nonces mean nothing, each transaction has a slot of its own.
        """
        return (self.sender, self.nonce) if self.ordered else (self.hash, 0)

    @property
    def gas_used(self) -> int:
        """Gas that mining it takes, whether it succeeds or reverts."""
        return intrinsic_gas(self.data)

    @property
    def highest_cost(self) -> int:
        """What its sender must own for it to be taken."""
        return self.value + self.gas * self.max_fee

    def gas_price(self, base_fee: int) -> int:
        """Price per gas that it pays in a block with this base fee."""
        return min(self.max_fee, base_fee + self.priority_fee)

    def outbids(self, other: "Transaction") -> bool:
        """Say whether both fees are 10 % over those of ``other``, as nodes ask of a replacement."""
        return (
            self.max_fee * 10 >= other.max_fee * 11
            and self.priority_fee * 10 >= other.priority_fee * 11
        )

    def replacement(self, kind: Replacement) -> "Transaction":
        """Build the transaction that takes this one's slot, at an eighth more in fees."""
        if kind not in REPLACEMENTS:
            raise ValueError(f"a replacement is one of {REPLACEMENTS}, got {kind!r}")
        return Transaction.create(
            chain_id=self.chain_id,
            sender=self.sender,
            nonce=self.nonce,
            to=self.sender if kind == "cancelled" else self.to,
            value={"repriced": self.value, "cancelled": 0, "replaced": self.value + 1}[kind],
            data="0x" if kind == "cancelled" else self.data,
            max_fee=self.max_fee * 9 // 8 + 1,
            priority_fee=self.priority_fee * 9 // 8 + 1,
        )


def intrinsic_gas(data: str) -> int:
    """Count the gas of a call with this data: this node executes nothing that costs more."""
    return TRANSFER_GAS + _GAS_PER_BYTE * (len(data) - 2) // 2
