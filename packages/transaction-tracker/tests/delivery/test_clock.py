"""After the wall clock was ahead and is correct again, nothing stays delayed."""

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from transaction_tracker.delivery import DeliveryContext, endpoints, schedule, wake, worker
from transaction_tracker.domain import Registration
from transaction_tracker.domain.webhook_endpoint import WebhookSecret
from transaction_tracker.store import STORE, OpenTransactions, Store, outbox, registering
from transaction_tracker.store import access as keys
from transaction_tracker.store import endpoints as stored
from transaction_tracker.store.database import Database
from transaction_tracker.store.schema.outbox import outbox as table

from ..databases import ignore  # noqa: TID252
from .receiver import Receiver
from .support import PATIENCE, happens, life, nothing_pending
from .tables import Run, add, commit, due, names

YEARS = 10 * 365 * 86_400.0
HOUR = 3_600.0
# A day, and a fifth of it as jitter.
MAX_DELAY_SECONDS = 1.2 * 86_400.0


@dataclass
class Clock:
    """The wall clock, which can be set.

    Attributes:
        ahead: Seconds that it is ahead.
    """

    ahead: float = 0.0


async def stored_attempts(count: int, due_before: float = math.inf) -> None:
    """Wait until the only delivery was tried so often, and is due before a time."""
    query = select(table.c.attempts, table.c.due_at)
    async with asyncio.timeout(PATIENCE):
        while True:
            attempts, due_at = await Store.run(lambda one: one.execute(query).one())
            if attempts == count and due_at < due_before:
                return
            await asyncio.sleep(0.002)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock, real = Clock(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + clock.ahead)
    yield clock
    monkeypatch.undo()


def test_due_time_beyond_the_longest_delay_is_rescheduled(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending"]))
    run(outbox.failed, due(run, endpoint)[0], time.time() + YEARS, 500, "HTTP 500")

    batch = run(outbox.due, endpoint.id, 100)

    assert batch.deliveries or batch.next_due <= time.time() + MAX_DELAY_SECONDS


@pytest.mark.parametrize("ahead", [HOUR, YEARS])
def test_retry_keeps_its_delay_if_the_clock_was_ahead(run: Run, clock: Clock, ahead: float) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending"]))
    clock.ahead = ahead
    run(outbox.failed, due(run, endpoint)[0], time.time() + 600, 500, "HTTP 500")

    clock.ahead = 0.0
    batch = run(outbox.due, endpoint.id, 100)

    assert batch.deliveries == ()
    assert batch.next_due == pytest.approx(time.time() + 600, abs=60)


@pytest.mark.parametrize("ahead", [HOUR, YEARS])
def test_event_stored_while_the_clock_was_ahead_is_due_at_once(
    run: Run, clock: Clock, ahead: float
) -> None:
    endpoint = add(run)
    clock.ahead = ahead
    commit(run, *life("tx", ["pending"]))

    clock.ahead = 0.0

    assert names(due(run, endpoint)) == ["tx:1"]
    clock.ahead = 2 * HOUR
    assert run(outbox.backlog).age_seconds == pytest.approx(2 * HOUR, abs=60)


def test_retry_with_a_valid_due_time_is_unchanged(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending"]))
    later = time.time() + 86_400
    run(outbox.failed, due(run, endpoint)[0], later, 429, "HTTP 429")

    for clock_changed in (True, False):
        batch = run(outbox.due, endpoint.id, 100, clock_changed=clock_changed)
        assert (batch.deliveries, batch.next_due) == ((), later)


async def test_running_worker_notices_that_the_clock_was_set_back(
    clock: Clock, outbox: DeliveryContext, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "DELAYS", (0.01,) + (60.0,) * 6)
    receiver.script = lambda _: 503
    endpoint = await endpoints.add(receiver.url)
    clock.ahead = HOUR
    monkeypatch.setattr(worker, "_MAX_SLEEP_SECONDS", 0.05)
    await happens("tx", states=["pending"])
    await stored_attempts(2)

    clock.ahead = 0.0
    receiver.script = lambda _: 204
    await stored_attempts(2, due_before=time.time() + 75)
    clock.ahead = 80.0  # the minute of the retry passes
    wake()

    await nothing_pending(endpoint.id)
    assert receiver.accepted == ["tx:1"]


def test_old_secret_expires_if_the_clock_was_ahead(run: Run, clock: Clock) -> None:
    endpoint, new = add(run), WebhookSecret.generate()
    commit(run, *life("tx", ["pending"]))
    clock.ahead = YEARS
    run(stored.rotate, endpoint.id, new, 60.0)

    clock.ahead = 0.0
    run(outbox.due, endpoint.id, 100)

    rotated = run(stored.load, endpoint.id)
    assert rotated.valid_secrets(time.time() + 31 * 86_400) == (new,)


def test_idempotency_key_expires_if_the_clock_was_ahead(run: Run, clock: Clock) -> None:
    clock.ahead = YEARS
    run(keys.keep_answer, "owner", "key", keys.StoredResponse("f", 200, "text/plain", b"old"))

    clock.ahead = 0.0
    assert run(keys.find_answer, "owner", "key") is None
    run(keys.keep_answer, "owner", "key", keys.StoredResponse("f", 200, "text/plain", b"new"))

    assert run(keys.find_answer, "owner", "key").body == b"new"


async def test_deadline_keeps_its_span_if_the_clock_was_ahead(
    database: Database, database_url: str, run: Run, clock: Clock
) -> None:
    clock.ahead = YEARS
    asked = Registration("tx", 3, deadline=time.time() + HOUR)
    run(registering.register, [asked])
    run(registering.register, [Registration("other", 3)])
    database.close()

    clock.ahead = 0.0
    open_transactions = OpenTransactions()
    await Store.start(database_url, open_transactions, ignore, name=STORE)

    deadlines = {tracked.id: tracked.deadline for tracked in open_transactions}
    assert deadlines == {"tx": pytest.approx(time.time() + HOUR, abs=60), "other": None}
