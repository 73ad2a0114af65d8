"""Manage webhook endpoints. All functions but ``verify`` need a running application."""

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection

from beamish import AlreadyStartedError
from transaction_tracker.delivery import payload
from transaction_tracker.delivery.attempt import Result, send
from transaction_tracker.delivery.context import DeliveryContext, probe, wake
from transaction_tracker.delivery.signature import SignatureError, verify
from transaction_tracker.delivery.status import (
    MAX_PAGE_SIZE,
    DeliveryStatus,
    UnknownEndpointError,
    attempts,
    count_failing,
    oldest_pending,
    status,
    statuses,
)
from transaction_tracker.delivery.supervisor import start_worker, stop_worker
from transaction_tracker.domain.alert import alert_kinds_of
from transaction_tracker.domain.webhook_endpoint import (
    DEFAULT_REASON,
    OVERLAP_SECONDS,
    WebhookEndpoint,
    WebhookSecret,
    check_overlap,
    check_reason,
    secret_of,
    states_of,
)
from transaction_tracker.store import Store
from transaction_tracker.store import endpoints as stored
from transaction_tracker.store import outbox as store
from transaction_tracker.store.attempts import AttemptRecord
from transaction_tracker.store.deliveries import Backlog, Delivery

__all__ = [
    "AttemptRecord",
    "Backlog",
    "Delivery",
    "DeliveryStatus",
    "Result",
    "SignatureError",
    "UnknownEndpointError",
    "WebhookEndpoint",
    "WebhookSecret",
    "add",
    "attempts",
    "backlog",
    "change",
    "count_failing",
    "counts",
    "dead_letters",
    "disable",
    "enable",
    "get",
    "list_all",
    "oldest_pending",
    "redeliver",
    "remove",
    "rotate",
    "status",
    "statuses",
    "test",
    "verify",
]

# Deliveries changed in one database transaction. Between two of them the store can commit blocks,
# so a large redelivery does not delay the follower.
_BATCH_SIZE = 1_000


async def add(
    url: str,
    *,
    secret: str | WebhookSecret | None = None,
    states: Sequence[str] | None = None,
    alerts: Sequence[str] = (),
    endpoint_id: str | None = None,
) -> WebhookEndpoint:
    """Add an endpoint: deliver future events to a URL.

    Args:
        url: URL with ``https``, on the public internet. The application's allow list names
            exceptions.
        secret: Secret that signs deliveries. Default: a new random one.
        states: States whose events are delivered. Default: all. Empty for none, if there are
            alerts.
        alerts: Kinds of alerts about the service that are delivered. Default: none.
        endpoint_id: Its id, for an endpoint of several shards. Default: a new one.

    Returns:
        The endpoint. Show its owner ``secret.reveal()`` once; ``repr`` never shows the secret.

    Raises:
        ForbiddenUrlError: Requests to the URL are not allowed.
        ForbiddenAddressError: Connections to an address of the host are not allowed.
        ValueError: The secret is invalid, or a state or a kind of alerts is unknown.
        StoreError: There are too many endpoints.
    """
    kinds, key = alert_kinds_of(alerts), secret_of(secret)
    wanted = states_of(states, kinds)
    checked = await DeliveryContext.current().client.check(url)
    work = partial(
        stored.add,
        url=str(checked),
        secret=key,
        states=wanted,
        alerts=kinds,
        endpoint_id=endpoint_id,
    )
    endpoint = await Store.run(work)
    with suppress(AlreadyStartedError):  # the worker starter can find the endpoint first
        await start_worker(endpoint.id)
    return endpoint


async def list_all() -> list[WebhookEndpoint]:
    """Return all endpoints, the oldest first."""
    return await Store.run(stored.load_all)


async def get(endpoint: str) -> WebhookEndpoint:
    """Return an endpoint.

    Raises:
        UnknownEndpointError: No endpoint has this id.
    """
    return _known(endpoint, await Store.run(partial(stored.load, endpoint=endpoint)))


async def change(
    endpoint: str, *, url: str, states: Sequence[str] | None, alerts: Sequence[str] = ()
) -> WebhookEndpoint:
    """Change the URL, states and alerts of an endpoint; pending deliveries go to the new URL.

    Args:
        endpoint: Id of the endpoint.
        url: As for ``add``.
        states: As for ``add``; they apply to future events.
        alerts: As for ``add``; they apply to future changes of alerts.

    Raises:
        UnknownEndpointError: No endpoint has this id.
        Exception: As for ``add``.
    """
    kinds = alert_kinds_of(alerts)
    wanted = states_of(states, kinds)
    checked = await DeliveryContext.current().client.check(url)
    work = partial(stored.change, endpoint=endpoint, url=str(checked), states=wanted, alerts=kinds)
    return await _changed(endpoint, work)


async def enable(endpoint: str) -> WebhookEndpoint:
    """Enable an endpoint: pending deliveries are sent, and future events are delivered.

    Events that were stored while the endpoint was disabled are not delivered; ``redeliver`` with
    ``since`` delivers them.

    Raises:
        UnknownEndpointError: No endpoint has this id.
    """
    return await _changed(endpoint, partial(stored.enable, endpoint=endpoint))


