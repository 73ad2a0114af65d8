"""The acts of the demonstration, in order."""

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from beamish import GenServer, Pid
from transaction_tracker.domain import ANCHORED
from transaction_tracker.tracker import TransactionTracker
from txtrack_devnode.chain import GWEI
from txtrack_devnode.demo.kinds import (
    DROPPED,
    EARLY,
    EXPIRED,
    KINDS,
    NEVER_MINED,
    PAID,
    RECALLED,
    REORGED,
    RESCUED,
    REVERTED,
    TOO_CHEAP,
    Kind,
    Payment,
    shares,
)
from txtrack_devnode.demo.stage import PATIENCE, DemoError, Stage
from txtrack_devnode.demo.troubles import TROUBLES

T = TypeVar("T")

REVERT_REASON = "the shop is closed"
WAVES = 6
REORG_DEPTH = 3
_DEADLINE_BLOCKS = 20
_TROUBLE_BLOCKS = 4
_CHEAP = GWEI - GWEI // 20
"""Under the base fee; an eighth more, as replacements pay, is over it."""


class Story:
    """Plays the demonstration on a stage, with as many payments as the chain has accounts."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._chain = stage.chain
        self._view = stage.view
        *senders, self._shop = stage.chain.accounts
        self._senders = iter(senders)
        self._total = len(senders)
        self._counts = shares(self._total)
        # Payments that are sent while the nodes misbehave.
        self._reserve = self._counts[PAID] // 3

    async def play(self) -> None:
        """Play all acts; every payment has ended when it returns."""
        self._view.say(
            f"{self._total} payments on chain {self._chain.chain_id}, one process each; two nodes "
            f"tell of them: {' and '.join(node.url for node in self._stage.nodes)}"
        )
        await self._start()
        await self._compete()
        await self._crash()
        await self._reorganise()
        await self._misbehave()
        await self._end()

    # 1. Start

    async def _start(self) -> None:
        self._view.act("1. One line starts a process that follows one transaction")
        counts = self._counts | {PAID: self._counts[PAID] - self._reserve}
        planned = [kind for kind in KINDS if kind not in REORGED for _ in range(counts[kind])]
        await self._introduce(planned.pop(0))
        for wave in (planned[start::WAVES] for start in range(WAVES)):
            await self._send(wave)
            await self._stage.beat()
        for payment in self._stage.of(EARLY):
            self._chain.add(payment.transaction)

    async def _introduce(self, kind: Kind) -> None:
        payment = self._payment(kind)
        self._view.code(f'tx = "{payment.id}"')
        self._view.code("await TransactionTracker.start(tx)", await self._track(payment))
        self._view.say(f"… and for {self._total - 1} others, of {len(KINDS)} kinds.")

    async def _send(self, kinds: Sequence[Kind]) -> None:
        payments = [self._payment(kind) for kind in kinds]
        await asyncio.gather(*map(self._track, payments))

    async def _track(self, payment: Payment) -> Pid:
        expires = payment.kind is EXPIRED
        deadline = self._stage.deadline_in(_DEADLINE_BLOCKS) if expires else None
        pid = await TransactionTracker.start(payment.id, deadline=deadline)
        self._stage.payments.append(payment)  # the board asks for its state from now on
        return pid

    def _payment(self, kind: Kind) -> Payment:
        sender = next(self._senders)
        reverts = REVERT_REASON if kind in (REVERTED, RESCUED) else None
        if kind in (*TOO_CHEAP, *NEVER_MINED):
            tx = self._chain.submit(sender, self._shop, 1, max_fee=_CHEAP, priority_fee=0)
        else:
            tx = self._chain.submit(sender, self._shop, 1, reverts=reverts)
        if kind is EARLY:
            self._chain.drop(tx.hash)  # its sender knows the hash before any node does
        return Payment(kind, tx)

    # 2. Compete

    async def _compete(self) -> None:
        waiting = self._stage.of(*TOO_CHEAP)
        self._view.act(f"2. {len(waiting)} payments are too cheap: others take their nonces")
        await self._stage.reach(waiting, "pending")
        for batch in _parts(waiting, 3):
            for payment in batch:
                self._chain.replace(payment.id, payment.kind.reason or "replaced")
            await self._stage.beat()
        forgotten = self._stage.of(DROPPED)
        self._view.say(f"The nodes forget {len(forgotten)} others.")
        for payment in forgotten:
            self._chain.drop(payment.id)

    # 3. Crash

    async def _crash(self) -> None:
        self._view.act("3. A tracker crashes")
        tx = (await self._victim()).id
        before = self._pid(tx)
        self._view.code(f'tx = "{tx}"')
        self._view.code("pid = TransactionTracker.lookup(tx)", before)
        await self._show_state(tx)
        self._view.code('await GenServer.stop(pid, RuntimeError("its a crash"))')
        await GenServer.stop(before, RuntimeError("its a crash"))
        await self._stage.until(
            lambda: TransactionTracker.lookup(tx) not in (None, before), "the tracker's restart"
        )
        for report in self._stage.reports.take():
            self._view.say(report, "red")
        await self._stage.read()
        self._view.code("TransactionTracker.lookup(tx)", self._pid(tx))
        await self._show_state(tx)
        self._view.say("Another process, the same id, the same knowledge.")
        await self._stage.read()

    async def _show_state(self, tx: str) -> None:
        tracked = await TransactionTracker.status(tx)
        self._view.code("(await TransactionTracker.status(tx)).state", repr(tracked.state))

    async def _victim(self) -> Payment:
        """Choose the payment that is farthest from its end: nothing moves it meanwhile."""
        await self._stage.refresh()
        mined = [one for one in self._stage.payments if one.kind not in NEVER_MINED]
        payment = max(mined, key=self._decided_at)
        await self._stage.reach([payment], *ANCHORED)
        return payment

    def _decided_at(self, payment: Payment) -> int:
        anchor = self._stage.known[payment.id].anchor
        return self._chain.head.number if anchor is None else anchor.number

    def _pid(self, tx: str) -> Pid:
        pid = TransactionTracker.lookup(tx)
        if pid is None:
            raise DemoError(f"no tracker is registered for {tx}")
        return pid

    # 4. Reorganise

    async def _reorganise(self) -> None:
        planned = [kind for kind in REORGED for _ in range(self._counts[kind])]
        self._view.act(f"4. The chain changes its mind about its last {REORG_DEPTH} blocks")
        for wave in _parts(planned, REORG_DEPTH):
            await self._send(wave)
            await self._stage.beat()
        await self._stage.reach(self._stage.of(*REORGED), "mined", "mined_reverted")
        reorg = self._chain.reorg(REORG_DEPTH, "pool")
        self._view.say(
            f"{len(reorg.removed)} blocks go, {len(reorg.added)} come: "
            f"{sum(len(block.transactions) for block in reorg.removed)} payments are pending again."
        )
        await self._stage.reach(self._stage.of(*REORGED), "pending")
        await self._stage.read()
        for payment in self._stage.of(RECALLED):
            self._chain.replace(payment.id, "cancelled")
        for payment in self._stage.of(RESCUED):
            self._chain.revert(payment.id, None)
        await self._stage.beat()

    # 5. Misbehave

    async def _misbehave(self) -> None:
        self._view.act("5. The nodes misbehave, one way after the other")
        for trouble, kinds in zip(
            TROUBLES, _parts([PAID] * self._reserve, len(TROUBLES)), strict=True
        ):
            self._view.say(f"The node that is followed {trouble.name}.")
            async with self._stage.trouble(trouble):
                await self._send(kinds)
                for _ in range(_TROUBLE_BLOCKS):
                    await self._stage.beat()
                await self._stage.catch_up()

    # 6. End

    async def _end(self) -> None:
        self._view.act("6. Until the last one is certain")
        self._view.code('await TransactionTracker.wait(tx, until="terminal", timeout=30)')
        waits = [TransactionTracker.wait(one.id, timeout=PATIENCE) for one in self._stage.payments]
        ended = asyncio.gather(*waits)
        while not ended.done():
            await self._stage.beat()
            for payment in self._stage.of(DROPPED):
                await TransactionTracker.recheck(payment.id)
        try:
            await ended
        except TimeoutError:
            raise DemoError(f"waited {PATIENCE:g} s in vain for every payment to end") from None
        await self._stage.refresh()


def _parts(items: Sequence[T], count: int) -> list[Sequence[T]]:
    return [items[start::count] for start in range(count)]
