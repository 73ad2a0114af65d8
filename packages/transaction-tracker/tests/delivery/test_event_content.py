"""The content of an event is stored once and never changes."""

from typing import Any

import pytest

from transaction_tracker.delivery import DeliveryContext, endpoints
from transaction_tracker.domain import Event, Registration
from transaction_tracker.store import Store, committing, feed, outbox, registering
from transaction_tracker.store.feed import EventRecord
from transaction_tracker.store.steps import Step

from ..databases import SOURCE, Run  # noqa: TID252
from .receiver import Receiver
from .support import eventually, life, nothing_pending, write
from .tables import add

FIRST = Registration("tx", 3, metadata='{"order": 1}')
SECOND = Registration("tx", 9, deadline=2e9, metadata='{"order": 2}')


def told(entry: EventRecord) -> Any:
    tracked = entry.event.tracked
    return entry.event.id, entry.metadata, tracked.required, tracked.deadline


WAS_TOLD = [
    ("tx:1", '{"order": 1}', 3, None),
    ("tx:2", '{"order": 1}', 3, None),
    ("tx:3", '{"order": 2}', 9, 2e9),
]


def track_twice(run: Run) -> None:
    """Track a transaction, stop tracking it, and register it again with other settings."""
    run(registering.register, [FIRST])
    run(committing.commit, Step(SOURCE, events=tuple(life("tx", ["pending", "untracked"]))))
    run(registering.register, [SECOND])


@pytest.mark.parametrize("read", [feed.entries, feed.events_page])
def test_event_is_unchanged_after_its_transaction_is_registered_again(run: Run, read: Any) -> None:
    track_twice(run)

    assert [told(entry) for entry in run(read, after=0, limit=9)] == WAS_TOLD


def test_history_is_unchanged_after_a_new_registration(run: Run) -> None:
    track_twice(run)

    entries = run(feed.last_events, transaction="tx", limit=9)

    assert [told(entry) for entry in entries] == WAS_TOLD


def test_due_delivery_is_unchanged_after_a_new_registration(run: Run) -> None:
    endpoint = add(run)
    track_twice(run)

    entries = []
    for _ in range(3):
        (delivery,) = run(outbox.due, endpoint.id, 9).deliveries
        entries.append(told(delivery.entry))
        run(outbox.dead, delivery, None, "no answer")

    assert entries == WAS_TOLD
    letters = run(outbox.dead_letters, endpoint.id, 0, 9)
    assert [told(letter.entry) for letter in letters] == WAS_TOLD


@pytest.mark.usefixtures("soon")
async def test_retry_and_redelivery_send_the_same_body(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    receiver.script = lambda _: 503
    endpoint = await endpoints.add(receiver.url)
    await Store.register([FIRST])
    await write(*life("tx", ["pending", "untracked"]))
    await eventually(lambda: receiver.received)

    await Store.register([SECOND])
    receiver.script = lambda _: 204
    await nothing_pending(endpoint.id)
    await endpoints.redeliver(endpoint.id, since=1)
    await nothing_pending(endpoint.id)

    bodies: dict[str, set[bytes]] = {}
    for came in receiver.received:
        bodies.setdefault(came.id, set()).add(came.body)
    assert {key: len(different) for key, different in bodies.items()} == dict.fromkeys(bodies, 1)
    assert sorted(bodies) == ["tx:1", "tx:2", "tx:3"]
    metadata = {came.id: came.message["data"]["metadata"] for came in receiver.received}
    assert metadata == {"tx:1": {"order": 1}, "tx:2": {"order": 1}, "tx:3": {"order": 2}}


def test_events_of_one_step_have_the_metadata_of_their_transactions(run: Run) -> None:
    names = [f"tx{number}" for number in range(50)]
    run(registering.register, [Registration(n, 3, metadata=f'{{"n":"{n}"}}') for n in names])
    events: list[Event] = [event for name in names for event in life(name)]

    run(committing.commit, Step(SOURCE, events=tuple(events)))

    entries = run(feed.entries, after=0, limit=1_000)
    assert len(entries) == 150
    assert all(entry.metadata == f'{{"n":"{entry.event.tracked.id}"}}' for entry in entries)
