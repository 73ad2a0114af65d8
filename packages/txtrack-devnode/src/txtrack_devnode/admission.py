"""The checks that a transaction passes before it enters the pool."""

from typing import Protocol

from txtrack_devnode.transaction import Transaction, intrinsic_gas


class ChainState(Protocol):
    """What the checks read of a chain."""

    chain_id: int
    gas_limit: int

    def is_account(self, address: str) -> bool:
        """Return whether an address is one of the development accounts."""
        ...

    def pending(self, tx_hash: str) -> object:
        """Return a transaction of the pool, or ``None``."""

    def mined(self, tx_hash: str) -> object:
        """Return a transaction of a block, or ``None``."""

    def nonce(self, address: str) -> int:
        """Return the next nonce of an account."""
        ...

    def balance(self, address: str) -> int:
        """Return the balance of an account in wei."""
        ...


def rejection(chain: ChainState, tx: Transaction) -> str | None:
    """Return why ``chain`` rejects ``tx``, as real nodes word it, or ``None`` if it accepts it."""
    if tx.chain_id != chain.chain_id:
        return f"invalid chain id: this is chain {chain.chain_id}, not {tx.chain_id}"
    if not chain.is_account(tx.sender):
        return f"unknown account {tx.sender}: eth_accounts lists the accounts that can send"
    if chain.pending(tx.hash) or chain.mined(tx.hash):
        return f"already known: {tx.hash}"
    if tx.nonce < chain.nonce(tx.sender):
        return f"nonce too low: next nonce {chain.nonce(tx.sender)}, got {tx.nonce}"
    if not intrinsic_gas(tx.data) <= tx.gas <= chain.gas_limit:
        return (
            f"gas must be {intrinsic_gas(tx.data)} to {chain.gas_limit} (the block's limit), "
            f"got {tx.gas}"
        )
    if any(item.authority == tx.sender for item in tx.authorizations):
        return "the authorizations must be from accounts other than the sender"
    if tx.max_cost > (owned := chain.balance(tx.sender)):
        return f"insufficient funds for gas * price + value: have {owned}, want {tx.max_cost}"
    return None
