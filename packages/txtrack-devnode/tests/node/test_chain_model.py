"""Random histories, and the invariants that a chain must keep."""

from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from txtrack_devnode import GWEI, Chain, Transaction
from txtrack_devnode.chain import ORPHANS, Orphans
from txtrack_devnode.transaction import REPLACEMENTS, Replacement

ACCOUNTS = 3


class ChainMachine(RuleBasedStateMachine):
    """Plays submissions, replacements, drops, blocks and reorgs in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.chain = Chain(accounts=ACCOUNTS, gas_limit=4 * 21_000)
        self.known: dict[str, Transaction] = {}

    @rule(sender=st.integers(0, ACCOUNTS - 1), ahead=st.sampled_from([0, 0, 0, 1]))
    def submit(self, sender: int, ahead: int) -> None:
        account = self.chain.accounts[sender]
        nonce = self.chain.pending_nonce(account) + ahead
        # Another value each time: the same transaction twice would be "already known". Behind a
        # gap the slot may be taken, by one that must be outbid.
        rivals = [tx for tx in self.chain.pool if tx.slot == (account, nonce)]
        fee = 2 * max([GWEI, *(tx.max_fee for tx in rivals)])
        tx = self.chain.submit(
            account, account, len(self.known), nonce=nonce, max_fee=fee, priority_fee=fee
        )
        self.known[tx.hash] = tx

    @precondition(lambda self: self.chain.pool)
    @rule(data=st.data(), kind=st.sampled_from(REPLACEMENTS))
    def replace(self, data: st.DataObject, kind: Replacement) -> None:
        waiting = data.draw(st.sampled_from(self.chain.pool))
        tx = self.chain.replace(waiting.hash, kind)
        self.known[tx.hash] = tx

    @precondition(lambda self: self.chain.pool)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        assert self.chain.drop(data.draw(st.sampled_from(self.chain.pool)).hash)

    @rule(count=st.integers(1, 3))
    def mine(self, count: int) -> None:
        height = self.chain.head.number
        self.chain.mine(count)
        assert self.chain.head.number == height + count

    @precondition(lambda self: self.chain.head.number > 0)
    @rule(
        data=st.data(),
        orphans=st.sampled_from(ORPHANS),
        length=st.one_of(st.none(), st.integers(1, 4)),
    )
    def reorg(self, data: st.DataObject, orphans: Orphans, length: int | None) -> None:
        depth = data.draw(st.integers(1, min(4, self.chain.head.number)))
        self.chain.reorg(depth, orphans, length=length)

    @precondition(lambda self: self.chain.head.number > 0)
    @rule(orphans=st.sampled_from(ORPHANS))
    def rollback(self, orphans: Orphans) -> None:
        self.chain.rollback(1, orphans)

    @invariant()
    def blocks_are_linked_by_their_parents(self) -> None:
        blocks = [self.chain.block(number) for number in range(self.chain.head.number + 1)]
        for parent, child in pairwise(blocks):
            assert parent is not None
            assert child is not None
            assert child.parent_hash == parent.hash
            assert child.number == parent.number + 1
            assert self.chain.block_by_hash(child.hash) is child

    @invariant()
    def every_transaction_is_in_one_place_at_most(self) -> None:
        for tx_hash in self.known:
            mined = self.chain.mined(tx_hash)
            assert not (mined and self.chain.pending(tx_hash))
            if mined:
                assert mined.block.transactions[mined.index] is mined.transaction
                assert self.chain.is_canonical(mined.block)

    @invariant()
    def mined_nonces_of_a_sender_have_no_gap_and_no_double(self) -> None:
        for account in self.chain.accounts:
            nonces = [
                tx.nonce
                for number in range(self.chain.head.number + 1)
                for tx in self.chain.block(number).transactions  # type: ignore[union-attr]
                if tx.sender == account
            ]
            assert nonces == list(range(self.chain.nonce(account)))

    @invariant()
    def slots_of_the_pool_are_distinct_and_unused(self) -> None:
        slots = [tx.slot for tx in self.chain.pool]
        assert len(slots) == len(set(slots))
        for sender, nonce in slots:
            assert nonce >= self.chain.nonce(sender)
            assert (sender, self.chain.pending_nonce(sender)) not in slots


ChainMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestChain = ChainMachine.TestCase
