"""Nodes with faults, and an application that follows them."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beamish import telemetry
from transaction_tracker import ProviderSettings, Settings, TransactionTrackerApplication
from transaction_tracker.delivery.listener import OnEvent
from transaction_tracker.providers import Pool
from transaction_tracker.providers.subscription import SubscriptionTimeouts
from transaction_tracker.tracker import FOLLOWER
from txtrack_devnode import Chain, DevelopmentNode, Transaction

# The same timeouts and helpers as in all other tests of the application.
from ..tracker.support import (  # noqa: TID252
    PATIENCE,
    caught_up,
    eventually,
    history,
    reach,
    submit,
)

__all__ = [
    "PATIENCE",
    "Network",
    "applied",
    "caught_up",
    "eventually",
    "history",
    "reach",
    "states",
]


# Long enough for any machine; a test of a node that hangs advances the clock.
DEADLINE_SECONDS = 100.0


@dataclass(frozen=True)
class Network:
    """Two nodes of one chain, each with faults of its own.

    Attributes:
        first: The preferred node.
        second: The standby node.
        folder: Folder of the database.
    """

    first: DevelopmentNode
    second: DevelopmentNode
    folder: Path

    @property
    def chain(self) -> Chain:
        return self.first.chain

    def settings(self, *, ws: bool = False, **changes: Any) -> Settings:
        providers = tuple(
            ProviderSettings(
                node.url,
                ws_url=node.url.replace("http", "ws") if ws else None,
                deadline=DEADLINE_SECONDS,
            )
            for node in (self.first, self.second)
        )
        settings = Settings(
            providers=providers,
            chain_id=31337,
            confirmations=3,
            database=self.folder / "test.db",
            poll_interval=0.01,
            block_time=0.02,
        )
        return settings.replace(**changes)

    @asynccontextmanager
    async def followed(
        self,
        *,
        on_event: OnEvent | None = None,
        timeouts: SubscriptionTimeouts | None = None,
        **changes: Any,
    ) -> AsyncIterator[TransactionTrackerApplication]:
        """Run the application; with timeouts, it subscribes to new heads too."""
        settings = self.settings(ws=timeouts is not None, **changes)
        pool = Pool(settings.endpoints, chain_id=31337, hints=FOLLOWER, timeouts=timeouts)
        app = TransactionTrackerApplication(settings, on_event=on_event, pool=pool)
        async with app:
            yield app

    def submit(self, sender: int = 0, **options: Any) -> Transaction:
        return submit(self.first, sender, **options)


def states(app: TransactionTrackerApplication) -> list[str]:
    """Return the states of the providers."""
    assert app.pool is not None
    return [provider.state for provider in app.pool.status()]


@contextmanager
def applied() -> Iterator[list[int]]:
    """Collect the heights of blocks as they are applied."""
    heights: list[int] = []
    name = object()

    def handle(_: telemetry.Event, __: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        heights.append(facts["number"])

    event = ("transaction_tracker", "block", "applied")
    telemetry.attach(name, event, handle)
    try:
        yield heights
    finally:
        telemetry.detach(name)
