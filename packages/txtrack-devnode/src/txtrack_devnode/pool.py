"""The pool: transactions that are known and in no block."""

from collections.abc import Callable, Iterable, Iterator

from txtrack_devnode.transaction import Transaction


class Pool:
    """Waiting transactions in the order they came, at most one per sender and nonce."""

    def __init__(self) -> None:
        self._by_hash: dict[str, Transaction] = {}
        self._by_slot: dict[tuple[str, int], Transaction] = {}
        self._next_nonce: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._by_hash)

    def __iter__(self) -> Iterator[Transaction]:
        return iter(self._by_hash.values())

    def get(self, tx_hash: str) -> Transaction | None:
        """Find a waiting transaction."""
        return self._by_hash.get(tx_hash)

    def rival(self, tx: Transaction) -> Transaction | None:
        """Find the waiting transaction with the sender and nonce of ``tx``."""
        return self._by_slot.get(tx.slot)

    def add(self, tx: Transaction) -> None:
        """Take ``tx`` in, in place of its rival if there is one."""
        rival = self.rival(tx)
        if rival is not None:
            del self._by_hash[rival.hash]
        self._by_hash[tx.hash] = tx
        self._by_slot[tx.slot] = tx

    def put_back(self, transactions: Iterable[Transaction]) -> None:
        """Take orphaned transactions in, before those that came later."""
        later = self._by_hash
        self._by_hash = {}
        self._next_nonce.clear()
        for tx in transactions:
            self.add(tx)
        self._by_hash.update(later)

    def drop(self, tx_hash: str) -> bool:
        """Forget a transaction, which may leave a gap in its sender's nonces."""
        tx = self._remove(tx_hash)
        if tx is not None:
            self._next_nonce.pop(tx.sender, None)
        return tx is not None

    def mined(self, transactions: Iterable[Transaction]) -> None:
        """Forget transactions that are in a block now."""
        for tx in transactions:
            self._remove(tx.hash)

    def forget_used(self, sender: str, nonce: int) -> None:
        """Forget the sender's transactions below ``nonce``: no block can take them any more."""
        used = [tx for tx in self._by_hash.values() if tx.sender == sender and tx.nonce < nonce]
        for tx in used:
            self._remove(tx.hash)

    def copy(self) -> "Pool":
        """Return a pool that changes independently of this one."""
        other = Pool()
        for tx in self:
            other.add(tx)
        return other

    def forget_nonces(self) -> None:
        """Work every next nonce out anew: blocks have been undone."""
        self._next_nonce.clear()

    def next_nonce(self, sender: str, mined: int) -> int:
        """Tell the first free nonce of ``sender``, who has ``mined`` transactions in blocks."""
        # Remembered, because a sender may have 10,000 waiting: counting them for each would not do.
        nonce = max(mined, self._next_nonce.get(sender, 0))
        while (sender, nonce) in self._by_slot:
            nonce += 1
        self._next_nonce[sender] = nonce
        return nonce

    def executable(self, nonce: Callable[[str], int], base_fee: int) -> Iterator[Transaction]:
        """Yield what a block can hold: no gap in any sender's nonces, no fee under the base fee.

        In order of arrival, except that a transaction waits for its sender's lower nonces.
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

    def fitting(
        self, nonce: Callable[[str], int], base_fee: int, gas_limit: int
    ) -> list[Transaction]:
        """Choose what the next block holds."""
        chosen, gas = [], 0
        for tx in self.executable(nonce, base_fee):
            gas += tx.gas_used
            if gas > gas_limit:
                break
            chosen.append(tx)
        return chosen

    def _remove(self, tx_hash: str) -> Transaction | None:
        tx = self._by_hash.pop(tx_hash, None)
        if tx is not None:
            del self._by_slot[tx.slot]
        return tx
