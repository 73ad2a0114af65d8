"""A random life: transactions at faulty nodes, and the states that the chain allows."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from beamish import process
from transaction_tracker import (
    ProviderSettings,
    Settings,
    State,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.sources.ethereum import SecretUrl
from transaction_tracker.store import Store
from transaction_tracker.tracker import FOLLOWER, REGISTRY
from txtrack_devnode import Chain, ChainError, Transaction
from txtrack_devnode.chain import ORPHANS
from txtrack_devnode.faults import (
    CallError,
    CutOff,
    DuplicatedAnswer,
    DuplicatedTransaction,
    Fault,
    ForeignReceipt,
    FrozenHead,
    Indexing,
    LaggingHead,
    LaggingReceipts,
    NotJson,
    RateLimit,
    RefusedBatch,
    ServerFailure,
    SlowAnswer,
    StaleNull,
    WrongId,
)
from txtrack_devnode.transaction import REPLACEMENTS

from . import speed
from .adversary import Adversary
from .details import Details
from .halts import BLOCK_SECONDS, HaltWatch
from .ingredients import World
from .oracle import DROP_SECONDS, Oracle
from .world import SimulatedNode

CONFIRMATIONS = 4
STEPS = 60
# Longer than the longest pause of a provider after errors, which is 960 s.
TIMEOUT_SECONDS = 1_000.0
# Blocks that are mined at the end: a missing transaction needs some until it is dropped.
LATER_BLOCKS = 8
FINAL: frozenset[State] = frozenset(("confirmed", "failed", "replaced", "expired", "untracked"))
ENDED = FINAL | {"dropped"}
# The states of a transaction without an end.
OPEN: frozenset[State] = frozenset(
    ("registered", "pending", "missing", "mined", "mined_reverted", "superseded", "dropped")
)
# Fees so low that the transaction is never mined.
TOO_LOW = {"max_fee": 1, "priority_fee": 0}


class Life:
    """One random life: a chain, its nodes, and an application that tracks transactions.

    Attributes:
        sent: Transactions that were sent and are not tracked yet.
        tracked: Transactions that were registered.
        unminable: Transactions that are never mined, and have a deadline.
        untracked: Transactions that were untracked.
        running: Whether the application has started and not stopped.
    """

    def __init__(self, seed: int, database: Path, world: World | None = None) -> None:
        self.random = random.Random(seed)
        self.world = World() if world is None else world
        self.chain = Chain(
            accounts=6, seed=seed, chain_id=self.world.chain_id, rules=self.world.rules
        )
        names = ("one", "two", "three")[: self.world.providers]
        self.nodes = [SimulatedNode(name, self.chain, seed) for name in names]
        self.oracle = Oracle(self.chain, CONFIRMATIONS)
        self.adversary = Adversary(self)
        self.halts = HaltWatch(self)
        self.details = Details(
            self.chain, self.world.receipts, self.world.scope, exact=self.world.is_exact
        )
        self.running = False
        self.tracked: list[Transaction] = []
        self.sent: list[Transaction] = []
        self.unminable: set[str] = set()
        self.untracked: set[str] = set()
        self.settings = Settings(
            providers=tuple(ProviderSettings(SecretUrl(node.url)) for node in self.nodes),
            chain_id=self.chain.chain_id,
            confirmations=CONFIRMATIONS,
            database=database,
            drop_after_blocks=3,
            drop_after_seconds=DROP_SECONDS,
            stuck_after=30.0,
        )
        self.app = self.application()

    def application(self) -> TransactionTrackerApplication:
        return TransactionTrackerApplication(self.settings, on_event=self.oracle.record_event)

    async def run(self) -> None:
        """Run the life, finish it, and check the result."""
        self.adversary.start()
        await self.app.__aenter__()
        self.running = True
        watching = asyncio.create_task(self.halts.run())
        try:
            for _ in range(STEPS):
                await self.step()
            await self.finish()
            for tx in self.tracked:
                await self.check(tx)
            assert not self.halts.unreported, (self.halts.unreported, str(self.world))
        finally:
            watching.cancel()
            await self.app.__aexit__(None, None, None)

    async def step(self) -> None:
        actions: dict[Callable[[], Awaitable[None]], int] = {
            self.send: 8,
            self.send_unminable: 1,
            self.track: 8,
            self.untrack: 1,
            self.replace: 3,
            self.drop: 3,
            self.resubmit: 1,
            self.mine: 12,
            self.reorganise: 4,
            self.inject_fault: 10,
            self.clear_faults: 3,
            self.take_down: 1,
            self.crash_tracker: 3,
            self.crash_core: 1,
            self.restart: 1,
            **self.adversary.actions(),
        }
        (action,) = self.random.choices([*actions], [*actions.values()])
        try:
            await action()
        except ChainError:
            return  # the chain refuses an impossible action
        finally:
            self.oracle.update(self.tracked)
        await asyncio.sleep(self.random.choice([0.0, 0.05, 0.5, 3.0]))

    # -- Users

    async def send(self) -> None:
        sender, to = self.random.sample(self.chain.accounts, 2)
        reverts = self.random.choice([None, None, None, "odd"])
        # Only a call with data can revert; without a status, the use of all gas shows that.
        data = "0xab" if reverts else "0x"
        self.sent.append(self.chain.submit(sender, to, 1, data=data, reverts=reverts))

    async def send_unminable(self) -> None:
        sender, to = self.random.sample(self.chain.accounts, 2)
        # The nonce is far above those of the sender's other transactions, so none waits for it.
        tx = self.chain.submit(sender, to, 1, nonce=self.random.randrange(10**6, 10**9), **TOO_LOW)
        self.unminable.add(tx.hash)
        deadline = time.time() + self.random.uniform(0.0, 30.0)
        await TransactionTracker.start(tx.hash, deadline=deadline)
        self.tracked.append(tx)

    async def track(self) -> None:
        if self.sent:
            tx = self.sent.pop(self.random.randrange(len(self.sent)))
            # A deadline so far away that it has no effect.
            deadline = self.random.choice([None, time.time() + 10**6])
            await TransactionTracker.start(tx.hash, deadline=deadline)
            # The same replacement can have been made, tracked and untracked before.
            self.untracked.discard(tx.hash)
            self.tracked.append(tx)

    async def untrack(self) -> None:
        if self.tracked:
            tx = self.random.choice(self.tracked)
            if (await TransactionTracker.untrack(tx.hash)).state == "untracked":
                self.untracked.add(tx.hash)
            if self.random.random() < 0.5 and tx.hash in self.untracked:
                await TransactionTracker.start(tx.hash)
                self.untracked.discard(tx.hash)
                self.unminable.discard(tx.hash)  # the second registration has no deadline

    async def replace(self) -> None:
        if self.chain.pool:
            tx = self.random.choice(self.chain.pool)
            if tx.hash not in self.unminable and tx.ordered:
                winner = self.chain.replace(tx.hash, self.random.choice(REPLACEMENTS))
                self.sent.append(winner)

    # -- The network

    async def drop(self) -> None:
        if self.chain.pool:
            self.chain.drop(self.random.choice(self.chain.pool).hash)

    async def resubmit(self) -> None:
        gone = [tx for tx in self.tracked if not (tx.system or self.chain.mined(tx.hash))]
        if gone:
            self.chain.add(self.random.choice(gone))

    async def mine(self) -> None:
        self.chain.mine(self.random.randint(1, 2))

    async def reorganise(self) -> None:
        # Never as deep as a final block, whose transactions have ended.
        final = self.chain.highest - CONFIRMATIONS + 1
        above = range(max(final, 0) + 1, self.chain.head.number + 1)
        deepest = sum(self.chain.block(number) is not None for number in above)
        if deepest:
            depth = self.random.randint(1, deepest)
            length = self.random.choice([depth, depth + 1])
            self.chain.reorg(depth, self.random.choice(ORPHANS), length=length)

    # -- Faults

    async def inject_fault(self) -> None:
        node = self.random.choice(self.adversary.fault_targets)
        node.fault_numbers.append(node.node.faults.inject(self.random_fault()))

    def random_fault(self) -> Fault:
        chance = self.random.choice([0.1, 0.5, 1.0])
        times = self.random.randint(1, 12)
        limits = {"probability": chance, "times": times}
        return self.random.choice(
            [
                StaleNull(**limits),
                StaleNull(**limits),
                LaggingReceipts(blocks=self.random.randint(1, 3), **limits),
                LaggingHead(blocks=self.random.randint(1, 3), **limits),
                LaggingHead(blocks=self.random.randint(1, 3), times=40),
                FrozenHead(times=times),
                ForeignReceipt(**limits),
                DuplicatedTransaction(**limits),
                DuplicatedAnswer(**limits),
                WrongId(**limits),
                Indexing(**limits),
                CallError(**limits),
                RefusedBatch(limit=self.random.randint(1, 20), **limits),
                RateLimit(retry_after=self.random.choice([None, 0, 2]), **limits),
                ServerFailure(**limits),
                NotJson(**limits),
                CutOff(**limits),
                SlowAnswer(seconds=self.random.choice([1.0, 15.0]), **limits),
            ]
        )

    async def clear_faults(self) -> None:
        for node in self.nodes:
            for number in node.fault_numbers:
                node.node.faults.clear(number)
            node.fault_numbers.clear()
            node.down = False

    async def take_down(self) -> None:
        self.random.choice(self.adversary.fault_targets).down = True

    async def crash_tracker(self) -> None:
        if self.tracked:
            pid = TransactionTracker.lookup(self.random.choice(self.tracked).hash)
            if pid is not None:
                process.exit(pid, "boom")

    async def crash_core(self) -> None:
        process.exit(self.random.choice([FOLLOWER, REGISTRY]), "boom")
        await asyncio.sleep(10.0)  # otherwise, the supervisor could reach its restart limit

    async def restart(self) -> None:
        self.running = False
        await self.app.__aexit__(None, None, None)
        await self.clear_faults()
        await self.adversary.rejoin()
        self.app = self.application()
        await self.app.__aenter__()
        self.running = True

    # -- The end, and its checks

    async def finish(self) -> None:
        """Make all transactions that can be mined final, and wait until this is reported."""
        await self.clear_faults()
        if self.adversary.majority_is_right:
            self.chain.mine(1)
            await self.wait_until(self.missing_head, "with the permanent faults")
        await self.adversary.rejoin()
        self.chain.mine(CONFIRMATIONS + 1)
        await self.wait_until(self.missing_head, "although all providers are on the chain")
        await speed.check(self)
        for _ in range(LATER_BLOCKS):
            await self.mine_later()
        await self.wait_until(self.missing_at_growth, "although all providers are on the chain")

    async def wait_until(self, find_missing: Callable[[], Awaitable[str]], when: str) -> None:
        """Wait until nothing is missing; fail after ``TIMEOUT_SECONDS``."""
        missing = ""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                while missing := await find_missing():
                    await asyncio.sleep(5.0)
        except TimeoutError:
            raise AssertionError(f"{missing} {when}: {self.world}") from None

    async def mine_later(self) -> None:
        await asyncio.sleep(BLOCK_SECONDS)
        self.chain.mine(1)

    async def missing_at_growth(self) -> str:
        """Return a description of a state that is not reported, after another block.

        A transaction that is found missing late needs later blocks until it is dropped. A chain
        that is not followed gets no blocks: they could hide that it is stuck.
        """
        missing = await self.missing_state()
        if missing and not await self.missing_head():
            await self.mine_later()
        return missing

    async def missing_head(self) -> str:
        """Return a description of the head that is not applied; empty if it is."""
        if self.app.tip is None or self.app.tip.hash != self.chain.head.hash:
            return f"the tip is {self.app.tip}, not {self.chain.head.number}"
        return ""

    async def missing_state(self) -> str:
        """Return a description of a state that is not reported; empty if all are."""
        if behind := await self.missing_head():
            return behind
        for tx in self.tracked:
            known = await TransactionTracker.status(tx.hash)
            allowed = self.allowed_states(tx, known.slots)
            is_open = not allowed <= ENDED
            reported = known.state != "registered" if is_open else known.state in allowed
            if not (reported or known.final or self.world.excuses(tx.hash)):
                return f"{tx.hash} is {known.state}, not {sorted(allowed)}"
        return ""

    def allowed_states(self, tx: Transaction, slots: tuple[str, ...]) -> set[State]:
        """Return the states in which a transaction can be at the end, by the chain.

        ``slots`` is empty if no node has ever sent the sender and nonce of the transaction.
        """
        if tx.hash in self.untracked:
            return {"untracked"}
        if tx.hash in self.unminable:
            # A dropped transaction has ended; the deadline counts while a node has it.
            is_pending = self.chain.pending(tx.hash) is not None
            return {"expired"} if is_pending else {"expired", "dropped"}
        mined = self.chain.mined(tx.hash)
        if mined is not None:
            reverted = mined.block.revert_reason(tx.hash) is not None
            return {"failed" if reverted else "confirmed"}
        if tx.ordered and self.chain.nonce(tx.sender) > tx.nonce and slots:
            # Without a winner, an authorization has used the nonce.
            winner = self.oracle.winner(tx)
            if winner is not None and self.world.hides_slot(winner.hash):
                return {"replaced", "dropped"}  # no node shows that the winner has this slot
            return {"dropped"} if winner is None else {"replaced"}
        return {"pending", "missing", "dropped"}

    async def check(self, tx: Transaction) -> None:
        tracked = await TransactionTracker.status(tx.hash)
        history = await Store.history(tx.hash)
        assert not (false := self.oracle.false_ends(tx)), (tx.hash, false, history, str(self.world))
        if self.world.has_dishonest:
            assert tx.hash not in self.oracle.lost, (tx.hash, history, str(self.world))
        for event in self.oracle.events[tx.hash]:
            wrong = self.details.wrong(tx, event)
            assert not wrong, (tx.hash, wrong, event, str(self.world))
        allowed = self.allowed_states(tx, tracked.slots)
        if self.world.excuses(tx.hash):
            allowed |= OPEN
        assert tracked.state in allowed, (tx.hash, tracked, history, str(self.world))
        if "balanced" in self.world.has and not self.world.has & {"forks", "shorter"}:
            assert not (left := self.oracle.wrongly_left(tx)), (
                tx.hash,
                left,
                history,
                str(self.world),
            )
        assert [version for version, _ in history] == [*range(1, tracked.version + 1)]
        # No final state was taken back: no reorganisation was that deep.
        if self.world.can_be_violated:
            return
        assert "finality_violation" not in tracked.flags, (tx.hash, history, str(self.world))
        ends = [state for _, state in history if state in FINAL - {"untracked"}]
        assert len(ends) <= 1, history
