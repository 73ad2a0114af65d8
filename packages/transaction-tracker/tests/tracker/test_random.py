"""Random lives of transactions, and what the chain itself says became of them."""

import random
from dataclasses import replace

import pytest

from beamish import process
from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from txtrack_devnode import Chain, ChainError, DevelopmentNode, Transaction
from txtrack_devnode.chain import ORPHANS
from txtrack_devnode.transaction import REPLACEMENTS

from .support import PATIENCE, caught_up, history

CONFIRMATIONS = 4
STEPS = 60


class Life:
    """One random run: a node, transactions that things happen to, an application that watches."""

    def __init__(self, seed: int, node: DevelopmentNode, settings: Settings) -> None:
        self.random = random.Random(seed)
        self.node = node
        self.chain = node.chain
        self.settings = settings
        self.tracked: list[Transaction] = []
        self.untracked: list[Transaction] = []
        self.app = TransactionTrackerApplication(settings)

    async def step(self) -> None:
        steps = [self.send, self.send, self.track, self.track, self.replace, self.drop]
        steps += [self.mine, self.mine, self.mine, self.reorganise, self.crash, self.restart]
        await self.random.choice(steps)()

    async def send(self) -> None:
        sender, to = self.random.sample(self.chain.accounts, 2)
        reverts = self.random.choice([None, None, None, "odd"])
        self.untracked.append(self.chain.submit(sender, to, 1, reverts=reverts))

    async def track(self) -> None:
        if self.untracked:
            tx = self.untracked.pop(self.random.randrange(len(self.untracked)))
            await TransactionTracker.start(tx.hash)
            self.tracked.append(tx)

    async def replace(self) -> None:
        if self.chain.pool:
            tx = self.random.choice(self.chain.pool)
            winner = self.chain.replace(tx.hash, self.random.choice(REPLACEMENTS))
            self.untracked.append(winner)

    async def drop(self) -> None:
        if self.chain.pool:
            self.chain.drop(self.random.choice(self.chain.pool).hash)

    async def mine(self) -> None:
        self.chain.mine(self.random.randint(1, 2))
        if self.random.random() < 0.7:
            await caught_up(self.app, self.node)

    async def reorganise(self) -> None:
        # Never as deep as what is final: what has ended would come back to life.
        deepest = min(CONFIRMATIONS - 1, self.chain.head.number)
        if deepest:
            depth = self.random.randint(1, deepest)
            length = self.random.choice([depth, depth + 1])
            self.chain.reorg(depth, self.random.choice(ORPHANS), length=length)

    async def crash(self) -> None:
        if self.tracked:
            pid = TransactionTracker.lookup(self.random.choice(self.tracked).hash)
            if pid is not None:
                process.exit(pid, "boom")

    async def restart(self) -> None:
        if self.random.random() < 0.3:
            await self.app.__aexit__(None, None, None)
            self.app = TransactionTrackerApplication(self.settings)
            await self.app.__aenter__()

    async def end(self) -> None:
        """Let everything that can be mined be final."""
        self.chain.mine(CONFIRMATIONS + 1)
        await caught_up(self.app, self.node)

    def truth(self, tx: Transaction) -> set[str]:
        """The states that the chain allows a transaction to be in at the end."""
        winner = next(
            (
                other
                for number in range(self.chain.head.number + 1)
                for other in self.chain.block(number).transactions  # type: ignore[union-attr]
                if other.slot == tx.slot
            ),
            None,
        )
        if winner is None:
            return {"pending", "missing", "registered"}
        mined = self.chain.mined(tx.hash)
        if mined is None:
            # One that the node had forgotten when it was registered: nobody can say its slot.
            return {"replaced", "missing", "registered"}
        return {"failed" if mined.block.revert_reason(tx.hash) is not None else "confirmed"}


@pytest.mark.parametrize("seed", range(12))
async def test_no_random_life_ends_in_a_wrong_state(settings: Settings, seed: int) -> None:
    async with DevelopmentNode(chain=Chain(accounts=6, seed=seed)) as node:
        settings = replace(settings, rpc_url=node.url, confirmations=CONFIRMATIONS)
        life = Life(seed, node, settings)
        await life.app.__aenter__()
        for _ in range(STEPS):
            try:
                await life.step()
            except ChainError:
                continue  # the chain refuses what makes no sense
        await life.end()
        try:
            for tx in life.tracked:
                await check(life, tx)
        finally:
            await life.app.__aexit__(None, None, None)


async def check(life: Life, tx: Transaction) -> None:
    """One that was mined before it was registered may need a moment more than a block."""
    allowed = life.truth(tx)
    if allowed & {"confirmed", "failed"}:
        await TransactionTracker.wait(tx.hash, timeout=PATIENCE)
    tracked = await TransactionTracker.status(tx.hash)
    states = await history(tx.hash)

    assert tracked.state in allowed, (tx, states)
    # Who was never heard of is still registered, and nobody else is.
    assert (tracked.state == "registered") == (states == [])
    assert states == [] or states[-1] == tracked.state
