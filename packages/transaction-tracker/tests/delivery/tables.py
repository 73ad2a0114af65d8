"""An endpoint's deliveries, without the processes around the database."""

from typing import Any

from transaction_tracker.domain import Event
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint, WebhookSecret
from transaction_tracker.store import Step, committing, endpoints, outbox, registering
from transaction_tracker.store.deliveries import Delivery

from ..databases import SOURCE, Run  # noqa: TID252
from .support import wanted


def add(run: Run, states: Any = None) -> WebhookEndpoint:
    """Add an endpoint."""
    return run(endpoints.add, "https://example.com/hook", WebhookSecret.generate(), states)


def commit(run: Run, *events: Event) -> None:
    """Register transactions, and store their events in one commit."""
    run(registering.register, wanted(*{event.tracked.id for event in events}))
    run(committing.commit, Step(SOURCE, events=events))


def due(run: Run, endpoint: WebhookEndpoint, **options: Any) -> list[Delivery]:
    """Return the deliveries that are due at an endpoint."""
    return list(run(outbox.due, endpoint.id, 100, **options).deliveries)


def names(deliveries: list[Delivery]) -> list[str]:
    """Return the event ids of deliveries."""
    return [each.entry.event.id for each in deliveries]
