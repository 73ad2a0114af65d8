"""Deliver events at least once and in order: by signed webhooks, and to ``on_event``."""

from transaction_tracker.delivery import endpoints
from transaction_tracker.delivery.attempt import ATTEMPT, Result
from transaction_tracker.delivery.context import OUTBOX, DeliveryContext, wake
from transaction_tracker.delivery.supervisor import Outbox

__all__ = ["ATTEMPT", "OUTBOX", "DeliveryContext", "Outbox", "Result", "endpoints", "wake"]
