"""Ask another provider for the transfers of applied blocks: the followed one can leave some out."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from beamish import ExitError, GenServer, Ref, process
from transaction_tracker.domain import Deposit, Paid
from transaction_tracker.follower.deposits import CheckTransfers, Deposits
from transaction_tracker.sources import DepositSource, SourceError
from transaction_tracker.store import Store, StoreError
from transaction_tracker.store.addresses import searches, watching
from transaction_tracker.tracker import TransactionTracker

TRANSFER_CHECKER = "TransactionTracker.TransferChecker"

# One request for as many blocks: it adds little to the two that a block can take.
BLOCKS_AT_ONCE = 16
# Another provider can be some blocks behind, so that it does not have the newest block yet.
PAUSE_SECONDS = 120.0
_MAX_ATTEMPTS = 5
# While the service catches up, blocks are applied faster than they are checked.
MAX_WAITING_BLOCKS = 10_000

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class CheckWaiting:
    """A message to itself: ask about the blocks that wait."""


class TransferChecker(GenServer):
    """Compare the transfers of applied blocks with what another provider says of them.

    The follower asks one provider which transfers a block has. A transfer that it leaves out would
    never be found. A payment that only the other provider shows is registered like one of a user:
    all providers are asked about its transaction, so that a false one is never confirmed.

    The blocks wait in memory: those that were applied shortly before a stop are not checked.

    Args:
        source: The source.
        deposits: Decides which payments are tracked.
    """

    def __init__(self, source: DepositSource, deposits: Deposits) -> None:
        self._source = source
        self._deposits = deposits
        self._waiting: list[CheckTransfers] = []
        self._next: Ref | None = None

    def handle_cast(self, request: CheckTransfers) -> None:
        """Check a block soon, together with others."""
        if len(self._waiting) >= MAX_WAITING_BLOCKS:
            self._give_up([self._waiting.pop(0)], "too many blocks wait")
        self._waiting.append(request)
        if len(self._waiting) == BLOCKS_AT_ONCE:
            self._check_after(0.0)
        elif self._next is None:
            self._check_after(PAUSE_SECONDS)

    async def handle_info(self, message: object) -> None:
        """Check the blocks that wait."""
        match message:
            case CheckWaiting():
                self._next = None
                await self._check()
            case _:
                super().handle_info(message)

    async def _check(self) -> None:
        """Check the blocks that have waited longest."""
        part = self._waiting[:BLOCKS_AT_ONCE]
        del self._waiting[:BLOCKS_AT_ONCE]
        try:
            found = await self._source.transfers_elsewhere(
                [each.block for each in part],
                self._deposits.addresses,
                self._deposits.tokens,
            )
            for each in part:
                if each.block in found:
                    await self._compare(each, found[each.block])
        except (SourceError, StoreError, ExitError) as error:
            logger.info("checking the transfers of %s failed: %s", self._source.name, error)
            found = {}
        failed = [
            replace(each, attempts=each.attempts + 1) for each in part if each.block not in found
        ]
        spent = [each for each in failed if each.attempts >= _MAX_ATTEMPTS]
        self._give_up(spent, "none sends them")
        self._waiting += [each for each in failed if each.attempts < _MAX_ATTEMPTS]
        if self._waiting:
            is_next_due = not failed and len(self._waiting) >= BLOCKS_AT_ONCE
            self._check_after(0.0 if is_next_due else PAUSE_SECONDS)

    async def _compare(self, checked: CheckTransfers, paid: Paid) -> None:
        """Track the payments that the followed provider has left out."""
        left_out = {
            transaction: missing
            for transaction, deposits in self._deposits.judged(paid).paid.items()
            if (missing := await self._missing(checked, transaction, deposits))
        }
        if not left_out:
            return
        logger.error(
            "block %d (%s): another provider shows transfers to watched addresses that the "
            "followed one left out; they are tracked now: %s",
            *(checked.block.number, checked.block.hash, ", ".join(left_out)),
        )
        add = partial(
            searches.add, source=self._source.name, found=self._deposits.steps.added(left_out)
        )
        stored = await Store.run(add)
        for tracked in stored.started:
            await TransactionTracker.reopen(tracked)

    async def _missing(
        self, checked: CheckTransfers, transaction: str, deposits: Sequence[Deposit]
    ) -> tuple[Deposit, ...]:
        """Return the deposits that are not known, to addresses that were watched at that block."""
        found: list[Deposit] = []
        for each in deposits:
            if (transaction, each.address, each.token) in checked.known:
                continue
            rows = await Store.run(partial(watching.find, address=each.address))
            mine = [row for row in rows if row.source == self._source.name]
            if any((row.watched_from or 0) <= checked.block.number for row in mine):
                found.append(each)
        return tuple(found)

    def _give_up(self, blocks: Sequence[CheckTransfers], reason: str) -> None:
        if blocks:
            numbers = ", ".join(str(each.block.number) for each in blocks)
            logger.warning(
                "no other provider is asked for the transfers of blocks %s of %s: %s",
                *(numbers, self._source.name, reason),
            )

    def _check_after(self, seconds: float) -> None:
        if self._next is not None:
            process.cancel_timer(self._next)
        self._next = process.send_after(self.pid, CheckWaiting(), seconds)
