"""Delivery workers: restart, shutdown, crashes and idle time."""

import asyncio
from functools import partial

import pytest

from beamish import GenServer, debug, process
from transaction_tracker.delivery import OUTBOX, DeliveryContext, endpoints, worker
from transaction_tracker.delivery.context import via
from transaction_tracker.net import CheckedClient
from transaction_tracker.store import Store
from transaction_tracker.store import outbox as table

from .conftest import running
from .receiver import Gate, Receiver
from .support import due_in, eventually, happens, nothing_pending, warm_up


async def test_pending_events_are_delivered_after_a_restart(
    store: None, client: CheckedClient, receiver: Receiver
) -> None:
    async with running(client):
        endpoint = await endpoints.add(receiver.url)
    await happens("tx")

    async with running(client):
        await nothing_pending(endpoint.id)

    assert receiver.accepted == ["tx:1", "tx:2", "tx:3"]


async def test_killed_worker_is_restarted_and_repeats_its_attempts(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    gate = Gate()
    receiver.script = gate
    endpoint = await endpoints.add(receiver.url)
    await happens("tx")
    await eventually(lambda: receiver.received)
    pid = GenServer.whereis(via(endpoint.id))
    assert pid is not None

    process.exit(pid, "kill")
    gate.opened.set()
    await nothing_pending(endpoint.id)

    assert list(dict.fromkeys(receiver.accepted)) == ["tx:1", "tx:2", "tx:3"]


@pytest.mark.usefixtures("soon")
async def test_restarted_outbox_waits_for_the_old_one_to_end(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    gate = Gate()
    receiver.script = gate
    endpoint = await endpoints.add(receiver.url)
    await happens("tx")
    await eventually(lambda: receiver.received)
    killed = GenServer.whereis(OUTBOX)
    assert killed is not None

    process.exit(killed, "kill")
    asyncio.get_running_loop().call_later(0.05, gate.opened.set)
    await eventually(lambda: GenServer.whereis(OUTBOX) not in (None, killed))
    await nothing_pending(endpoint.id)

    assert list(dict.fromkeys(receiver.accepted)) == ["tx:1", "tx:2", "tx:3"]


async def test_shutdown_waits_for_attempts_in_flight(
    store: None, client: CheckedClient, receiver: Receiver
) -> None:
    gate = Gate()
    receiver.script = gate
    async with running(client):
        endpoint = await endpoints.add(receiver.url)
        await happens("tx", states=["pending"])
        await eventually(lambda: receiver.received)
        asyncio.get_running_loop().call_later(0.05, gate.opened.set)

    assert await Store.run(partial(table.counts, endpoint=endpoint.id)) == (0, 0)
    assert receiver.accepted == ["tx:1"]


async def test_shutdown_repeats_unfinished_attempts_later(
    store: None, client: CheckedClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "GRACE_SECONDS", 0.05)
    gate = Gate()
    receiver.script = gate
    async with running(client):
        endpoint = await endpoints.add(receiver.url)
        await happens("tx", states=["pending"])
        await eventually(lambda: receiver.received)
    gate.opened.set()
    receiver.script = lambda _: 200

    async with running(client):
        await nothing_pending(endpoint.id)

    assert [came.id for came in receiver.received] == ["tx:1", "tx:1"]


async def test_crashed_attempt_is_a_failure_and_delays_no_other_transaction(
    outbox: DeliveryContext,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = worker.payload.body

    def poisoned(entry: object) -> bytes:
        if entry.event.tracked.id == "poison":  # type: ignore[attr-defined]
            raise ValueError("odd")
        return whole(entry)  # type: ignore[arg-type]

    monkeypatch.setattr(worker.payload, "body", poisoned)
    endpoint = await endpoints.add(receiver.url)

    await happens("poison", "other")
    await eventually(lambda: len(receiver.accepted) == 3)

    assert receiver.accepted == ["other:1", "other:2", "other:3"]
    async with asyncio.timeout(50):
        while await due_in(endpoint.id) <= 0:
            await asyncio.sleep(0.002)
    assert "odd" in caplog.text


async def test_removed_endpoint_gets_no_events(outbox: DeliveryContext, receiver: Receiver) -> None:
    endpoint = await endpoints.add(receiver.url)

    await endpoints.remove(endpoint.id)
    await happens("tx")

    assert GenServer.whereis(via(endpoint.id)) is None
    assert await endpoints.list_all() == []
    assert receiver.received == []


async def sleeps(endpoint: str) -> None:
    """Wait until a worker's timer is long."""
    async with asyncio.timeout(50):
        while True:
            timer = (await debug.get_state(via(endpoint)))["_timer"]
            if timer is not None and (process.read_timer(timer) or 0.0) > 30:
                return
            await asyncio.sleep(0.002)


async def test_idle_worker_sleeps(outbox: DeliveryContext, receiver: Receiver) -> None:
    endpoint = await endpoints.add(receiver.url)
    await happens("tx", states=["pending"])
    await nothing_pending(endpoint.id)

    await sleeps(endpoint.id)


async def test_worker_without_capacity_sleeps(outbox: DeliveryContext, receiver: Receiver) -> None:
    endpoint = await endpoints.add(receiver.url)
    await warm_up(endpoint.id)
    gate = Gate()
    receiver.script = gate
    await happens(*(f"tx{number}" for number in range(10)), states=["pending"])
    await eventually(lambda: receiver.most == outbox.per_endpoint)

    await sleeps(endpoint.id)

    gate.opened.set()
