"""Store and log the results of attempts and the health of endpoints."""

import logging
import time
from functools import partial

from sqlalchemy import Connection

from transaction_tracker.delivery.attempt import Result
from transaction_tracker.delivery.health import EndpointHealth
from transaction_tracker.delivery.schedule import jitter, next_delay
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint
from transaction_tracker.store import Store, attempts, endpoints
from transaction_tracker.store import outbox as store
from transaction_tracker.store.attempts import AttemptRecord
from transaction_tracker.store.deliveries import Delivery

logger: logging.Logger = logging.getLogger("transaction_tracker")


async def record(delivery: Delivery, result: Result, *, trims: bool) -> None:
    """Store the result of an attempt and the time of the next one.

    Args:
        delivery: The delivery that was attempted.
        result: Result of the attempt.
        trims: Whether the oldest attempts of the endpoint are deleted if there are too many.
    """
    work = partial(_write, delivery=delivery, result=result, spread=jitter(), trims=trims)
    await Store.run(work)


async def health_changed(
    endpoint: WebhookEndpoint, before: EndpointHealth, after: EndpointHealth, result: Result
) -> None:
    """Store and log that an endpoint started to fail or works again."""
    await Store.run(partial(endpoints.set_failing, endpoint=endpoint.id, since=after.failing_since))
    facts = {"endpoint": endpoint.id, "host": endpoint.host}
    if after.failing_since is None:
        lasted = max(0.0, time.time() - (before.failing_since or 0.0))
        logger.warning(
            "endpoint %s at %s works again, after failing for %.0f s",
            endpoint.id,
            endpoint.host,
            lasted,
            extra=facts,
        )
        return
    logger.warning(
        "endpoint %s at %s is failing: the last %d attempts failed, most recently: %s; "
        "its events wait; see txtrack webhook attempts %s",
        endpoint.id,
        endpoint.host,
        after.failures,
        result.error or result.outcome,
        endpoint.id,
        extra=facts | {"outcome": result.outcome, "status": result.status},
    )


def log_gone(endpoint: WebhookEndpoint) -> None:
    """Log that an endpoint was disabled because it responded with HTTP 410."""
    logger.warning(
        "endpoint %s at %s responded with HTTP 410 and is disabled; its pending events wait; "
        "enable it with txtrack webhook enable %s",
        endpoint.id,
        endpoint.host,
        endpoint.id,
        extra={"endpoint": endpoint.id, "host": endpoint.host},
    )


def _write(
    connection: Connection, delivery: Delivery, result: Result, spread: float, *, trims: bool
) -> None:
    _settle(connection, delivery, result, spread)
    attempt = AttemptRecord(
        endpoint=delivery.endpoint,
        position=delivery.position,
        number=delivery.attempts + 1,
        ended_at=time.time(),
        seconds=result.seconds,
        outcome=result.outcome,
        status=result.status,
        error=result.error,
        answer=result.answer,
    )
    attempts.add(connection, attempt, trim=trims)


def _settle(connection: Connection, delivery: Delivery, result: Result, spread: float) -> None:
    if result.delivered:
        store.delivered(connection, delivery, result.status)
        return
    error = result.error or result.outcome
    if result.outcome == "gone":
        store.refused(connection, delivery, result.status, error)
        return
    delay = next_delay(delivery.attempts + 1, spread, result.retry_after)
    if delay is None:
        store.dead(connection, delivery, result.status, error)
    else:
        store.failed(connection, delivery, time.time() + delay, result.status, error)
