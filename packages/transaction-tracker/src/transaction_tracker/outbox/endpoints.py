"""What users do with endpoints. All of it needs a running application, but ``verify``."""

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from sqlalchemy import Connection

from beamish import AlreadyStartedError
from transaction_tracker.domain import STATES, State
from transaction_tracker.outbox import payload
from transaction_tracker.outbox.attempt import Result, attempt
from transaction_tracker.outbox.context import Context, probe, wake
from transaction_tracker.outbox.errors import UnknownEndpointError
from transaction_tracker.outbox.signature import SignatureError, verify
from transaction_tracker.outbox.status import (
    MAX_PAGE,
    Status,
    attempts,
    count_failing,
    oldest_pending,
    status,
    statuses,
)
from transaction_tracker.outbox.supervisor import start_courier, stop_courier
from transaction_tracker.store import Store
from transaction_tracker.store import endpoints as stored
from transaction_tracker.store import outbox as store
from transaction_tracker.store.attempts import AttemptRecord
from transaction_tracker.store.deliveries import Backlog, Delivery
from transaction_tracker.store.endpoints import Endpoint, Secret
from transaction_tracker.store.rescheduling import MAX_OVERLAP_SECONDS

__all__ = [
    "MAX_OVERLAP_SECONDS",
    "AttemptRecord",
    "Backlog",
    "Delivery",
    "Endpoint",
    "Result",
    "Secret",
    "SignatureError",
    "Status",
    "UnknownEndpointError",
    "add",
    "attempts",
    "backlog",
    "change",
    "count_failing",
    "counts",
    "dead_letters",
    "disable",
    "enable",
    "everyone",
    "get",
    "oldest_pending",
    "redeliver",
    "remove",
    "rotate",
    "status",
    "statuses",
    "test",
    "verify",
]

OVERLAP_SECONDS = 24 * 3_600.0
LONGEST_REASON = 200
# Work on many deliveries is cut into pieces, between which blocks are stored.
_PIECE = 1_000


async def add(
    url: str, *, secret: str | Secret | None = None, states: Sequence[str] | None = None
) -> Endpoint:
    """Deliver events to a URL from now on.

    Args:
        url: ``https``, on the public internet; the application's allow list says what else.
        secret: What deliveries are signed with; one is made if it is left out.
        states: The states to tell of; all if left out.

    Returns:
        The endpoint. Show its owner ``secret.reveal()`` once; it never prints by itself.

    Raises:
        ForbiddenUrlError: The URL may not be asked.
        ForbiddenAddressError: Its host stands for an address that may not be asked.
        ValueError: The secret is none, or a state is not known.
        StoreError: There are too many endpoints.
    """
    wanted = _states(states)
    key = Secret.generate() if secret is None else _secret(secret)
    checked = await Context.current().client.check(url)
    work = partial(stored.add, url=str(checked), secret=key, states=wanted)
    endpoint = await Store.run(work)
    with suppress(AlreadyStartedError):  # by its keeper, who has just found it
        await start_courier(endpoint.id)
    return endpoint


async def everyone() -> list[Endpoint]:
    """List all endpoints, the oldest first."""
    return await Store.run(stored.load_all)


async def get(endpoint: str) -> Endpoint:
    """Give an endpoint, or raise ``UnknownEndpointError``."""
    return _known(endpoint, await Store.run(partial(stored.load, endpoint=endpoint)))


async def change(endpoint: str, *, url: str, states: Sequence[str] | None) -> Endpoint:
    """Deliver elsewhere, or tell of other states; what is pending goes to the new URL.

    Args:
        endpoint: Its id.
        url: As for ``add``.
        states: As for ``add``; they count for events to come.

    Raises:
        UnknownEndpointError: There is none.
        Exception: As for ``add``.
    """
    wanted = _states(states)
    checked = await Context.current().client.check(url)
    work = partial(stored.change, endpoint=endpoint, url=str(checked), states=wanted)
    return await _changed(endpoint, work)


async def enable(endpoint: str) -> Endpoint:
    """Deliver to it again: first what was pending, then what is new.

    What happened while it was disabled was not written down for it: ``redeliver`` with
    ``since`` tells it.

    Raises:
        UnknownEndpointError: There is none.
    """
    return await _changed(endpoint, partial(stored.enable, endpoint=endpoint))


async def disable(endpoint: str, reason: str = "by hand") -> Endpoint:
    """Deliver to it no more; what is pending waits, and what comes new is not for it.

    Raises:
        UnknownEndpointError: There is none.
        ValueError: The reason is too long.
    """
    if len(reason) > LONGEST_REASON:
        raise ValueError(f"reason must have at most {LONGEST_REASON} characters, got {len(reason)}")
    return await _changed(endpoint, partial(stored.disable, endpoint=endpoint, reason=reason))


