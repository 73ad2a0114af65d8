"""The supervision tree, and the settings that it runs by."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beamish import (
    IGNORE,
    Application,
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Pid,
    Registry,
)
from transaction_tracker.domain import MARGIN, BlockRef
from transaction_tracker.follower import Follower
from transaction_tracker.listener import LISTENER, Listener, OnEvent
from transaction_tracker.sources import Source
from transaction_tracker.sources.ethereum import EthereumSource, SecretUrl
from transaction_tracker.store import STORE, Book, Store, Stored
from transaction_tracker.tracker import (
    FOLLOWER,
    REGISTRY,
    SUPERVISOR,
    Context,
    TransactionTracker,
    via,
)

# Sources misbehave in masses and for minutes: a tracker comes back at once after its first
# crash, then ever later, and is parked when it goes on crashing.
RESTART_BACKOFF = Backoff(initial=0.05, factor=2.0, maximum=30.0, jitter=0.1, reset_after=60.0)
MAX_RESTARTS = 5
MAX_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a tracker application needs to know.

    Attributes:
        rpc_url: The Ethereum node, ``http`` or ``https``. Prints its host only.
        chain_id: The chain that the node must be on; ``None`` takes its word for it.
        confirmations: Blocks, its own counted, that make a transaction's state final.
        database: The SQLite file, made when it is missing; ``":memory:"`` forgets all.
        poll_interval: Seconds between questions for the head.

    Raises:
        ValueError: A value that cannot be; the message names it.
    """

    rpc_url: str | SecretUrl
    chain_id: int | None = None
    confirmations: int = 12
    database: str | Path = "transactions.db"
    poll_interval: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "rpc_url", SecretUrl.of(self.rpc_url))
        if self.chain_id is not None and self.chain_id < 1:
            raise ValueError(f"chain_id must be 1 or more, got {self.chain_id!r}")
        if self.confirmations < 1:
            raise ValueError(f"confirmations must be 1 or more, got {self.confirmations!r}")
        if not (math.isfinite(self.poll_interval) and self.poll_interval > 0):
            raise ValueError(f"poll_interval must be over 0 seconds, got {self.poll_interval!r}")


class Connection(GenServer):
    """Make sure of the source before anything starts, and let go of it when all have stopped."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def init(self) -> None:
        """Ask the source who it is; one that answered once may be away later."""
        try:
            await self._source.check()
        except BaseException:
            await self._source.close()  # a start that fails has no terminate
            raise

    async def terminate(self, _reason: object) -> None:
        """Close the connections."""
        await self._source.close()


class Boot(GenServer):
    """Start the trackers of all open transactions, and be gone."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def init(self) -> Any:
        """Do it while the tree starts: whoever runs the application finds all trackers there."""
        await Store.claim(self._source.name)
        await TransactionTracker.start_all_pending()
        return IGNORE


class TransactionTrackerApplication(Application):
    """Follow transactions for as long as it runs, in any asyncio program.

    Args:
        settings: Where the node is, and the rest.
        on_event: Called for every transition; may be ``async``.
        source: Where the transactions live, when that is not ``settings.rpc_url``.

    Raises:
        StartError: When it starts: the node gives no answer or is on another chain, or the
            database cannot be used. The error below it says which.
    """

    strategy = "rest_for_one"

    def __init__(
        self,
        settings: Settings,
        *,
        on_event: OnEvent | None = None,
        source: Source | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.source = source or EthereumSource(settings.rpc_url, settings.chain_id)
        self._on_event = on_event
        self._book = Book()

    @property
    def tip(self) -> BlockRef | None:
        """The highest block that was applied; ``None`` before the first."""
        return self._book.tip

    @property
    def open(self) -> int:
        """How many transactions have not ended."""
        return len(self._book)

    def children(self) -> list[ChildSpec]:
        """List the tree in the order it starts in.

        rest_for_one: what stands below rests on what stands above. When the store or the
        registry goes, the trackers go too, and ``Boot`` starts them again from their rows.
        """
        settings = self.settings
        context = Context(self.source, self._book, settings.confirmations)
        keep = settings.confirmations + MARGIN
        return [
            Connection.child_spec(self.source),
            Store.child_spec(settings.database, self._book, announce, name=STORE),
            Registry.child_spec(keys="unique", name=REGISTRY, meta={Context.KEY: context}),
            DynamicSupervisor.child_spec(
                name=SUPERVISOR,
                intensity="child",
                max_restarts=MAX_RESTARTS,
                max_seconds=MAX_SECONDS,
                backoff=RESTART_BACKOFF,
                on_give_up=park,
            ),
            *self._listener(),
            # Before the first block is applied every tracker is there to hear of it.
            Boot.child_spec(self.source),
            Follower.child_spec(
                self.source, self._book, settings.poll_interval, keep, name=FOLLOWER
            ),
        ]

    def _listener(self) -> list[ChildSpec]:
        if self._on_event is None:
            return []
        return [Listener.child_spec(self._on_event, name=LISTENER)]


def announce(stored: Stored) -> None:
    """Tell the trackers what was stored of their transactions, and the listener why."""
    for tracked in stored.rows:
        TransactionTracker.settle(via(tracked.id), tracked)
    for event in stored.events:
        GenServer.cast(LISTENER, event)


def park(spec: ChildSpec, _pid: Pid, reason: object) -> None:
    """Note why a tracker was given up, unless another one follows its transaction."""
    key = spec.args[0]
    if TransactionTracker.lookup(key) is None:
        Store.park(key, describe(reason))


def describe(reason: object) -> str:
    """Say in a line what a process died of."""
    if isinstance(reason, BaseException):
        return f"{type(reason).__name__}: {reason}"
    return str(reason)
