"""Random lives of transactions, at nodes that misbehave, and what the chain says of them."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from beamish import process
from transaction_tracker import (
    Policy,
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
from .details import Details
from .halts import HaltWatch
from .hostility import Hostility
from .ingredients import World
from .oracle import DROP_SECONDS, Oracle
from .world import SimulatedNode

CONFIRMATIONS = 4
STEPS = 60
# The longest pause of a provider after errors is a minute; what takes longer than this hangs.
PATIENCE_SECONDS = 1_000.0
# Blocks that come while the last is heard of: what is missing needs some to be dropped.
LATER_BLOCKS = 8
FINAL: frozenset[State] = frozenset(("confirmed", "failed", "replaced", "expired", "untracked"))
ENDED = FINAL | {"dropped"}
# What a transaction can be without an end.
OPEN: frozenset[State] = frozenset(
    ("registered", "pending", "missing", "mined", "mined_reverted", "superseded", "dropped")
)
# Nobody mines a transaction that offers this little.
NOTHING = {"max_fee": 1, "priority_fee": 0}


class Life:
    """One random run: a chain, the nodes that tell of it, and an application that listens.

    Attributes:
        tracked: The transactions that somebody registered.
        hopeless: Those that will never be mined, and have a deadline.
        stopped: Those that somebody wanted to hear no more of.
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
        self.hostility = Hostility(self)
        self.halts = HaltWatch(self)
        self.details = Details(
            self.chain, self.world.receipts, self.world.scope, exact=self.world.is_exact
        )
        self.running = False
        self.tracked: list[Transaction] = []
        self.untracked: list[Transaction] = []
        self.hopeless: set[str] = set()
        self.stopped: set[str] = set()
        self.settings = Settings(
            providers=tuple(ProviderSettings(SecretUrl(node.url)) for node in self.nodes),
            chain_id=self.chain.chain_id,
            confirmations=CONFIRMATIONS,
            database=database,
            policy=Policy(drop_blocks=3, drop_seconds=DROP_SECONDS, stuck_seconds=30.0),
        )
        self.app = self.application()

    def application(self) -> TransactionTrackerApplication:
        return TransactionTrackerApplication(self.settings, on_event=self.oracle.hear)

    async def run(self) -> None:
        """Live, end, and be judged."""
        self.hostility.begin()
        await self.app.__aenter__()
        self.running = True
        watching = asyncio.create_task(self.halts.run())
        try:
            for _ in range(STEPS):
                await self.step()
            await self.end()
            for tx in self.tracked:
                await self.judge(tx)
            assert not self.halts.untold, (self.halts.untold, str(self.world))
        finally:
            watching.cancel()
            await self.app.__aexit__(None, None, None)

    async def step(self) -> None:
        actions: dict[Callable[[], Awaitable[None]], int] = {
            self.send: 8,
            self.send_hopeless: 1,
            self.track: 8,
            self.stop: 1,
            self.replace: 3,
            self.drop: 3,
            self.put_back: 1,
            self.mine: 12,
            self.reorganise: 4,
            self.break_something: 10,
            self.mend: 3,
            self.go_down: 1,
            self.crash: 3,
            self.crash_the_core: 1,
            self.restart: 1,
            **self.hostility.actions(),
        }
        (action,) = self.random.choices([*actions], [*actions.values()])
        try:
            await action()
        except ChainError:
            return  # the chain refuses what makes no sense
        finally:
            self.oracle.look(self.tracked)
        await asyncio.sleep(self.random.choice([0.0, 0.05, 0.5, 3.0]))

    # -- What people do

    async def send(self) -> None:
        sender, to = self.random.sample(self.chain.accounts, 2)
        reverts = self.random.choice([None, None, None, "odd"])
        # Only a call of code can revert, and it uses all of its gas where no status says so.
        data = "0xab" if reverts else "0x"
        self.untracked.append(self.chain.submit(sender, to, 1, data=data, reverts=reverts))

    async def send_hopeless(self) -> None:
        sender, to = self.random.sample(self.chain.accounts, 2)
        # Far ahead of its sender's others, so that none of them waits for it.
        tx = self.chain.submit(sender, to, 1, nonce=self.random.randrange(10**6, 10**9), **NOTHING)
        self.hopeless.add(tx.hash)
        deadline = time.time() + self.random.uniform(0.0, 30.0)
        await TransactionTracker.start(tx.hash, deadline=deadline)
        self.tracked.append(tx)

    async def track(self) -> None:
        if self.untracked:
            tx = self.untracked.pop(self.random.randrange(len(self.untracked)))
            # A deadline so far away that it says nothing.
            deadline = self.random.choice([None, time.time() + 10**6])
            await TransactionTracker.start(tx.hash, deadline=deadline)
            # Made twice, the same replacement may have been followed and stopped before.
            self.stopped.discard(tx.hash)
            self.tracked.append(tx)

    async def stop(self) -> None:
        if self.tracked:
            tx = self.random.choice(self.tracked)
            if (await TransactionTracker.untrack(tx.hash)).state == "untracked":
                self.stopped.add(tx.hash)
            if self.random.random() < 0.5 and tx.hash in self.stopped:
                await TransactionTracker.start(tx.hash)
                self.stopped.discard(tx.hash)
                self.hopeless.discard(tx.hash)  # its deadline went with the first registration

    async def replace(self) -> None:
        if self.chain.pool:
            tx = self.random.choice(self.chain.pool)
            if tx.hash not in self.hopeless and tx.ordered:
                winner = self.chain.replace(tx.hash, self.random.choice(REPLACEMENTS))
                self.untracked.append(winner)

    # -- What the network does

    async def drop(self) -> None:
        if self.chain.pool:
            self.chain.drop(self.random.choice(self.chain.pool).hash)

    async def put_back(self) -> None:
        gone = [tx for tx in self.tracked if not (tx.system or self.chain.mined(tx.hash))]
        if gone:
            self.chain.add(self.random.choice(gone))

    async def mine(self) -> None:
        self.chain.mine(self.random.randint(1, 2))

    async def reorganise(self) -> None:
        # Never as deep as what is final: what has ended would come back to life.
        final = self.chain.highest - CONFIRMATIONS + 1
        above = range(max(final, 0) + 1, self.chain.head.number + 1)
        deepest = sum(self.chain.block(number) is not None for number in above)
        if deepest:
            depth = self.random.randint(1, deepest)
            length = self.random.choice([depth, depth + 1])
            self.chain.reorg(depth, self.random.choice(ORPHANS), length=length)

    # -- What goes wrong

    async def break_something(self) -> None:
        node = self.random.choice(self.hostility.fallible)
        node.troubles.append(node.node.faults.inject(self.fault()))

    def fault(self) -> Fault:
        chance = self.random.choice([0.1, 0.5, 1.0])
        times = self.random.randint(1, 12)
        some = {"probability": chance, "times": times}
        return self.random.choice(
            [
                StaleNull(**some),
                StaleNull(**some),
                LaggingReceipts(blocks=self.random.randint(1, 3), **some),
                LaggingHead(blocks=self.random.randint(1, 3), **some),
                LaggingHead(blocks=self.random.randint(1, 3), times=40),
                FrozenHead(times=times),
                ForeignReceipt(**some),
                DuplicatedTransaction(**some),
                DuplicatedAnswer(**some),
                WrongId(**some),
                Indexing(**some),
                CallError(**some),
                RefusedBatch(limit=self.random.randint(1, 20), **some),
                RateLimit(retry_after=self.random.choice([None, 0, 2]), **some),
                ServerFailure(**some),
                NotJson(**some),
                CutOff(**some),
                SlowAnswer(seconds=self.random.choice([1.0, 15.0]), **some),
            ]
        )

    async def mend(self) -> None:
        for node in self.nodes:
            for number in node.troubles:
                node.node.faults.clear(number)
            node.troubles.clear()
            node.down = False

    async def go_down(self) -> None:
        self.random.choice(self.hostility.fallible).down = True

    async def crash(self) -> None:
        if self.tracked:
            pid = TransactionTracker.lookup(self.random.choice(self.tracked).hash)
            if pid is not None:
                process.exit(pid, "boom")

    async def crash_the_core(self) -> None:
        process.exit(self.random.choice([FOLLOWER, REGISTRY]), "boom")
        await asyncio.sleep(10.0)  # so that it is not one crash too many for the supervisor

    async def restart(self) -> None:
        self.running = False
        await self.app.__aexit__(None, None, None)
        await self.mend()
        await self.hostility.rejoin()
        self.app = self.application()
        await self.app.__aenter__()
        self.running = True

    # -- The end, and what has to be

    async def end(self) -> None:
        """Let everything that can be mined be final, and everybody hear of it."""
        await self.mend()
        if self.hostility.majority_is_right:
            self.chain.mine(1)
            await self.until(self.is_followed, "while the world is as it is")
        await self.hostility.rejoin()
        self.chain.mine(CONFIRMATIONS + 1)
        await self.until(self.is_followed, "although all providers answer")
        await speed.check(self)
        for _ in range(LATER_BLOCKS):
            await asyncio.sleep(12.0)
            self.chain.mine(1)
        await self.until(self.is_told, "although all providers answer")

    async def until(self, check: Callable[[], Awaitable[str]], when: str) -> None:
        """Wait until nothing is left to do; fail when that never comes."""
        left = ""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while left := await check():
                    await asyncio.sleep(5.0)
        except TimeoutError:
            raise AssertionError(f"{left} {when}: {self.world}") from None

    async def is_followed(self) -> str:
        if self.app.tip is None or self.app.tip.hash != self.chain.head.hash:
            return f"the chain stands at {self.app.tip}, not {self.chain.head.number}"
        return ""

    async def is_told(self) -> str:
        if behind := await self.is_followed():
            return behind
        for tx in self.tracked:
            known = await TransactionTracker.status(tx.hash)
            truth = self.truth(tx, known.slot)
            told = known.state in truth if truth <= ENDED else known.state != "registered"
            if not (told or known.final or self.world.excuses(tx.hash)):
                return f"{tx.hash} is {known.state}, not {sorted(truth)}"
        return ""

    def truth(self, tx: Transaction, slot: str | None) -> set[State]:
        """Give the states that the chain allows a transaction to be in at the end.

        ``slot`` is ``None`` where nobody ever told the tracker which one it is.
        """
        if tx.hash in self.stopped:
            return {"untracked"}
        if tx.hash in self.hopeless:
            return {"expired"}
        mined = self.chain.mined(tx.hash)
        if mined is not None:
            reverted = mined.block.revert_reason(tx.hash) is not None
            return {"failed" if reverted else "confirmed"}
        if tx.ordered and self.chain.nonce(tx.sender) > tx.nonce and slot is not None:
            # Without a winner, an authorization used the nonce up.
            winner = self.oracle.winner(tx)
            if winner is not None and self.world.hides_slot(winner.hash):
                return {"replaced", "dropped"}  # nobody can see that this one took the slot
            return {"dropped"} if winner is None else {"replaced"}
        return {"pending", "missing", "dropped"}

    async def judge(self, tx: Transaction) -> None:
        tracked = await TransactionTracker.status(tx.hash)
        history = await Store.history(tx.hash)
        assert not (false := self.oracle.false_ends(tx)), (tx.hash, false, history, str(self.world))
        if self.world.has_liar:
            assert tx.hash not in self.oracle.lost, (tx.hash, history, str(self.world))
        for event in self.oracle.events[tx.hash]:
            wrong = self.details.wrong(tx, event)
            assert not wrong, (tx.hash, wrong, event, str(self.world))
        truth = self.truth(tx, tracked.slot)
        if self.world.excuses(tx.hash):
            truth |= OPEN
        assert tracked.state in truth, (tx.hash, tracked, history, str(self.world))
        if "balanced" in self.world.has and not self.world.has & {"forks", "shorter"}:
            assert not (left := self.oracle.wrongly_left(tx)), (
                tx.hash,
                left,
                history,
                str(self.world),
            )
        assert [version for version, _ in history] == [*range(1, tracked.version + 1)]
        # What was final was never taken back: no reorganisation went that deep.
        if self.world.can_be_violated:
            return
        assert "finality_violation" not in tracked.flags, (tx.hash, history, str(self.world))
        ends = [state for _, state in history if state in FINAL - {"untracked"}]
        assert len(ends) <= 1, history
