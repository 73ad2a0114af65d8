"""A service on its worst night: six faults at once, as an operator finds it at 3 a.m."""

import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import pytest
from sqlalchemy import select, update

from transaction_tracker.api import Following
from transaction_tracker.domain.alert import Alert, FaultWatch, FaultWatches
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint, WebhookSecret
from transaction_tracker.follower import Verdict
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.store import Store, attempts, endpoints
from transaction_tracker.store.attempts import AttemptRecord
from transaction_tracker.store.schema import outbox

from ..api.support import (  # noqa: TID252 - the one way to serve without a follower
    SOURCE,
    Client,
    mine,
    move,
    register,
    serving,
)

MINUTE, HOUR, DAY = 60.0, 3_600.0, 86_400.0
HONEST, LIAR = "node.example.org-1", "rpc.cheap.example-2"
HALT = (
    f"the end of minedtx1 is held back: {LIAR} has it with another recipient, value or input, and "
    "has not said otherwise since"
)
OBJECTION = "contradicts the followed chain: another block at height 18,999,990"
DISK = (
    "less than 10 % of the database's file system is free, and the service stops tracking when it "
    "is full; free space, or remove old transactions with txtrack prune"
)


class TwoProviders:
    """One provider that is followed, and one that holds another chain."""

    def status(self) -> Sequence[ProviderStatus]:
        return [
            ProviderStatus(
                *(HONEST, "active", 1, 19_000_000, 2.0, 0, "same", 0.031, 0.12),
                *({"rate_limit": 12, "not_yet": 3}, 0.0, 4_000, None, False, True, None),
            ),
            ProviderStatus(
                *(LIAR, "healthy", 1, 19_000_000, 3.0, 0, "other", 0.5, 2.1),
                *({"server": 40}, 0.1, 400, None, False, None, OBJECTION),
            ),
        ]


@asynccontextmanager
async def bad_night() -> AsyncIterator[Client]:
    """Serve the API of a service in which six things are wrong.

    An endpoint has failed for 20 minutes, another has dead letters; a provider is on another
    chain, and the source has been halted because of it for 12 minutes; the disk is nearly full; and
    a transaction has waited for three days.
    """
    halted = Verdict("halted", HALT, since=1_000.0)
    following = Following(19_000_000, 2.0, 2.0, True, halted, now=1_000.0 + 12 * MINUTE)
    async with serving(following=lambda: following) as client:
        object.__setattr__(client.service, "providers", TwoProviders())
        await _transactions(client)
        await _endpoints()
        _raise_alerts(client)
        yield client


async def _transactions(client: Client) -> None:
    waits = time.time() - 3 * DAY
    with _clock_at(waits):
        await register(client, "waits3days")
        await move("waits3days", state="pending", waiting_since=waits)
    # Its fee is too low at times: each time, the transaction changes.
    await move("waits3days", flags=frozenset(("stuck", "underpriced")))
    await register(client, "parkedtx1", "minedtx1")
    await move("parkedtx1", error="RuntimeError('receipt without a block')")
    await mine("minedtx1")


async def _endpoints() -> None:
    now = time.time()
    failing = await _add_endpoint("https://hooks.shop.example/payments")
    dead = await _add_endpoint("https://ledger.example/in")
    with _clock_at(now - 20 * MINUTE):
        await move("minedtx1", state="mined")
    await Store.run(partial(endpoints.set_failing, endpoint=failing.id, since=now - 20 * MINUTE))
    bury = update(outbox).where(outbox.c.endpoint_id == dead.id)
    lost = {"state": "dead", "due_at": None, "attempts": 12, "error": "HTTP 410", "settled_at": now}
    tried = {"attempts": 7, "tried_at": now - 90, "due_at": now + 200, "error": "HTTP 503"}
    retry = update(outbox).where(outbox.c.endpoint_id == failing.id).values(**tried)
    await Store.run(lambda one: (one.execute(bury.values(**lost)), one.execute(retry)))
    first = select(outbox.c.position).where(outbox.c.endpoint_id == failing.id).limit(1)
    position = await Store.run(lambda one: one.execute(first).scalar_one())
    for number in range(1, 8):
        ended = now - 20 * MINUTE + number * 160
        made = AttemptRecord(
            *(failing.id, position, number, ended, 0.4, "server_error", 503, "HTTP 503"),
            "<html>upstream is down</html>",
        )
        await Store.run(partial(attempts.add, made=made, trim=True))


async def _add_endpoint(url: str) -> WebhookEndpoint:
    return await Store.run(lambda one: endpoints.add(one, url, WebhookSecret.generate(), None))


def _raise_alerts(client: Client) -> None:
    """Raise the alerts that the watcher of such a service raises."""
    now = time.time()
    known = [
        Alert("al_1", "source.halted", SOURCE, "critical", f"{HALT}; run txtrack doctor", now, now),
        Alert("al_2", "disk.low", "disk", "warning", DISK, now - 2 * HOUR, now - 2 * HOUR),
    ]
    client.service.alerts.evaluated(
        FaultWatches({alert.key: FaultWatch(0.0, 0.0, alert) for alert in known}), ()
    )


@contextmanager
def _clock_at(seconds: float) -> Iterator[None]:
    """Make what is stored within a block be of another time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: seconds)
        yield
