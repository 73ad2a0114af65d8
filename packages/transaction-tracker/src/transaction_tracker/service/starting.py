"""Processes that check the source and start the trackers, before the source is followed."""

from collections.abc import Callable
from typing import Any

from beamish import IGNORE, GenServer
from transaction_tracker.delivery.listener import EventListener
from transaction_tracker.sources import ChainSource, PolledSource
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.sources.ethereum.proof import ChainRecord
from transaction_tracker.store import Store
from transaction_tracker.store.garbage_collection import gc_paused
from transaction_tracker.tracker import TransactionTracker


class Connection(GenServer):
    """Check the source before its users start; close it after they have stopped.

    Args:
        source: The source of the transactions.
        checked: Called after each successful check; can raise to refuse the chain.
        label: Name of the source in the configuration; ``None`` for the only source.
    """

    def __init__(
        self,
        source: ChainSource | PolledSource,
        checked: Callable[[], None] = lambda: None,
        label: str | None = None,
    ) -> None:
        self._source = source
        self._label = label
        self._checked = checked

    async def init(self) -> None:
        """Check that the source has the chain of the database, before anything is changed."""
        try:
            await self._check()
            self._checked()
        except BaseException:
            await self._source.close()  # terminate is not called for a start that fails
            raise

    async def terminate(self, _reason: object) -> None:
        """Close the connections."""
        await self._source.close()

    async def _check(self) -> None:
        # A source remembers a successful check: it is not asked again when this process restarts,
        # because it can be unavailable then.
        if isinstance(self._source, EthereumSource):
            await self._source.check(
                known=await _known(None if self._label is None else self._source.name)
            )
        else:
            await self._source.check()


async def _known(source: str | None) -> ChainRecord:
    """Return the stored identity and blocks of a chain; ``None`` for the only one."""
    stored = await Store.identity(source)
    if stored is None:
        return ChainRecord()
    name, anchor = stored
    return ChainRecord(anchor, tuple(link.ref for link in await Store.links(name)), name)


class Boot(GenServer):
    """Start the trackers of all open transactions, and stop.

    Args:
        source: The source of the transactions.
        label: Name of the source in the configuration; ``None`` for the only source.
        listens: Whether there is an ``on_event`` callback.
    """

    def __init__(
        self, source: ChainSource | PolledSource, *, label: str | None = None, listens: bool
    ) -> None:
        self._source = source
        self._label = label
        self._listens = listens

    async def init(self) -> Any:
        """Start all trackers before ``init`` returns, so that a started application has them."""
        anchor = self._source.anchor if isinstance(self._source, EthereumSource) else None
        await Store.claim(self._source.name, anchor, is_only=self._label is None)
        if self._listens:
            # Before the first event: a listener that starts later must not miss it.
            await EventListener.begin()
        with gc_paused():
            await TransactionTracker.start_all_pending(self._label)
        return IGNORE