async def disable(endpoint: str, reason: str = DEFAULT_REASON) -> WebhookEndpoint:
    """Disable an endpoint: pending deliveries wait, and future events are not delivered.

    Raises:
        UnknownEndpointError: No endpoint has this id.
        ValueError: The reason is too long.
    """
    check_reason(reason)
    return await _changed(endpoint, partial(stored.disable, endpoint=endpoint, reason=reason))


async def remove(endpoint: str) -> None:
    """Remove an endpoint with all its deliveries.

    Raises:
        UnknownEndpointError: No endpoint has this id.
    """
    await disable(endpoint, "being removed")
    await stop_worker(endpoint)
    while await Store.run(partial(store.clear, endpoint=endpoint, limit=_BATCH_SIZE)):
        pass
    await Store.run(partial(stored.remove, endpoint=endpoint))


async def rotate(
    endpoint: str, *, secret: str | WebhookSecret | None = None, overlap: float = OVERLAP_SECONDS
) -> WebhookEndpoint:
    """Replace the secret of an endpoint; the old secret also signs for a while.

    Args:
        endpoint: Id of the endpoint.
        secret: New secret. Default: a new random one.
        overlap: Seconds for which deliveries are signed with both secrets, at most 30 days.

    Returns:
        The endpoint; ``secret.reveal()`` is the new secret.

    Raises:
        UnknownEndpointError: No endpoint has this id.
        ValueError: The secret is invalid, or ``overlap`` is out of range.
    """
    check_overlap(overlap)
    key = secret_of(secret)
    work = partial(stored.rotate, endpoint=endpoint, secret=key, overlap=overlap)
    return await _changed(endpoint, work)


async def test(endpoint: str) -> Result:
    """Send a message of type ``transaction_tracker.test`` now, and return the result.

    A disabled endpoint gets the message too. It is not retried, and nothing is stored.

    Raises:
        UnknownEndpointError: No endpoint has this id.
    """
    known = await get(endpoint)
    context = DeliveryContext.current()
    body = payload.test_body(known.id, time.time())
    async with context.tests:
        return await send(context.client, known, f"test:{uuid.uuid4()}", body)


async def redeliver(endpoint: str, *, position: int | None = None, since: int | None = None) -> int:
    """Redeliver dead letters, one event, or all events from a position on.

    Args:
        endpoint: Id of the endpoint.
        position: Redeliver the event at this position of the feed, if the endpoint has a delivery
            of it.
        since: Redeliver all events from this position of the feed on, in the states that the
            endpoint wants, whether or not they were delivered before; 0 for all. Default, if
            ``position`` is not given either: the dead letters.

    Returns:
        Number of events that will be redelivered.

    Raises:
        UnknownEndpointError: No endpoint has this id.
        ValueError: Both ``position`` and ``since`` are given, ``position`` is below 1, or ``since``
            is below 0.
    """
    if position is not None and since is not None:
        raise ValueError("redeliver takes position or since, got both")
    _check_position("position", position, lowest=1)
    _check_position("since", since, lowest=0)
    known = await get(endpoint)
    if position is not None:
        count = await Store.run(partial(store.again, endpoint=endpoint, position=position))
    elif since is not None:
        count = await _redeliver_since(known, since)
    else:
        count = await _redeliver_dead(endpoint)
    wake()
    probe(endpoint)
    return count


async def dead_letters(endpoint: str, *, after: int = 0, limit: int = 100) -> list[Delivery]:
    """Return the dead letters of an endpoint, in the order of their events.

    Args:
        endpoint: Id of the endpoint.
        after: Return only dead letters after this position. Default: from the first.
        limit: Maximum number of dead letters, 1 to 1,000.

    Raises:
        UnknownEndpointError: No endpoint has this id.
        ValueError: ``limit`` is out of range.
    """
    if not 1 <= limit <= MAX_PAGE_SIZE:
        raise ValueError(f"limit must be 1 to {MAX_PAGE_SIZE}, got {limit!r}")
    await get(endpoint)
    work = partial(store.dead_letters, endpoint=endpoint, after=after, limit=limit)
    return await Store.run(work)


async def counts(endpoint: str) -> tuple[int, int]:
    """Return the numbers of pending deliveries and of dead letters of an endpoint."""
    return await Store.run(partial(store.counts, endpoint=endpoint))


async def backlog() -> Backlog:
    """Return the number of pending deliveries to all endpoints, and the age of the oldest."""
    return await Store.run(store.backlog)


async def _redeliver_since(endpoint: WebhookEndpoint, since: int) -> int:
    total = 0
    after: int | None = since - 1
    while after is not None:
        work = partial(store.again_since, endpoint=endpoint, after=after, limit=_BATCH_SIZE)
        count, after = await Store.run(work)
        total += count
    return total


async def _redeliver_dead(endpoint: str) -> int:
    total = 0
    while count := await Store.run(partial(store.again_dead, endpoint=endpoint, limit=_BATCH_SIZE)):
        total += count
    return total


async def _changed(
    endpoint: str, work: Callable[[Connection], WebhookEndpoint | None]
) -> WebhookEndpoint:
    changed = _known(endpoint, await Store.run(work))
    wake()
    probe(endpoint)
    return changed


def _known(endpoint: str, found: WebhookEndpoint | None) -> WebhookEndpoint:
    if found is None:
        raise UnknownEndpointError(endpoint)
    return found


def _check_position(name: str, position: int | None, lowest: int) -> None:
    if position is not None and position < lowest:
        raise ValueError(f"{name} must be {lowest} or more, got {position!r}")
