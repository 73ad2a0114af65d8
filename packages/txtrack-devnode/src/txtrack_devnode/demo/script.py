"""The steps of the demo, in order."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import TypeVar

from beamish import GenServer, Pid
from transaction_tracker.domain import ANCHORED
from transaction_tracker.tracker import TransactionTracker
from txtrack_devnode.chain import GWEI
from txtrack_devnode.demo.harness import TIMEOUT_SECONDS, DemoError, Harness
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
    Payment,
    PaymentKind,
    counts_by_kind,
)
from txtrack_devnode.demo.scenarios import SCENARIOS

T = TypeVar("T")

REVERT_REASON = "the shop is closed"
WAVES = 6
REORG_DEPTH = 3
_DEADLINE_BLOCKS = 20
_SCENARIO_BLOCKS = 4
_CHEAP = GWEI - GWEI // 20
"""Below the base fee; with an eighth more, as replacements pay, it is above it."""


class Script:
    """Runs the steps of the demo, with one payment per account of the chain."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._chain = harness.chain
        self._screen = harness.screen
        *senders, self._shop = harness.chain.accounts
        self._senders = iter(senders)
        self._total = len(senders)
        self._counts = counts_by_kind(self._total)
        # Payments that are sent while faults are active.
        self._reserve = self._counts[PAID] // 3

    async def run(self) -> None:
        """Run all steps; every payment is final when it returns."""
        self._screen.write(
            f"{self._total} payments on chain {self._chain.chain_id}, one process each; nodes: "
            f"{' and '.join(node.url for node in self._harness.nodes)}"
        )
        await self._start()
        await self._replace()
        await self._crash()
        await self._reorganise()
        await self._inject_faults()
        await self._end()

    @staticmethod
    async def keep_paying(harness: Harness) -> None:
        """Mine blocks, each with one more payment, until cancelled."""
        *senders, shop = harness.chain.accounts
        for sender in cycle(senders):
            payment = harness.chain.submit(sender, shop, 1)
            await TransactionTracker.start(payment.hash)
            await harness.advance()

    # 1. Start

    async def _start(self) -> None:
        self._screen.heading("1. One line starts a process that tracks one transaction")
        counts = self._counts | {PAID: self._counts[PAID] - self._reserve}
        planned = [kind for kind in KINDS if kind not in REORGED for _ in range(counts[kind])]
        await self._show_first(planned.pop(0))
        for wave in (planned[start::WAVES] for start in range(WAVES)):
            await self._send(wave)
            await self._harness.mine()
        for payment in self._harness.of(EARLY):
            self._chain.add(payment.transaction)

    async def _show_first(self, kind: PaymentKind) -> None:
        payment = self._payment(kind)
        self._screen.code(f'tx = "{payment.id}"')
        self._screen.code("await TransactionTracker.start(tx)", await self._track(payment))
        self._screen.write(f"… and for {self._total - 1} others, of {len(KINDS)} kinds.")

    async def _send(self, kinds: Sequence[PaymentKind]) -> None:
        payments = [self._payment(kind) for kind in kinds]
        await asyncio.gather(*map(self._track, payments))

    async def _track(self, payment: Payment) -> Pid:
        expires = payment.kind is EXPIRED
        deadline = self._harness.deadline_in(_DEADLINE_BLOCKS) if expires else None
        pid = await TransactionTracker.start(payment.id, deadline=deadline)
        self._harness.payments.append(payment)  # from now on, the panel reads its state
        return pid

    def _payment(self, kind: PaymentKind) -> Payment:
        sender = next(self._senders)
        reverts = REVERT_REASON if kind in (REVERTED, RESCUED) else None
        if kind in (*TOO_CHEAP, *NEVER_MINED):
            tx = self._chain.submit(sender, self._shop, 1, max_fee=_CHEAP, priority_fee=0)
        else:
            tx = self._chain.submit(sender, self._shop, 1, reverts=reverts)
        if kind is EARLY:
            self._chain.drop(tx.hash)  # the sender knows the hash before a node does
        return Payment(kind, tx)

    # 2. Replace

    async def _replace(self) -> None:
        too_cheap = self._harness.of(*TOO_CHEAP)
        self._screen.heading(
            f"2. {len(too_cheap)} payments are too cheap: other transactions replace them"
        )
        await self._harness.reach(too_cheap, "pending")
        for batch in _parts(too_cheap, 3):
            for payment in batch:
                self._chain.replace(payment.id, payment.kind.reason or "replaced")
            await self._harness.mine()
        dropped = self._harness.of(DROPPED)
        self._screen.write(f"The nodes drop {len(dropped)} others.")
        for payment in dropped:
            self._chain.drop(payment.id)

    # 3. Crash

    async def _crash(self) -> None:
        self._screen.heading("3. A tracker crashes")
        tx = (await self._victim()).id
        before = self._pid(tx)
        self._screen.code(f'tx = "{tx}"')
        self._screen.code("pid = TransactionTracker.lookup(tx)", before)
        await self._show_state(tx)
        self._screen.code('await GenServer.stop(pid, RuntimeError("its a crash"))')
        await GenServer.stop(before, RuntimeError("its a crash"))
        await self._harness.wait_until(
            lambda: TransactionTracker.lookup(tx) not in (None, before),
            "the restart of the tracker",
        )
        for report in self._harness.reports.take():
            self._screen.write(report, "red")
        await self._harness.pause()
        self._screen.code("TransactionTracker.lookup(tx)", self._pid(tx))
        await self._show_state(tx)
        self._screen.write("Another process with the same id and the same state.")
        await self._harness.pause()

    async def _show_state(self, tx: str) -> None:
        tracked = await TransactionTracker.status(tx)
        self._screen.code("(await TransactionTracker.status(tx)).state", repr(tracked.state))

    async def _victim(self) -> Payment:
        """Return the payment in the highest block: it becomes final last."""
        # A slow tracker would not know yet that a payment has been mined long ago: it would be
        # taken for the last one, and could become final before its tracker crashes.
        await self._harness.catch_up()
        await self._harness.refresh()
        payments = [
            payment for payment in self._harness.payments if payment.kind not in NEVER_MINED
        ]
        payment = max(payments, key=self._decided_at)
        await self._harness.reach([payment], *ANCHORED)
        return payment

    def _decided_at(self, payment: Payment) -> int:
        anchor = self._harness.known[payment.id].anchor
        return self._chain.head.number if anchor is None else anchor.number

    def _pid(self, tx: str) -> Pid:
        pid = TransactionTracker.lookup(tx)
        if pid is None:
            raise DemoError(f"no tracker is registered for {tx}")
        return pid

    # 4. Reorganise

    async def _reorganise(self) -> None:
        planned = [kind for kind in REORGED for _ in range(self._counts[kind])]
        self._screen.heading(f"4. A reorg replaces the last {REORG_DEPTH} blocks")
        for wave in _parts(planned, REORG_DEPTH):
            await self._send(wave)
            await self._harness.mine()
        await self._harness.reach(self._harness.of(*REORGED), "mined", "mined_reverted")
        reorg = self._chain.reorg(REORG_DEPTH, "pool")
        self._screen.write(
            f"{len(reorg.removed)} blocks removed, {len(reorg.added)} added: "
            f"{sum(len(block.transactions) for block in reorg.removed)} payments are pending again."
        )
        await self._harness.reach(self._harness.of(*REORGED), "pending")
        await self._harness.pause()
        for payment in self._harness.of(RECALLED):
            self._chain.replace(payment.id, "cancelled")
        for payment in self._harness.of(RESCUED):
            self._chain.revert(payment.id, None)
        await self._harness.mine()

    # 5. Inject faults

    async def _inject_faults(self) -> None:
        self._screen.heading("5. The nodes have faults, one after the other")
        for scenario, kinds in zip(
            SCENARIOS, _parts([PAID] * self._reserve, len(SCENARIOS)), strict=True
        ):
            self._screen.write(f"The active node {scenario.name}.")
            async with self._harness.inject(scenario) as triggered:
                await self._send(kinds)
                await self._harness.mine()
                await self._affect(triggered)
                for _ in range(_SCENARIO_BLOCKS - 1):
                    await self._harness.mine()
                await self._harness.catch_up()

    async def _affect(self, triggered: Callable[[], bool]) -> None:
        """Wait until a fault has been triggered, or cannot be: no payment is in the block.

        A tracker that is slow would otherwise ask for the receipts of the block when the chain is
        higher, and a node that has receipts too late would have them.
        """
        harness = self._harness
        await harness.wait_until(
            lambda: triggered() or harness.at_the_head(), "the fault to be triggered"
        )

    # 6. End

    async def _end(self) -> None:
        self._screen.heading("6. Wait until every payment is final")
        self._screen.code('await TransactionTracker.wait(tx, until="terminal", timeout=30)')
        waits = [
            TransactionTracker.wait(payment.id, timeout=TIMEOUT_SECONDS)
            for payment in self._harness.payments
        ]
        ended = asyncio.gather(*waits)
        while not ended.done():
            await self._harness.mine()
            for payment in self._harness.of(DROPPED):
                await TransactionTracker.recheck(payment.id)
        try:
            await ended
        except TimeoutError:
            raise DemoError(
                f"timed out after {TIMEOUT_SECONDS:g} s waiting for every payment to be final"
            ) from None
        await self._harness.refresh()


def _parts(items: Sequence[T], count: int) -> list[Sequence[T]]:
    return [items[start::count] for start in range(count)]
