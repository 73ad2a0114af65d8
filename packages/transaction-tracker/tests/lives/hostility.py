"""What the world's nodes do to one life, besides the trouble that passes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from transaction_tracker import TransactionTracker
from txtrack_devnode import Authorization, Chain, Transaction
from txtrack_devnode.faults import Fault, Forked, ResetChain

from .halts import LIMIT_SECONDS, TELLING_SECONDS
from .world import SimulatedNode

if TYPE_CHECKING:
    from .life import Life

# More than the tracker keeps: 64 blocks beyond the confirmations.
DEEP = 100
_BELOW_FINAL = 3


class Hostility:
    """The world of one life at work.

    The first provider is the liar, if there is one: trouble then strikes it alone, since nobody
    can tell a truth that no honest provider answers.

    Attributes:
        told_at: When the first provider last went to another branch.
    """

    def __init__(self, life: "Life") -> None:
        self._life = life
        self._world = life.world
        self._random = life.random
        self._chain = life.chain
        self._liar = life.nodes[0]
        self._lie: int | None = None
        self.told_at = 0.0

    @property
    def fallible(self) -> list[SimulatedNode]:
        """The nodes that trouble can strike."""
        return [self._liar] if self._world.has_liar else self._life.nodes

    @property
    def majority_is_right(self) -> bool:
        """Whether most providers are on the chain proper."""
        return self._lie is None or self._world.providers > 2

    def begin(self) -> None:
        """Let the providers do what they do all the time; make room for deep branches."""
        for node in self._life.nodes:
            own = self._world.own if node is self._liar else ()
            for fault in (*self._world.common, *own):
                node.node.faults.inject(fault)
        if self._world.has & {"forks", "shorter"} and self._random.random() < 0.75:
            self._chain.mine(DEEP + 20)
        if "pruned" in self._world.has:
            self._chain.mine(10)  # or the head itself would be gone

    def actions(self) -> dict[Callable[[], Awaitable[None]], int]:
        """List what can happen in this world, each with its weight."""
        has = self._world.has
        table: list[tuple[str, Callable[[], Awaitable[None]], int]] = [
            ("forks", self.split, 3),
            ("forks", self.mine_fork, 3),
            ("shorter", self.shorten, 2),
            ("system", self.track_system, 3),
            ("nullrounds", self.skip, 3),
            ("authorizations", self.authorize, 4),
            ("authorizations", self.replace_with_authorization, 3),
            ("fast", self.mine_many, 4),
            ("silence", self.fall_silent, 1),
        ]
        chosen = {action: weight for name, action, weight in table if name in has}
        if has & {"forks", "shorter"}:
            chosen[self.rejoin] = 2
        return chosen

    # -- The providers

    async def split(self) -> None:
        """Put the first provider on a branch of its own."""
        depth = self._random.choice([2, self._random.randint(1, 10), DEEP, DEEP])
        depth = max(1, min(depth, self._chain.depth))
        if self._world.providers == 1:
            # It must stay below the head, and too short for an end: there is nobody to ask.
            length, grows = min(self._random.randint(1, _BELOW_FINAL), depth - 1), False
        else:
            # One against one, a branch that is higher could as well be the chain proper.
            highest = depth + 3 if self._world.providers == 3 else depth
            length = self._random.randint(1, min(highest, 12))
            grows = self._random.random() < 0.5
        self._tell(Forked(depth=depth, length=length, grows=grows))
        if self._random.random() < 0.5:
            self._forget_on_the_chain_proper(self._chain.forks[-1], length)

    def _forget_on_the_chain_proper(self, fork: Chain, length: int) -> None:
        """Drop what waits on the chain proper and is in the blocks of the branch."""
        for number in range(fork.head.number - length + 1, fork.head.number + 1):
            block = fork.block(number)
            for tx in block.transactions if block else ():
                self._chain.drop(tx.hash)

    async def mine_fork(self) -> None:
        """Let the branch of the first provider go on for a while."""
        if self._lie is None or self._world.providers == 1:
            return
        fork = self._chain.forks[-1]
        room = self._chain.head.number - fork.head.number + 3 * (self._world.providers == 3)
        if room > 0:
            fork.mine(min(room, self._random.randint(1, 6)))

    async def shorten(self) -> None:
        """Let the first provider come back with a shorter chain, or with another one."""
        length = self._random.randint(0, _BELOW_FINAL)
        depth = self._chain.depth
        if depth <= length:
            return
        grows = self._world.providers > 1 and self._random.random() < 0.5
        kinds: list[Fault] = [
            Forked(depth=depth, length=length, grows=grows),
            Forked(depth=self._random.randint(1, depth), length=0),
            ResetChain(length=length, grows=grows),
        ]
        self._tell(self._random.choice(kinds))

    async def rejoin(self) -> None:
        """Bring the first provider back to the chain proper."""
        if self._lie is not None:
            self._liar.node.faults.clear(self._lie)
            self._lie = None

    def _tell(self, lie: Fault) -> None:
        if self._lie is not None:
            self._liar.node.faults.clear(self._lie)
        self._lie = self._liar.node.faults.inject(lie)
        self.told_at = time.monotonic()

    async def fall_silent(self) -> None:
        """Let no provider answer until it must have been told that the chain stands still."""
        for node in self._life.nodes:
            node.down = True
        self._chain.mine(1)
        await asyncio.sleep(LIMIT_SECONDS + TELLING_SECONDS + 5.0)
        await self._life.mend()

    # -- The chain

    async def track_system(self) -> None:
        """Register one of the chain's own transactions, new or not."""
        low = max(1, self._chain.head.number - 3)
        blocks = [self._chain.block(n) for n in range(low, self._chain.head.number + 1)]
        known = {tx.hash for tx in self._life.tracked}
        made = [
            tx
            for block in blocks
            for tx in (block.transactions if block else ())
            if tx.system and tx.hash not in known
        ]
        if made:
            tx = self._random.choice(made)
            await TransactionTracker.start(tx.hash)
            self._life.tracked.append(tx)

    async def skip(self) -> None:
        """Leave numbers without a block."""
        self._chain.skip(self._random.randint(1, 3))

    async def authorize(self) -> None:
        """Use up a nonce of an account by another one's transaction, in place of its own."""
        authority, sponsor = self._random.sample(self._chain.accounts, 2)
        nonce = self._chain.nonce(authority)
        for tx in self._chain.pool:
            if tx.slot == (authority, nonce) and tx.hash not in self._life.hopeless:
                self._chain.drop(tx.hash)
                self._follow(tx)
        sent = self._chain.submit(
            sponsor, authority, authorizations=[Authorization(authority, nonce)]
        )
        self._life.untracked.append(sent)

    async def replace_with_authorization(self) -> None:
        """Replace a transaction by the same one, or by nothing, and one authorization."""
        waiting = [tx for tx in self._chain.pool if tx.ordered and not tx.authorizations]
        waiting = [tx for tx in waiting if tx.hash not in self._life.hopeless]
        if not waiting:
            return
        tx = self._random.choice(waiting)
        plain = tx.replacement(self._random.choice(["repriced", "cancelled"]))
        # The authorization itself is void: it only makes the transaction another one.
        authorizations = [Authorization(self._random.choice(self._chain.accounts), 10**9)]
        winner = Transaction.create(
            chain_id=plain.chain_id,
            sender=plain.sender,
            nonce=plain.nonce,
            to=plain.to,
            value=plain.value,
            data=plain.data,
            max_fee=plain.max_fee,
            priority_fee=plain.priority_fee,
            authorizations=authorizations,
        )
        self._chain.add(winner)
        self._life.untracked.append(winner)

    def _follow(self, tx: Transaction) -> None:
        if tx not in self._life.tracked and tx not in self._life.untracked:
            self._life.untracked.append(tx)

    async def mine_many(self) -> None:
        """Mine more blocks than a chain of 12 s has in minutes."""
        self._chain.mine(self._random.randint(10, 60))
        if self._random.random() < 0.5:
            # Between two requests of the tracker for them.
            await asyncio.sleep(self._random.uniform(0.0, 1.5))
            await self._life.reorganise()
