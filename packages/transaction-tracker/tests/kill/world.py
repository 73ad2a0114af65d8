"""The chain and its two nodes, which go on whatever becomes of the program, and what people do."""

import random
import time
from collections.abc import Callable
from typing import Any

from transaction_tracker import State
from txtrack_devnode import Block, Chain, ChainError, DevelopmentNode, Transaction
from txtrack_devnode.chain import ORPHANS
from txtrack_devnode.faults import (
    Fault,
    Indexing,
    LaggingHead,
    LaggingReceipts,
    SlowAnswer,
    StaleNull,
)
from txtrack_devnode.transaction import REPLACEMENTS

from .operating import Command, Operator

CONFIRMATIONS = 3
# Nobody mines a transaction that offers this little.
NOTHING = {"max_fee": 1, "priority_fee": 0}
# Not about blocks: a program that is told by all nodes that there is no first block does not start.
_ABOUT_TRANSACTIONS = frozenset(("eth_getTransactionByHash", "eth_getTransactionReceipt"))


class World:
    """A chain, and people who use it and have the program follow their transactions.

    Args:
        seed: Decides all that happens, and in which order.

    Attributes:
        asked: All that somebody wanted to be followed, by id.
        followed: Those of which the program has said that it follows them.
        stopped: Those of which it has said that it follows them no more.
        hopeless: Those that will never be mined, and have a deadline.
        blocks: All that there ever were, by hash.
    """

    def __init__(self, seed: object) -> None:
        self.random = random.Random(f"world:{seed}")
        self.chain = Chain(accounts=8, seed=seed)
        self.nodes = [DevelopmentNode(chain=self.chain, seed=f"{n}:{seed}") for n in range(2)]
        self.asked: dict[str, Transaction] = {}
        self.followed: set[str] = set()
        self.stopped: set[str] = set()
        self.hopeless: set[str] = set()
        self.blocks: dict[str, Block] = {self.chain.head.hash: self.chain.head}
        self.chain.watch(self._note)
        self._new: list[Transaction] = []
        self._busy: set[str] = set()

    def _note(self, block: Block) -> None:
        self.blocks[block.hash] = block

    def act(self, operator: Operator) -> str:
        """Let one thing happen, and give its name."""
        actions: dict[Callable[[Operator], None], int] = {
            self.send: 10,
            self.follow: 8,
            self.follow_many: 2,
            self.send_hopeless: 1,
            self.stop: 1,
            self.replace: 3,
            self.drop: 2,
            self.mine: 6,
            self.reorganise: 4,
            self.trouble: 2,
            self.mend: 1,
        }
        (action,) = self.random.choices([*actions], [*actions.values()])
        try:
            action(operator)
        except ChainError:
            return f"{action.__name__}, refused"  # the chain refuses what makes no sense
        return action.__name__

    # -- What people want of the program

    def follow(self, operator: Operator) -> None:
        if self._new:
            self._ask(operator, "start", self._take_new())

    def follow_many(self, operator: Operator) -> None:
        count = min(len(self._new), self.random.randint(2, 6))
        if count:
            self._ask(operator, "start_many", *(self._take_new() for _ in range(count)))

    def send_hopeless(self, operator: Operator) -> None:
        sender, to = self._people()
        # Far ahead of its sender's others, so that none of them waits for it.
        tx = self.chain.submit(sender, to, 1, nonce=self.random.randrange(10**6, 10**9), **NOTHING)
        self.hopeless.add(tx.hash)
        self._ask(operator, "start", tx, deadline=time.time() + self.random.uniform(0.0, 2.0))

    def stop(self, operator: Operator) -> None:
        idle = [key for key in self.asked if key in self.followed and key not in self._busy]
        if idle:
            key = self.random.choice(idle)
            self._ask(operator, "untrack", self.asked[key])

    def done(self, operator: Operator, command: Command, answer: Any) -> None:
        """Note what the program has said that it has done."""
        self._busy.difference_update(command.ids)
        if command.do.startswith("start"):
            self.followed.update(command.ids)
            self.stopped.difference_update(command.ids)
        elif command.do == "untrack" and answer == "untracked":
            self.stopped.update(command.ids)
            if self.random.random() < 0.5:
                # Its deadline goes with its first registration.
                self.hopeless.difference_update(command.ids)
                self._ask(operator, "start", self.asked[command.ids[0]])

    def _ask(
        self, operator: Operator, do: str, *txs: Transaction, deadline: float | None = None
    ) -> None:
        ids = tuple(tx.hash for tx in txs)
        self.asked |= {tx.hash: tx for tx in txs}
        self._busy.update(ids)
        operator.tell(do, *ids, deadline=deadline)

    def _take_new(self) -> Transaction:
        return self._new.pop(self.random.randrange(len(self._new)))

    # -- What they do on the chain

    def send(self, _: Operator) -> None:
        sender, to = self._people()
        reverts = self.random.choice([None, None, None, "odd"])
        self._new.append(self.chain.submit(sender, to, 1, reverts=reverts))

    def replace(self, _: Operator) -> None:
        waiting = [tx for tx in self.chain.pool if tx.hash not in self.hopeless]
        if waiting:
            loser = self.random.choice(waiting)
            winner = self.chain.replace(loser.hash, self.random.choice(REPLACEMENTS))
            # The same one may have been made before, and have been dropped.
            if winner.hash not in self.asked and winner not in self._new:
                self._new.append(winner)

    def drop(self, _: Operator) -> None:
        if self.chain.pool:
            self.chain.drop(self.random.choice(self.chain.pool).hash)

    def _people(self) -> list[str]:
        return self.random.sample(self.chain.accounts, 2)

    # -- What the network does

    def mine(self, _: Operator) -> None:
        self.chain.mine()

    def reorganise(self, _: Operator) -> None:
        # Never as deep as what is final: what has ended would come back to life.
        deepest = min(CONFIRMATIONS - 1, self.chain.head.number)
        if deepest:
            depth = self.random.randint(1, deepest)
            length = self.random.choice([depth, depth + 1])
            self.chain.reorg(depth, self.random.choice(ORPHANS), length=length)

    def trouble(self, _: Operator) -> None:
        """Let a node tell what is not so; neither so badly that it is left alone for long."""
        self.random.choice(self.nodes).faults.inject(self._fault())

    def mend(self, _: Operator) -> None:
        for node in self.nodes:
            node.faults.clear()

    def _fault(self) -> Fault:
        times = self.random.randint(1, 10)
        return self.random.choice(
            [
                StaleNull(times=times, methods=_ABOUT_TRANSACTIONS),
                LaggingReceipts(blocks=self.random.randint(1, 2), times=times),
                LaggingHead(blocks=self.random.randint(1, 2), times=times),
                Indexing(times=times),
                SlowAnswer(seconds=self.random.choice([0.02, 0.2]), times=times),
            ]
        )

    # -- What has to be at the end

    def end(self, operator: Operator) -> None:
        """Let everything that can be mined be final."""
        self.mend(operator)
        self.chain.mine(CONFIRMATIONS + 1)

    def truth(self, key: str) -> set[State]:
        """Give the states that the chain allows a transaction to be in when all is over."""
        tx = self.asked[key]
        if key in self.stopped:
            return {"untracked"}
        mined = self.chain.mined(key)
        if mined is not None:
            return {"confirmed" if mined.block.revert_reason(key) is None else "failed"}
        if key in self.hopeless:
            return {"expired", "dropped"}  # whichever comes first
        if self.chain.pending(key) is not None:
            return {"pending"}
        gone: set[State] = {"missing", "dropped"}
        if self.chain.nonce(tx.sender) > tx.nonce:
            # One that nobody had heard of when it was registered: nobody can say its slot.
            return {"replaced", *gone}
        return gone
