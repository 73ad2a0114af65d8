"""Random payments, replacements, losses and reorganisations: no end is ever false."""

import os
import random
from pathlib import Path

import pytest

from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from txtrack_devnode.bitcoin import (
    COIN,
    BitcoinChain,
    BitcoinNode,
    BitcoinTransaction,
    Coin,
    RejectedError,
    key_script,
)

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .support import caught_up

CONFIRMATIONS = 3
STEPS = 40
MAX_ROUNDS = 100
SEEDS = int(os.environ.get("BITCOIN_LIVES", "3"))


_ACTS = [
    *("pay", "pay", "several", "child", "replace", "double"),
    *("mine", "mine", "evict", "reorganise"),
]


class Life:
    """What a seed does to a network.

    Attributes:
        sent: All transactions that were ever sent, by id.
    """

    def __init__(self, chain: BitcoinChain, seed: int) -> None:
        self.chain = chain
        self.random = random.Random(seed)
        self.sent: dict[str, BitcoinTransaction] = {}

    def act(self) -> BitcoinTransaction | None:
        """Do one thing; return the new transaction, if there is one."""
        names = [
            "pay",
            "pay",
            "several",
            "child",
            "replace",
            "double",
            "mine",
            "mine",
            "evict",
            "reorganise",
        ]
        name = self.random.choice(names)
        try:
            made: BitcoinTransaction | None = getattr(self, name)()
        except RejectedError:
            return None
        if made is not None:
            self.sent[made.id] = made
        return made

    def pay(self) -> BitcoinTransaction:
        return self.chain.pay(fee=self.random.randrange(1_000, 2_000))

    def several(self) -> BitcoinTransaction:
        return self.chain.pay(spends=self.chain.coins(self.random.randrange(2, 5)))

    def child(self) -> BitcoinTransaction | None:
        waiting = list(self.chain.mempool.values())
        if not waiting:
            return None
        parent = self.random.choice(waiting)
        coin = Coin(parent.id, 1)
        there = self.chain.unspent(with_mempool=True)
        return self.chain.pay(spends=[coin], value=1_000) if coin in there else None

    def replace(self) -> BitcoinTransaction | None:
        waiting = list(self.chain.mempool.values())
        if not waiting:
            return None
        old = self.random.choice(waiting)
        coins = self.random.sample(old.spends, self.random.randrange(1, len(old.spends) + 1))
        return self.chain.pay(spends=coins, fee=20_000 + self.random.randrange(20_000))

    def double(self) -> BitcoinTransaction | None:
        """Mine a transaction that no mempool has had, in place of one that waits."""
        waiting = [
            each
            for each in self.chain.mempool.values()
            if not {coin.id for coin in each.spends} & set(self.chain.mempool)
        ]
        if not waiting:
            return None
        spends = self.random.choice(waiting).spends[:1]
        thief = BitcoinTransaction(spends, ((COIN // 2, key_script("thief")),))
        self.chain.mine(transactions=[thief])
        return thief

    def mine(self) -> None:
        self.chain.mine()

    def evict(self) -> None:
        if self.chain.mempool:
            self.chain.evict(self.random.choice(list(self.chain.mempool)))

    def reorganise(self) -> None:
        depth = self.random.randrange(1, CONFIRMATIONS)
        removed = [each.id for block in self.chain.blocks[-depth:] for each in block.transactions]
        forget = [key for key in removed if self.random.random() < 0.3]
        self.chain.reorganise(depth, forget=forget)

    def allowed(self, transaction: BitcoinTransaction) -> set[str]:
        """Return the states in which a transaction can be, once all blocks are applied."""
        found = self.chain.find(transaction.id)
        if found is not None and found[1] is not None and self.chain.is_active(found[1]):
            return {"confirmed"}
        if transaction.id in self.chain.mempool:
            return {"pending"}
        spent = {
            coin
            for block in self.chain.blocks
            for each in block.transactions
            for coin in each.spends
        }
        return {"replaced"} if spent & set(transaction.spends) else {"dropped"}


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("txindex", [True, False])
async def test_no_random_life_has_a_false_end(
    tmp_path: Path, clock: Clock, seed: int, txindex: bool
) -> None:
    async with BitcoinNode() as node:
        node.state.txindex = txindex
        life = Life(node.chain, seed)
        settings = Settings(
            node.url,
            type="bitcoin",
            confirmations=CONFIRMATIONS,
            database=tmp_path / "test.db",
            poll_interval=0.01,
            block_time=0.02,
            drop_after_blocks=2,
            drop_after_seconds=0.0,
        )
        async with TransactionTrackerApplication(settings) as app:
            await caught_up(app, node)
            for _ in range(STEPS):
                made = life.act()
                if made is not None:
                    await TransactionTracker.start(made.id)
                if life.random.random() < 0.5:
                    await caught_up(app, node)
            node.chain.mine(CONFIRMATIONS + 1)
            await caught_up(app, node)
            for transaction in life.sent.values():
                await ended(life, app, node, clock, transaction)


async def ended(
    life: Life,
    app: TransactionTrackerApplication,
    node: BitcoinNode,
    clock: Clock,
    transaction: BitcoinTransaction,
) -> None:
    """Check the end of a transaction; mine until it has one, if it must have one."""
    allowed = life.allowed(transaction)
    tracked = await TransactionTracker.status(transaction.id)
    # Without an index, nothing says that an old block does not have it.
    can_drop = node.state.txindex or not tracked.slots
    wanted = allowed if can_drop or allowed != {"dropped"} else {"missing", "dropped"}
    if not tracked.slots:
        # No node has shown it: nothing says which outputs it spends.
        wanted = wanted | {"dropped", "registered", "missing"}
    for _ in range(MAX_ROUNDS):
        if tracked.state in wanted or (tracked.state, tracked.reason) == ("dropped", "conflicted"):
            break
        assert not tracked.ended, (tracked, wanted)
        clock.advance(5.0)  # questions about single transactions become rarer with time
        node.chain.mine(transactions=[])
        await caught_up(app, node)
        tracked = await TransactionTracker.status(transaction.id)
    else:
        pytest.fail(f"{tracked} must be in one of {wanted}")
    if tracked.state == "replaced":
        winner = life.chain.find(str(tracked.superseded_by))
        assert winner is not None
        assert set(winner[0].spends) & set(transaction.spends)