async def remove(endpoint: str) -> None:
    """Forget an endpoint, and all that was to be delivered to it.

    Raises:
        UnknownEndpointError: There is none.
    """
    await disable(endpoint, "being removed")
    await stop_courier(endpoint)
    while await Store.run(partial(store.clear, endpoint=endpoint, limit=_PIECE)):
        pass
    await Store.run(partial(stored.remove, endpoint=endpoint))


async def rotate(
    endpoint: str, *, secret: str | Secret | None = None, overlap: float = OVERLAP_SECONDS
) -> Endpoint:
    """Sign with a new secret, and for a while with the old one as well.

    Args:
        endpoint: Its id.
        secret: The new one; made if it is left out.
        overlap: Seconds for which deliveries are signed with both; at most 30 days.

    Returns:
        The endpoint; ``secret.reveal()`` is the new one.

    Raises:
        UnknownEndpointError: There is none.
        ValueError: The secret is none, or the overlap too long.
    """
    if not 0 <= overlap <= MAX_OVERLAP_SECONDS:
        raise ValueError(f"overlap must be 0 to {MAX_OVERLAP_SECONDS:.0f} seconds, got {overlap!r}")
    key = Secret.generate() if secret is None else _secret(secret)
    work = partial(stored.rotate, endpoint=endpoint, secret=key, overlap=overlap)
    return await _changed(endpoint, work)


async def test(endpoint: str) -> Result:
    """Send a message of type ``transaction_tracker.test`` now, and say what came of it.

    Also to a disabled endpoint. It is tried once, and nothing is stored of it.

    Raises:
        UnknownEndpointError: There is none.
    """
    known = await get(endpoint)
    context = Context.current()
    body = payload.test_body(known.id, time.time())
    async with context.tests:
        return await attempt(context.client, known, f"test:{uuid.uuid4()}", body)


async def redeliver(endpoint: str, *, position: int | None = None, since: int | None = None) -> int:
    """Deliver again: what was given up, one event, or all from one on.

    Args:
        endpoint: Its id.
        position: The one event with this place among all events, if it was for the endpoint.
        since: All events from this place on of the states that the endpoint wants, also those
            that were delivered, and those that it never was to hear. Without this and
            ``position``, what was given up.

    Returns:
        How many will be delivered again.

    Raises:
        UnknownEndpointError: There is none.
        ValueError: Both ``position`` and ``since`` are given, or one is below 1.
    """
    if position is not None and since is not None:
        raise ValueError("redeliver takes position or since, got both")
    _check_position("position", position)
    _check_position("since", since)
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
    """List what was given up at an endpoint, in the order of its events.

    Args:
        endpoint: Its id.
        after: The position of the last one that is known; 0 begins.
        limit: How many, 1 to 1,000.

    Raises:
        UnknownEndpointError: There is none.
        ValueError: The limit is not in its range.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise ValueError(f"limit must be 1 to {MAX_PAGE}, got {limit!r}")
    await get(endpoint)
    work = partial(store.dead_letters, endpoint=endpoint, after=after, limit=limit)
    return await Store.run(work)


async def counts(endpoint: str) -> tuple[int, int]:
    """Count what is pending at an endpoint, and what was given up."""
    return await Store.run(partial(store.counts, endpoint=endpoint))


async def backlog() -> Backlog:
    """Count what is pending at all endpoints, and since when."""
    return await Store.run(store.backlog)


async def _redeliver_since(endpoint: Endpoint, since: int) -> int:
    total = 0
    after: int | None = since - 1
    while after is not None:
        work = partial(store.again_since, endpoint=endpoint, after=after, limit=_PIECE)
        count, after = await Store.run(work)
        total += count
    return total


async def _redeliver_dead(endpoint: str) -> int:
    total = 0
    while count := await Store.run(partial(store.again_dead, endpoint=endpoint, limit=_PIECE)):
        total += count
    return total


async def _changed(endpoint: str, work: Callable[[Connection], Endpoint | None]) -> Endpoint:
    changed = _known(endpoint, await Store.run(work))
    wake()
    probe(endpoint)
    return changed


def _known(endpoint: str, found: Endpoint | None) -> Endpoint:
    if found is None:
        raise UnknownEndpointError(endpoint)
    return found


def _secret(secret: str | Secret) -> Secret:
    return secret if isinstance(secret, Secret) else Secret(secret)


def _states(states: Sequence[str] | None) -> tuple[State, ...] | None:
    if states is None:
        return None
    unknown = sorted(set(states) - set(STATES))
    if unknown or not states or isinstance(states, str):
        came = ", ".join(map(repr, unknown)) or repr(states)
        raise ValueError(f"states must be some of {', '.join(STATES)}, got {came}")
    return tuple(state for state in STATES if state in states)


def _check_position(name: str, position: int | None) -> None:
    if position is not None and position < 1:
        raise ValueError(f"{name} must be 1 or more, got {position!r}")
