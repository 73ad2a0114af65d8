"""The transaction pool: transactions that are not in a block yet."""

from collections.abc import Callable, Iterable, Iterator

from txtrack_devnode.transaction import Transaction


class TransactionPool:
    """Pending transactions in order of arrival, at most one per sender and nonce."""

    def __init__(self) -> None:
        self._by_hash: dict[str, Transaction] = {}
        self._by_slot: dict[tuple[str, int], Transaction] = {}
        self._next_nonces: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._by_hash)

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._by_hash.values())

    def get(self, tx_hash: str) -> Transaction | None:
        """Return a pending transaction, or ``None``."""
        return self._by_hash.get(tx_hash)

    def rival(self, tx: Transaction) -> Transaction | None:
        """Return the pending transaction with the sender and nonce of ``tx``, or ``None``."""
        return self._by_slot.get(tx.slot)

    def add(self, tx: Transaction) -> None:
        """Add ``tx``; it replaces the pending transaction with its sender and nonce, if any."""
        rival = self.rival(tx)
        if rival is not None:
            del self._by_hash[rival.hash]
        self._by_hash[tx.hash] = tx
        self._by_slot[tx.slot] = tx

    def put_back(self, transactions: Iterable[Transaction]) -> None:
        """Add orphaned transactions before all that arrived later."""
        later = self._by_hash
        self._by_hash = {}
        self._next_nonces.clear()
        for tx in transactions:
            self.add(tx)
        self._by_hash.update(later)

    def drop(self, tx_hash: str) -> bool:
        """Remove a transaction, which can leave a gap in its sender's nonces."""
        tx = self._pop(tx_hash)
        if tx is not None:
            self._next_nonces.pop(tx.sender, None)
        return tx is not None

    def remove(self, transactions: Iterable[Transaction]) -> None:
        """Remove transactions that were mined."""
        for tx in transactions:
            self._pop(tx.hash)

    def remove_used(self, sender: str, nonce: int) -> None:
        """Remove the sender's transactions below ``nonce``: they can no longer be mined."""
        used = [tx for tx in self._by_hash.values() if tx.sender == sender and tx.nonce < nonce]
        for tx in used:
            self._pop(tx.hash)

    def copy(self) -> "TransactionPool":
        """Return an independent copy."""
        other = TransactionPool()
        for tx in self:
            other.add(tx)
        return other

    def clear_next_nonces(self) -> None:
        """Discard the cached next nonces; required when blocks were removed."""
        self._next_nonces.clear()

    def next_nonce(self, sender: str, mined: int) -> int:
        """Return the first free nonce of ``sender``, who has used ``mined`` nonces in blocks."""
        # Cached: a sender can have 10,000 pending transactions, and counting them for each new one
        # would take quadratic time.
        nonce = max(mined, self._next_nonces.get(sender, 0))
        while (sender, nonce) in self._by_slot:
            nonce += 1
        self._next_nonces[sender] = nonce
        return nonce

    def executable(self, nonce: Callable[[str], int], base_fee: int) -> Iterator[Transaction]:
        """Yield the transactions that can be mined: no nonce gap, no fee below the base fee.

        They come in order of arrival, but each after the lower nonces of its sender.
        """
        expected: dict[str, int] = {}
        early: dict[tuple[str, int], Transaction] = {}
        for arrived in self._by_hash.values():
            if arrived.max_fee < base_fee:
                continue
            if not arrived.ordered:
                yield arrived
                continue
            sender = arrived.sender
            early[arrived.slot] = arrived
            following = expected.get(sender)
            following = nonce(sender) if following is None else following
            while (tx := early.pop((sender, following), None)) is not None:
                yield tx
                following += 1
                for item in tx.authorizations:
                    used = expected.get(item.authority, nonce(item.authority))
                    expected[item.authority] = used + (item.nonce == used)
            expected[sender] = following

    def next_block(
        self, nonce: Callable[[str], int], base_fee: int, gas_limit: int
    ) -> list[Transaction]:
        """Return the transactions of the next block: as many as its gas limit allows."""
        chosen, gas = [], 0
        for tx in self.executable(nonce, base_fee):
            gas += tx.gas_used
            if gas > gas_limit:
                break
            chosen.append(tx)
        return chosen

    def _pop(self, tx_hash: str) -> Transaction | None:
        tx = self._by_hash.pop(tx_hash, None)
        if tx is not None:
            del self._by_slot[tx.slot]
        return tx
