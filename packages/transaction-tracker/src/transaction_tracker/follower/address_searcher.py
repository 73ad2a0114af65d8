"""Search blocks from before addresses were watched for deposits to them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from beamish import Backoff, Continue, ExitError, GenServer, Ref, Registry, process
from transaction_tracker.awake import loop_time
from transaction_tracker.follower.deposit_steps import failed_in
from transaction_tracker.follower.deposits import Deposits
from transaction_tracker.sources import DepositSource, FetchedBlock, NotYetError, SourceError
from transaction_tracker.store import Store, StoreError
from transaction_tracker.store.addresses import searches
from transaction_tracker.store.addresses.searches import Piece
from transaction_tracker.tracker import (
    REGISTRY,
    SearchAddresses,
    TrackerContext,
    TransactionTracker,
)

# One piece takes a few requests, which wait for those of the follower at the rate limit.
PIECE_BLOCKS = 32
# A run of numbers without blocks is not longer, on chains that have such numbers.
_MAX_GAP_BLOCKS = 200
# The request that begins a search wakes this process; it can be lost while the process restarts.
_IDLE_SECONDS = 30.0
_MIN_PAUSE_SECONDS = 0.05
_BACKOFF = Backoff(initial=1.0, factor=2.0, maximum=60.0, jitter=0.1)
# A failure that lasts is logged again after as many attempts.
_ATTEMPTS_PER_LOG = 10

logger: logging.Logger = logging.getLogger("transaction_tracker")


@dataclass(frozen=True, slots=True)
class SearchNext:
    """A message to itself: search the next piece."""


class AddressSearcher(GenServer):
    """Search the ranges of blocks that addresses ask for, piece by piece.

    A transaction that pays an address is registered like one of a user: the follower asks about it,
    and proves its block. What a piece has and the place of the search are stored together, so that
    a restart goes on where the last piece ended. A block that no provider sends is asked for
    again, and never skipped.

    At most half of the time is spent on requests, so that the follower has its share of the rate
    limit.

    Args:
        source: The source.
        deposits: Finds the payments in blocks.
        registry: Name of the registry of the trackers.
    """

    def __init__(self, source: DepositSource, deposits: Deposits, registry: str = REGISTRY) -> None:
        self._source = source
        self._deposits = deposits
        self._registry = registry
        self._failures = 0
        self._next: Ref | None = None
        # The addresses of a search, which can be a hundred thousand, and their version.
        self._addresses: frozenset[str] = frozenset()
        self._known: tuple[float, int] | None = None

    def init(self) -> Continue:
        """Return before the first piece."""
        return Continue(SearchNext())

    async def handle_continue(self, _arg: object) -> None:
        """Start trackers that a crash left out, and search the first piece."""
        if await Store.run(partial(searches.next_piece, source=self._source.name, size=1)):
            context: TrackerContext = Registry.meta(self._registry, TrackerContext.KEY)
            await TransactionTracker.start_all_pending(context.label)
        await self._search()

    def handle_cast(self, request: SearchAddresses) -> None:
        """Search soon."""
        del request
        self._search_after(0.0)

    async def handle_info(self, message: object) -> None:
        """Search the next piece."""
        match message:
            case SearchNext():
                await self._search()
            case _:
                super().handle_info(message)

    async def _search(self) -> None:
        started = loop_time()
        try:
            is_done = await self._search_piece()
        except (SourceError, StoreError, ExitError) as error:
            self._failed(error)
            return
        self._failures = 0
        busy = max(loop_time() - started, _MIN_PAUSE_SECONDS)
        self._search_after(_IDLE_SECONDS if is_done else busy)

    async def _search_piece(self) -> bool:
        """Search the next piece; return whether there is none."""
        name = self._source.name
        piece = await Store.run(partial(searches.next_piece, source=name, size=PIECE_BLOCKS))
        if piece is None:
            self._addresses, self._known = frozenset(), None
            return True
        blocks = await self._blocks(piece.numbers)
        within = [block for block in blocks if block.link.number in piece.numbers]
        await self._check_branch(within)
        if len(within) == len(blocks):
            # A provider can send fewer: the search goes on above the last one.
            piece = replace(piece, numbers=range(piece.numbers.start, _stop(blocks, piece)))
        found = await self._deposits.find(within, await self._of(piece))
        paying = {block.link.hash: found.of(block).paid.keys() for block in within}
        wanted = [(block, paying[block.link.hash]) for block in within if paying[block.link.hash]]
        outcomes = await self._source.outcomes_early(wanted) if wanted else {}
        disputed = await self._deposits.disputed(failed_in(within, outcomes))
        deposits = self._deposits.steps.of_search(found, within, outcomes, disputed)
        advance = partial(searches.advance, source=name, piece=piece, found=deposits)
        stored = await Store.run(advance)
        for tracked in stored.started:
            await TransactionTracker.reopen(tracked)
        return False

    async def _blocks(self, numbers: range) -> Sequence[FetchedBlock]:
        """Return blocks from the first number on; those above the last one end a gap."""
        blocks = await self._source.blocks(numbers)
        if not blocks:
            # On some chains, numbers can have no block.
            further = range(numbers.start, numbers.start + _MAX_GAP_BLOCKS)
            blocks = await self._source.blocks(further)
        if not blocks:
            raise NotYetError(f"no provider has block {numbers.start}, which must be searched")
        return blocks

    async def _check_branch(self, blocks: Sequence[FetchedBlock]) -> None:
        """Raise ``NotYetError`` if a block differs from the one that was applied.

        The nodes behind one address can differ by some blocks. The follower does not look at the
        applied block again, so that its payments would be missed.
        """
        links = {link.number: link.hash for link in await Store.links(self._source.name)}
        for block in blocks:
            number, found = block.link.number, block.link.hash
            if (applied := links.get(number, found)) != found:
                raise NotYetError(f"expected block {number} ({applied}), got another one ({found})")

    async def _of(self, piece: Piece) -> frozenset[str]:
        """Return the addresses of a search."""
        if self._known != piece.version:
            load = partial(searches.addresses_of, search=piece.search)
            self._addresses, self._known = frozenset(await Store.run(load)), piece.version
        return self._addresses

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        delay = _BACKOFF.delay(self._failures)
        if self._failures % _ATTEMPTS_PER_LOG == 1:
            text = "searching for earlier deposits of %s failed (attempt %d): %s; retrying"
            logger.warning(text, self._source.name, self._failures, error)
        self._search_after(delay)

    def _search_after(self, seconds: float) -> None:
        if self._next is not None:
            process.cancel_timer(self._next)
        self._next = process.send_after(self.pid, SearchNext(), seconds)


def _stop(blocks: Sequence[FetchedBlock], piece: Piece) -> int:
    return min(piece.numbers.stop, blocks[-1].link.number + 1)
