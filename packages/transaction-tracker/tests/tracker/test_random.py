"""Random lives of transactions, compared with the chain itself."""

import random

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
    """One random run: a node, its transactions, and an application that tracks them."""

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
        # Never as deep as a final block: a final transaction would become pending again.
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
        """Mine until all transactions that can be mined are final."""
        self.chain.mine(CONFIRMATIONS + 1)
        await caught_up(self.app, self.node)

    def truth(self, tx: Transaction) -> set[str]:
        """Return the states that the chain allows for a transaction at the end."""
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
            # The node had dropped it before it was registered, so its slot is unknown.
            return {"replaced", "missing", "registered"}
        return {"failed" if mined.block.revert_reason(tx.hash) is not None else "confirmed"}


@pytest.mark.seeds(12)
async def test_random_lives_end_in_states_that_the_chain_allows(
    settings: Settings, seed: int
) -> None:
    async with DevelopmentNode(chain=Chain(accounts=6, seed=seed)) as node:
        settings = settings.replace(rpc_url=node.url, confirmations=CONFIRMATIONS)
        life = Life(seed, node, settings)
        await life.app.__aenter__()
        for _ in range(STEPS):
            try:
                await life.step()
            except ChainError:
                continue  # the chain rejects impossible steps
        await life.end()
        try:
            for tx in life.tracked:
                await check(life, tx)
        finally:
            await life.app.__aexit__(None, None, None)


async def check(life: Life, tx: Transaction) -> None:
    """Check the state; a transaction mined before its registration can need one more moment."""
    allowed = life.truth(tx)
    if allowed & {"confirmed", "failed"}:
        await TransactionTracker.wait(tx.hash, timeout=PATIENCE)
    tracked, states = await TransactionTracker.status(tx.hash), await history(tx.hash)
    # A change between the two readings is in one of them only: then read them again.
    while tracked != (latest := await TransactionTracker.status(tx.hash)):
        tracked, states = latest, await history(tx.hash)

    assert tracked.state in allowed, (tx, states)
    # A transaction is registered exactly if it has no events.
    assert (tracked.state == "registered") == (states == [])
    assert states == [] or states[-1] == tracked.state
