"""Alerts about the service itself: raised from what is observed, stored, and delivered."""

from transaction_tracker.alerts.board import AlertBoard
from transaction_tracker.alerts.faults import MAX_PARKED_ALERTS, ServiceFacts
from transaction_tracker.alerts.names import ALERTS
from transaction_tracker.alerts.options import AlertOptions
from transaction_tracker.alerts.supervisor import AlertContext, Alerts

__all__ = [
    "ALERTS",
    "MAX_PARKED_ALERTS",
    "AlertBoard",
    "AlertContext",
    "AlertOptions",
    "Alerts",
    "ServiceFacts",
]
