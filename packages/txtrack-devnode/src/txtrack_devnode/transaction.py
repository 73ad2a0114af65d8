"""A transaction: an immutable value, the same in the pool and in a block."""

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
    """An authorization (EIP-7702): uses ``nonce`` of ``authority``, which sends nothing itself."""

    authority: str
    nonce: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction; amounts in wei, ``data`` in hexadecimal.

    Attributes:
        type: 2 (dynamic fees) for most, 4 if it has authorizations, another number for system
            transactions.
        system: Whether the chain itself made it. Such a transaction pays no fee and uses no
            nonce.
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
        """Build a transaction; its hash depends on its content. Default gas: exactly enough."""
        gas = intrinsic_gas(data) if gas is None else gas
        content = (chain_id, sender, nonce, to, value, data, gas, max_fee, priority_fee)
        if not authorizations:
            return cls(digest("transaction", *content), *content)
        tx_hash = digest("transaction", *content, *authorizations)
        return cls(tx_hash, *content, SET_CODE, tuple(authorizations))

    @classmethod
    def unordered(cls, tx: "Transaction", number: int) -> "Transaction":
        """Convert a transaction for a chain without account nonces; ``number`` makes it unique."""
        tx_hash = digest("unordered", tx.hash, number)
        return replace(tx, hash=tx_hash, nonce=0, type=LEGACY, ordered=False)

    @property
    def slot(self) -> tuple[str, int]:
        """Sender and nonce: at most one transaction per slot can be mined.

        On a chain without account nonces, each transaction has its own slot.
        """
        return (self.sender, self.nonce) if self.ordered else (self.hash, 0)

    @property
    def gas_used(self) -> int:
        """Gas that it uses, whether it succeeds or reverts."""
        return intrinsic_gas(self.data)

    @property
    def max_cost(self) -> int:
        """Balance that its sender must have for the pool to accept it."""
        return self.value + self.gas * self.max_fee

    def gas_price(self, base_fee: int) -> int:
        """Return the price per gas that it pays in a block with this base fee."""
        return min(self.max_fee, base_fee + self.priority_fee)

    def outbids(self, other: "Transaction") -> bool:
        """Return whether both fees are 10 % above those of ``other``, as a replacement needs."""
        return (
            self.max_fee * 10 >= other.max_fee * 11
            and self.priority_fee * 10 >= other.priority_fee * 11
        )

    def replacement(self, kind: Replacement) -> "Transaction":
        """Build a transaction with the same slot and fees that are an eighth higher."""
        if kind not in REPLACEMENTS:
            raise ValueError(f"kind must be one of {REPLACEMENTS}, got {kind!r}")
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
    """Return the gas of a call with this data; execution itself costs nothing here."""
    return TRANSFER_GAS + _GAS_PER_BYTE * (len(data) - 2) // 2
