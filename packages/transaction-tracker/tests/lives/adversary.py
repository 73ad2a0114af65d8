"""The permanent faults and special actions of one life, other than temporary faults."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from transaction_tracker import TransactionTracker
from txtrack_devnode import Authorization, Chain, Transaction
from txtrack_devnode.faults import Fault, Forked, ResetChain

from .halts import LIMIT_SECONDS, REPORT_SECONDS
from .world import SimulatedNode

if TYPE_CHECKING:
    from .life import Life

# More than the tracker keeps: 64 blocks beyond the confirmations.
DEEP = 100
_BELOW_FINAL = 3


class Adversary:
    """Applies the faults and the special actions of a world to one life.

    Only the first provider can be dishonest. If it is, temporary faults are injected into it
    alone: the truth cannot be found without a response of an honest provider.

    Attributes:
        branch_changed_at: When the first provider last changed to another branch.
    """

    def __init__(self, life: "Life") -> None:
        self._life = life
        self._world = life.world
        self._random = life.random
        self._chain = life.chain
        self._first = life.nodes[0]
        self._branch: int | None = None
        self.branch_changed_at = 0.0

    @property
    def fault_targets(self) -> list[SimulatedNode]:
        """The nodes that can get temporary faults."""
        return [self._first] if self._world.has_dishonest else self._life.nodes

    @property
    def majority_is_right(self) -> bool:
        """Whether most providers are on the canonical chain."""
        return self._branch is None or self._world.providers > 2

    def start(self) -> None:
        """Inject the permanent faults, and mine enough blocks for deep branches."""
        for node in self._life.nodes:
            own = self._world.own if node is self._first else ()
            for fault in (*self._world.common, *own):
                node.node.faults.inject(fault)
        if self._world.has & {"forks", "shorter"} and self._random.random() < 0.75:
            self._chain.mine(DEEP + 20)
        if "pruned" in self._world.has:
            self._chain.mine(10)  # otherwise, the head itself would be pruned

    def actions(self) -> dict[Callable[[], Awaitable[None]], int]:
        """Return the special actions of this world, each with its weight."""
        has = self._world.has
        table: list[tuple[str, Callable[[], Awaitable[None]], int]] = [
            ("forks", self.split, 3),
            ("forks", self.mine_fork, 3),
            ("shorter", self.shorten, 2),
            ("system", self.track_system, 3),
            ("nullrounds", self.skip_numbers, 3),
            ("authorizations", self.authorize, 4),
            ("authorizations", self.replace_with_authorization, 3),
            ("fast", self.mine_many, 4),
            ("silence", self.silence, 1),
        ]
        chosen = {action: weight for name, action, weight in table if name in has}
        if has & {"forks", "shorter"}:
            chosen[self.rejoin] = 2
        return chosen

    # -- The providers

    async def split(self) -> None:
        """Move the first provider to its own branch."""
        depth = self._random.choice([2, self._random.randint(1, 10), DEEP, DEEP])
        depth = max(1, min(depth, self._chain.depth))
        if self._world.providers == 1:
            # Below the head and too short for an end: no other provider can contradict it.
            length, grows = min(self._random.randint(1, _BELOW_FINAL), depth - 1), False
        else:
            # Of two providers, one on a higher branch could as well be on the canonical chain.
            highest = depth + 3 if self._world.providers == 3 else depth
            length = self._random.randint(1, min(highest, 12))
            grows = self._random.random() < 0.5
        self._set_branch(Forked(depth=depth, length=length, grows=grows))
        if self._random.random() < 0.5:
            self._drop_on_canonical_chain(self._chain.forks[-1], length)

    def _drop_on_canonical_chain(self, fork: Chain, length: int) -> None:
        """Drop the transactions of the branch that are pending on the canonical chain."""
        for number in range(fork.head.number - length + 1, fork.head.number + 1):
            block = fork.block(number)
            for tx in block.transactions if block else ():
                self._chain.drop(tx.hash)

    async def mine_fork(self) -> None:
        """Mine blocks on the branch of the first provider."""
        if self._branch is None or self._world.providers == 1:
            return
        fork = self._chain.forks[-1]
        room = self._chain.head.number - fork.head.number + 3 * (self._world.providers == 3)
        if room > 0:
            fork.mine(min(room, self._random.randint(1, 6)))

    async def shorten(self) -> None:
        """Move the first provider to a shorter chain, or to another one."""
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
        self._set_branch(self._random.choice(kinds))

    async def rejoin(self) -> None:
        """Move the first provider back to the canonical chain."""
        if self._branch is not None:
            self._first.node.faults.clear(self._branch)
            self._branch = None

    def _set_branch(self, fault: Fault) -> None:
        if self._branch is not None:
            self._first.node.faults.clear(self._branch)
        self._branch = self._first.node.faults.inject(fault)
        self.branch_changed_at = time.monotonic()

    async def silence(self) -> None:
        """Take all providers down until the halt of the chain must have been reported."""
        for node in self._life.nodes:
            node.down = True
        self._chain.mine(1)
        await asyncio.sleep(LIMIT_SECONDS + REPORT_SECONDS + 5.0)
        await self._life.clear_faults()

    # -- The chain

    async def track_system(self) -> None:
        """Track one of the chain's own transactions, from one of the last blocks."""
        low = max(1, self._chain.head.number - 3)
        blocks = [self._chain.block(n) for n in range(low, self._chain.head.number + 1)]
        known = {tx.hash for tx in self._life.tracked}
        candidates = [
            tx
            for block in blocks
            for tx in (block.transactions if block else ())
            if tx.system and tx.hash not in known
        ]
        if candidates:
            tx = self._random.choice(candidates)
            await TransactionTracker.start(tx.hash)
            self._life.tracked.append(tx)

    async def skip_numbers(self) -> None:
        """Skip block numbers."""
        self._chain.skip(self._random.randint(1, 3))

    async def authorize(self) -> None:
        """Use a nonce of an account by an authorization in another account's transaction."""
        authority, sponsor = self._random.sample(self._chain.accounts, 2)
        nonce = self._chain.nonce(authority)
        for tx in self._chain.pool:
            if tx.slot == (authority, nonce) and tx.hash not in self._life.unminable:
                self._chain.drop(tx.hash)
                self._track_later(tx)
        sponsored = self._chain.submit(
            sponsor, authority, authorizations=[Authorization(authority, nonce)]
        )
        self._life.sent.append(sponsored)

    async def replace_with_authorization(self) -> None:
        """Replace a transaction by the same or an empty one with an authorization."""
        pending = [tx for tx in self._chain.pool if tx.ordered and not tx.authorizations]
        pending = [tx for tx in pending if tx.hash not in self._life.unminable]
        if not pending:
            return
        tx = self._random.choice(pending)
        plain = tx.replacement(self._random.choice(["repriced", "cancelled"]))
        # The authorization itself is void: it only makes the transaction a different one.
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
        self._life.sent.append(winner)

    def _track_later(self, tx: Transaction) -> None:
        if tx not in self._life.tracked and tx not in self._life.sent:
            self._life.sent.append(tx)

    async def mine_many(self) -> None:
        """Mine more blocks than a chain of 12 s has in minutes."""
        self._chain.mine(self._random.randint(10, 60))
        if self._random.random() < 0.5:
            # While the tracker fetches these blocks.
            await asyncio.sleep(self._random.uniform(0.0, 1.5))
            await self._life.reorganise()
