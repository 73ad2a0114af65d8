"""Telling endpoints of events: at least once, in order for each transaction, signed."""

from transaction_tracker.outbox import endpoints
from transaction_tracker.outbox.attempt import ATTEMPT, Result
from transaction_tracker.outbox.context import OUTBOX, Context, wake
from transaction_tracker.outbox.supervisor import Outbox

__all__ = ["ATTEMPT", "OUTBOX", "Context", "Outbox", "Result", "endpoints", "wake"]
