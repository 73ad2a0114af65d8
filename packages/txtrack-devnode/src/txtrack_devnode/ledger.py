"""Balances and nonces of all accounts, at every height."""

from bisect import bisect_right
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field

from txtrack_devnode.transaction import Transaction


@dataclass(slots=True)
class _Timeline:
    """A number by block height, which `rewind` restores to an earlier height."""

    heights: list[int] = field(default_factory=lambda: [0])
    values: list[int] = field(default_factory=lambda: [0])

    def at(self, height: int) -> int:
        return self.values[bisect_right(self.heights, height) - 1]

    def set(self, height: int, value: int) -> None:
        if self.heights[-1] == height:
            self.values[-1] = value
        else:
            self.heights.append(height)
            self.values.append(value)

    def rewind(self, height: int) -> None:
        kept = bisect_right(self.heights, height)
        del self.heights[kept:], self.values[kept:]


class Ledger:
    """Balance and next nonce of each account, by block height."""

    def __init__(self, accounts: Iterable[str], endowment: int) -> None:
        self._balances = {name: _Timeline(values=[endowment]) for name in accounts}
        self._nonces: dict[str, _Timeline] = {}

    def balance(self, address: str, height: int | None = None) -> int:
        """Return the balance of ``address`` after the block at ``height``, or now."""
        return self._read(self._balances, address, height)

    def nonce(self, address: str, height: int | None = None) -> int:
        """Return the next nonce of ``address`` after the block at ``height``, or now."""
        return self._read(self._nonces, address, height)

    def execute(self, tx: Transaction, height: int, base_fee: int, *, reverts: bool) -> bool:
        """Charge the fee of a transaction and move its value; return whether the value moved."""
        if tx.system:
            return True
        self._use_nonces(tx, height)
        fee = tx.gas_used * tx.gas_price(base_fee)
        owned = self.balance(tx.sender)
        moved = not reverts and owned >= fee + tx.value
        self._set_balance(tx.sender, height, max(0, owned - fee) - (tx.value if moved else 0))
        if moved and tx.to is not None:
            self._set_balance(tx.to, height, self.balance(tx.to) + tx.value)
        return moved

    def rewind(self, transactions: Iterable[Transaction], height: int) -> None:
        """Undo what ``transactions`` changed above ``height``."""
        for tx in transactions:
            for signer in (tx.sender, *(item.authority for item in tx.authorizations)):
                if signer in self._nonces:
                    self._nonces[signer].rewind(height)
            for address in (tx.sender, tx.to):
                if address in self._balances:
                    self._balances[address].rewind(height)

    def copy(self) -> "Ledger":
        """Return an independent copy."""
        return deepcopy(self)

    def _use_nonces(self, tx: Transaction, height: int) -> None:
        """Use a nonce of the sender, and one of the authority of each valid authorization."""
        if not tx.ordered:
            return
        self._nonces.setdefault(tx.sender, _Timeline()).set(height, tx.nonce + 1)
        for item in tx.authorizations:
            # An authorization with another nonce is skipped; the transaction is valid (EIP-7702).
            if item.nonce == self.nonce(item.authority):
                self._nonces.setdefault(item.authority, _Timeline()).set(height, item.nonce + 1)

    def _set_balance(self, address: str, height: int, value: int) -> None:
        self._balances.setdefault(address, _Timeline()).set(height, value)

    @staticmethod
    def _read(timelines: dict[str, _Timeline], address: str, height: int | None) -> int:
        timeline = timelines.get(address)
        if timeline is None:
            return 0
        return timeline.values[-1] if height is None else timeline.at(height)
