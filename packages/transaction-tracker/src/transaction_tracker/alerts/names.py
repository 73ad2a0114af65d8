"""Names and messages of the processes that raise, store and deliver alerts."""

from dataclasses import dataclass

from beamish import GenServer

ALERTS = "TransactionTracker.Alerts"
WATCHER = "TransactionTracker.Alerts.Watcher"
KEEPER = "TransactionTracker.Alerts.Keeper"
SENDER = "TransactionTracker.Alerts.Sender"


@dataclass(frozen=True, slots=True)
class EvaluateAlerts:
    """Message to the watcher: evaluate the faults."""


@dataclass(frozen=True, slots=True)
class SyncAlerts:
    """Message to the keeper: store changes, and read the database."""


@dataclass(frozen=True, slots=True)
class SendNotices:
    """Message to the sender: start the attempts that are due."""


def evaluate() -> None:
    """Have the faults evaluated at once. Never waits, never raises."""
    GenServer.cast(WATCHER, EvaluateAlerts())


def sync() -> None:
    """Have the changes stored soon. Never waits, never raises."""
    GenServer.cast(KEEPER, SyncAlerts())


def deliver() -> None:
    """Have the notices sent that are due. Never waits, never raises."""
    GenServer.cast(SENDER, SendNotices())
