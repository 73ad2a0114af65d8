"""The supervision tree of the alerts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beamish import IGNORE, Backoff, ChildSpec, DynamicSupervisor, GenServer, Supervisor
from transaction_tracker.alerts.board import AlertBoard
from transaction_tracker.alerts.faults import ServiceFacts
from transaction_tracker.alerts.keeper import AlertKeeper
from transaction_tracker.alerts.names import KEEPER, SENDER, WATCHER
from transaction_tracker.alerts.options import AlertOptions
from transaction_tracker.alerts.sender import AlertSender
from transaction_tracker.alerts.watcher import AlertWatcher
from transaction_tracker.net import CheckedClient

PROCESSES = "TransactionTracker.Alerts.Processes"

# With this back-off, a process that keeps crashing never reaches the maximum number of restarts,
# which would end the other two and then the service.
_BACKOFF = Backoff(initial=0.1, factor=2.0, maximum=30.0, jitter=0.1, reset_after=60.0)
_MAX_RESTARTS = 30
_MAX_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertContext:
    """What the processes of the alerts use.

    Attributes:
        board: The alerts in memory.
        look: Returns what is known of each source without the database, nothing while the service
            starts; never waits.
        options: When something is a fault.
        client: HTTP client of the sender.
        database: File of the database; ``None`` for a server, or a database in memory.
    """

    board: AlertBoard
    look: Callable[[], Sequence[ServiceFacts]]
    options: AlertOptions
    client: CheckedClient
    database: Path | None = None

    def children(self) -> tuple[ChildSpec, ...]:
        """Return the specifications of the processes, which do not depend on each other."""
        return (
            AlertSender.child_spec(self.board, self.client, name=SENDER),
            AlertWatcher.child_spec(self.board, self.look, self.options, name=WATCHER),
            AlertKeeper.child_spec(self.board, self.database, name=KEEPER),
        )


class AlertStarter(GenServer):
    """Start the processes of the alerts, and stop."""

    def __init__(self, context: AlertContext) -> None:
        self._context = context

    async def init(self) -> Any:
        """Start the processes, and leave no process."""
        for child in self._context.children():
            await DynamicSupervisor.start_child(PROCESSES, child)
        return IGNORE


class Alerts(Supervisor):
    """Raise alerts about the service, store them, and deliver them to webhook endpoints.

    Three processes, each of which waits for one thing: the watcher for the time, the keeper for the
    database, the sender for endpoints. A crash of one leaves the others and the service alone.

    Args:
        context: What they use.
    """

    def init(self, context: AlertContext) -> Any:
        """Return the children in the order in which they start."""
        # Not children of this supervisor itself: it has no delay between restarts, and ends after
        # a few.
        return self.spec(
            [
                DynamicSupervisor.child_spec(
                    name=PROCESSES,
                    intensity="child",
                    max_restarts=_MAX_RESTARTS,
                    max_seconds=_MAX_SECONDS,
                    backoff=_BACKOFF,
                ),
                AlertStarter.child_spec(context),
            ],
            strategy="rest_for_one",
        )
