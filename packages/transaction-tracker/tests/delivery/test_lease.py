"""Without a certain lease of the database, nothing is sent and no callback is called."""

import pytest

from beamish import GenServer
from transaction_tracker.delivery import endpoints, listener, worker
from transaction_tracker.delivery.listener import LISTENER, EventListener
from transaction_tracker.domain import Event
from transaction_tracker.net import CheckedClient

from .conftest import running
from .receiver import Gate, Receiver
from .support import eventually, happens, nothing_pending


class Lease:
    """A lease that ends and begins when the test says so, and counts the questions."""

    def __init__(self) -> None:
        self.left = 100.0
        self.asked = 0

    def owned_for(self) -> float:
        self.asked += 1
        return self.left

    async def is_asked_again(self) -> None:
        """Wait until the outbox or the listener has asked several times."""
        asked = self.asked
        await eventually(lambda: self.asked > asked + 5)


@pytest.fixture
def lease(monkeypatch: pytest.MonkeyPatch) -> Lease:
    monkeypatch.setattr(worker, "LEASE_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(listener, "LEASE_CHECK_SECONDS", 0.01)
    return Lease()


async def test_no_delivery_is_sent_without_the_lease(
    store: None, client: CheckedClient, receiver: Receiver, lease: Lease
) -> None:
    async with running(client, owned_for=lease.owned_for):
        endpoint = await endpoints.add(receiver.url)
        lease.left = 0.0
        await happens("tx")
        await lease.is_asked_again()
        assert receiver.received == []

        lease.left = 100.0
        await nothing_pending(endpoint.id)

    assert receiver.accepted == ["tx:1", "tx:2", "tx:3"]


async def test_delivery_in_flight_ends_with_the_lease_and_is_repeated(
    store: None, client: CheckedClient, receiver: Receiver, lease: Lease
) -> None:
    gate = Gate()
    receiver.script = gate
    async with running(client, owned_for=lease.owned_for):
        endpoint = await endpoints.add(receiver.url)
        await happens("tx", states=["pending"])
        await eventually(lambda: receiver.received)

        lease.left = 0.0
        await lease.is_asked_again()
        lease.left = 100.0
        # With the first response still outstanding: it was not waited for.
        await eventually(lambda: len(receiver.received) == 2)
        gate.opened.set()
        await nothing_pending(endpoint.id)

        # The attempt that was cut off does not count as one of the endpoint's failures.
        attempts = await endpoints.attempts(endpoint.id)
        assert [attempt.outcome for attempt in attempts] == ["delivered"]
    first, second = receiver.received
    assert (first.id, first.body) == (second.id, second.body)


async def test_callback_is_not_called_without_the_lease(store: None, lease: Lease) -> None:
    heard: list[Event] = []

    def on_event(event: Event) -> None:
        heard.append(event)
        lease.left = 0.0  # in the middle of a batch

    pid = await EventListener.start(on_event, owned_for=lease.owned_for, name=LISTENER)
    lease.left = 0.0
    await happens("tx")
    await lease.is_asked_again()
    assert heard == []

    for number in range(1, 4):
        lease.left = 100.0
        await eventually(lambda: lease.left == 0.0)
        await lease.is_asked_again()
        assert [event.tracked.version for event in heard] == [*range(1, number + 1)]
    await GenServer.stop(pid)
