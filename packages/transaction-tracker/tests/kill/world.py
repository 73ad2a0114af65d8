"""The chain, its two nodes and its users, which continue while the program is killed."""

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
# Number of addresses that are watched, at different times.
WATCHED = 3
_WATCH_SHARE = 0.2
_ANNOUNCED_SHARE = 0.5
# Fees so low that the transaction is never mined.
TOO_LOW = {"max_fee": 1, "priority_fee": 0}
# Without the block methods: the program does not start if no node has the first block.
_ABOUT_TRANSACTIONS = frozenset(("eth_getTransactionByHash", "eth_getTransactionReceipt"))


class World:
    """A chain, and users who send transactions and have them tracked by the program.

    Args:
        seed: Seed of all actions and their order.

    Attributes:
        submitted: All transactions, by id.
        requested: All transactions whose tracking was requested, by id.
        tracked: Transactions whose tracking the program has acknowledged.
        untracked: Transactions whose untracking the program has acknowledged.
        unminable: Transactions that are never mined, and have a deadline.
        left: Transactions that the program has untracked at some time.
        watched: Addresses whose watching the program has acknowledged.
        blocks: All blocks that ever existed, by hash.
    """

    def __init__(self, seed: object) -> None:
        self.random = random.Random(f"world:{seed}")
        self.chain = Chain(accounts=8, seed=seed)
        self.nodes = [DevelopmentNode(chain=self.chain, seed=f"{n}:{seed}") for n in range(2)]
        self.submitted: dict[str, Transaction] = {}
        self.requested: dict[str, Transaction] = {}
        self.tracked: set[str] = set()
        self.untracked: set[str] = set()
        self.unminable: set[str] = set()
        self.left: set[str] = set()
        self.watched: set[str] = set()
        self.blocks: dict[str, Block] = {self.chain.head.hash: self.chain.head}
        self.chain.watch(self._record_block)
        self._new: list[Transaction] = []
        self._busy: set[str] = set()
        self._customers = frozenset(self.random.sample(self.chain.accounts, WATCHED))
        self._to_watch = sorted(self._customers)

    def _record_block(self, block: Block) -> None:
        self.blocks[block.hash] = block

    def act(self, operator: Operator) -> str:
        """Do one random action; return its name."""
        actions: dict[Callable[[Operator], None], int] = {
            self.send: 10,
            self.track: 8,
            self.track_many: 2,
            self.send_unminable: 1,
            self.untrack: 1,
            self.watch: 1,
            self.replace: 3,
            self.drop: 2,
            self.mine: 6,
            self.reorganise: 4,
            self.inject_fault: 2,
            self.clear_faults: 1,
        }
        (action,) = self.random.choices([*actions], [*actions.values()])
        try:
            action(operator)
        except ChainError:
            return f"{action.__name__}, refused"  # the chain refuses an impossible action
        return action.__name__

    # -- Commands of users

    def track(self, operator: Operator) -> None:
        if self._new:
            self._command(operator, "start", self._take_new())

    def track_many(self, operator: Operator) -> None:
        count = min(len(self._new), self.random.randint(2, 6))
        if count:
            self._command(operator, "start_many", *(self._take_new() for _ in range(count)))

    def send_unminable(self, operator: Operator) -> None:
        sender, to = self._two_accounts()
        # The nonce is far above those of the sender's other transactions, so none waits for it.
        tx = self.chain.submit(sender, to, 1, nonce=self.random.randrange(10**6, 10**9), **TOO_LOW)
        self.submitted[tx.hash] = tx
        self.unminable.add(tx.hash)
        self._command(operator, "start", tx, deadline=time.time() + self.random.uniform(0.0, 2.0))

    def untrack(self, operator: Operator) -> None:
        idle = [key for key in self.requested if key in self.tracked and key not in self._busy]
        if idle:
            key = self.random.choice(idle)
            self._command(operator, "untrack", self.requested[key])

    def watch(self, operator: Operator) -> None:
        """Have an address watched."""
        if self._to_watch and self.random.random() < _WATCH_SHARE:
            operator.send("watch", self._to_watch.pop())

    def watch_rest(self, operator: Operator) -> None:
        """Have all addresses watched that are not yet: a search finds what paid them."""
        while self._to_watch:
            operator.send("watch", self._to_watch.pop())

    def record_result(self, operator: Operator, command: Command, result: Any) -> None:
        """Record the result of a command."""
        self._busy.difference_update(command.ids)
        if command.action == "watch":
            self.watched.update(address.lower() for address in command.ids)
        elif command.action.startswith("start"):
            self.tracked.update(command.ids)
            self.untracked.difference_update(command.ids)
        elif command.action == "untrack" and result == "untracked":
            self.untracked.update(command.ids)
            self.left.update(command.ids)
            if self.random.random() < 0.5:
                # The second registration has no deadline.
                self.unminable.difference_update(command.ids)
                self._command(operator, "start", self.requested[command.ids[0]])

    def _command(
        self, operator: Operator, action: str, *txs: Transaction, deadline: float | None = None
    ) -> None:
        ids = tuple(tx.hash for tx in txs)
        self.requested |= {tx.hash: tx for tx in txs}
        self._busy.update(ids)
        operator.send(action, *ids, deadline=deadline)

    def _take_new(self) -> Transaction:
        return self._new.pop(self.random.randrange(len(self._new)))

    # -- Transactions of users

    def send(self, _: Operator) -> None:
        sender, to = self._two_accounts()
        reverts = self.random.choice([None, None, None, "odd"])
        value = self.random.randint(1, 3)
        tx = self._submitted(self.chain.submit(sender, to, value, reverts=reverts))
        # Nobody announces a half of the payments to watched addresses.
        if to not in self._customers or self.random.random() < _ANNOUNCED_SHARE:
            self._new.append(tx)

    def replace(self, _: Operator) -> None:
        waiting = [tx for tx in self.chain.pool if tx.hash not in self.unminable]
        if waiting:
            loser = self.random.choice(waiting)
            winner = self._submitted(
                self.chain.replace(loser.hash, self.random.choice(REPLACEMENTS))
            )
            # The same replacement can have been made before, and dropped.
            if winner.hash not in self.requested and winner not in self._new:
                self._new.append(winner)

    def _submitted(self, tx: Transaction) -> Transaction:
        self.submitted[tx.hash] = tx
        return tx

    def drop(self, _: Operator) -> None:
        if self.chain.pool:
            self.chain.drop(self.random.choice(self.chain.pool).hash)

    def _two_accounts(self) -> list[str]:
        return self.random.sample(self.chain.accounts, 2)

    # -- The network

    def mine(self, _: Operator) -> None:
        self.chain.mine()

    def reorganise(self, _: Operator) -> None:
        # Never as deep as a final block, whose transactions have ended.
        deepest = min(CONFIRMATIONS - 1, self.chain.head.number)
        if deepest:
            depth = self.random.randint(1, deepest)
            length = self.random.choice([depth, depth + 1])
            self.chain.reorg(depth, self.random.choice(ORPHANS), length=length)

    def inject_fault(self, _: Operator) -> None:
        """Inject a fault into a node, too small to pause the provider for long."""
        self.random.choice(self.nodes).faults.inject(self._fault())

    def clear_faults(self, _: Operator | None = None) -> None:
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

    # -- The end

    def finish(self) -> None:
        """Clear all faults, mine all transactions that can be mined, and make them final."""
        self.clear_faults()
        self.chain.mine(CONFIRMATIONS + 1)

    def allowed_states(self, key: str) -> set[State]:
        """Return the states in which a transaction can be at the end, by the chain."""
        tx = self.submitted[key]
        if key in self.untracked:
            return {"untracked"}
        mined = self.chain.mined(key)
        if mined is not None:
            return {"confirmed" if mined.block.revert_reason(key) is None else "failed"}
        if key in self.unminable:
            return {"expired", "dropped"}  # depending on which comes first
        if self.chain.pending(key) is not None:
            return {"pending"}
        gone: set[State] = {"missing", "dropped"}
        if self.chain.nonce(tx.sender) > tx.nonce:
            # "missing" and "dropped" if no node knew it at the registration, and so its slot.
            return {"replaced", *gone}
        return gone

    def deposits(self) -> dict[str, Transaction]:
        """Return the transactions of the chain that have paid a watched address, by id."""
        blocks = (self.chain.block(number) for number in range(self.chain.head.number + 1))
        return {
            tx.hash: tx
            for block in blocks
            if block is not None
            for tx in block.transactions
            if tx.to is not None
            and tx.to.lower() in self.watched
            and tx.value
            and tx.sender.lower() != tx.to.lower()
            and block.revert_reason(tx.hash) is None
        }
