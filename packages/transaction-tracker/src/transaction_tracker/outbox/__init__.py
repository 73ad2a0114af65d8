"""Deliver events by webhook: at least once, in order per transaction, signed."""

from transaction_tracker.outbox import endpoints
from transaction_tracker.outbox.attempt import ATTEMPT, Result
from transaction_tracker.outbox.context import OUTBOX, DeliveryContext, wake
from transaction_tracker.outbox.supervisor import Outbox

__all__ = ["ATTEMPT", "OUTBOX", "DeliveryContext", "Outbox", "Result", "endpoints", "wake"]
