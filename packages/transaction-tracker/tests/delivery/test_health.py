"""The health of endpoints: each change is logged once, and restarts keep it."""

import asyncio
import logging
import time
from dataclasses import replace

import pytest

from beamish import debug
from transaction_tracker.delivery import DeliveryContext, breaker, endpoints
from transaction_tracker.delivery.context import via
from transaction_tracker.delivery.health import (
    BEHIND_SECONDS,
    FAILING_THRESHOLD,
    STALLED_SECONDS,
    EndpointHealth,
    flow,
)
from transaction_tracker.net import CheckedClient

from .conftest import running
from .receiver import Gate, Receiver
from .support import PATIENCE, eventually, happens, warm_up


def told(caplog: pytest.LogCaptureFixture, endpoint: str) -> list[str]:
    """Return the log messages about an endpoint's health, without its id and the numbers."""
    messages = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    words = ("is failing", "works again", "is disabled")
    return [word for text in messages if endpoint in text for word in words if word in text]


async def until_failing(endpoint: str, *, failing: bool = True) -> None:
    async with asyncio.timeout(PATIENCE):
        while ((await endpoints.get(endpoint)).failing_since is not None) != failing:
            await asyncio.sleep(0.002)


@pytest.fixture
def quick_probes(monkeypatch: pytest.MonkeyPatch, soon: None) -> None:
    monkeypatch.setattr(breaker, "PAUSES", replace(breaker.PAUSES, maximum=0.02))


@pytest.mark.usefixtures("quick_probes")
@pytest.mark.parametrize("status", [500, 404])
async def test_each_change_of_the_health_of_an_endpoint_is_logged_once(
    outbox: DeliveryContext, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    receiver.script = lambda _: status
    endpoint = await endpoints.add(f"{receiver.url}/path-that-is-a-key")

    await happens(*(f"tx{number}" for number in range(20)), states=["pending"])
    await eventually(lambda: len(receiver.received) > 4 * FAILING_THRESHOLD)
    await until_failing(endpoint.id)
    assert told(caplog, endpoint.id) == ["is failing"]
    assert f"HTTP {status}" in caplog.text

    receiver.script = lambda _: 204
    await until_failing(endpoint.id, failing=False)
    assert told(caplog, endpoint.id) == ["is failing", "works again"]
    assert "path-that-is-a-key" not in caplog.text


async def test_failures_below_the_threshold_are_not_logged(
    outbox: DeliveryContext, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.script = lambda _: 500
    endpoint = await endpoints.add(receiver.url)

    keys = [f"tx{number}" for number in range(FAILING_THRESHOLD - 1)]
    await happens(*keys, states=["pending"])
    async with asyncio.timeout(PATIENCE):
        while len(await endpoints.attempts(endpoint.id)) < FAILING_THRESHOLD - 1:
            await asyncio.sleep(0.002)

    assert told(caplog, endpoint.id) == []
    assert (await endpoints.get(endpoint.id)).failing_since is None


async def test_endpoint_that_responds_410_is_logged(
    outbox: DeliveryContext, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    endpoint = await endpoints.add(receiver.url)
    await warm_up(endpoint.id)
    gate = Gate(410)
    receiver.script = gate
    await happens(*(f"tx{number}" for number in range(4)), states=["pending"])
    await eventually(lambda: receiver.most == 4)

    gate.opened.set()
    async with asyncio.timeout(PATIENCE):
        while (await debug.get_state(via(endpoint.id)))["_in_flight"]:
            await asyncio.sleep(0.002)
    assert len(await endpoints.attempts(endpoint.id)) == 3 + 4

    assert told(caplog, endpoint.id) == ["is disabled"]


@pytest.mark.usefixtures("quick_probes")
async def test_after_a_restart_a_failing_endpoint_gets_one_probe_and_no_second_warning(
    store: None, client: CheckedClient, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    receiver.script = lambda _: 500
    async with running(client):
        endpoint = await endpoints.add(receiver.url)
        await happens(*(f"tx{number}" for number in range(20)), states=["pending"])
        await until_failing(endpoint.id)
    assert told(caplog, endpoint.id) == ["is failing"]
    receiver.received.clear()
    receiver.most = 0

    async with running(client):
        await eventually(lambda: len(receiver.received) >= 3 * FAILING_THRESHOLD)
        assert receiver.most == 1
        assert told(caplog, endpoint.id) == ["is failing"]
        receiver.script = lambda _: 204
        await until_failing(endpoint.id, failing=False)

    assert told(caplog, endpoint.id) == ["is failing", "works again"]


@pytest.mark.usefixtures("quick_probes")
async def test_after_a_restart_a_failing_endpoint_gets_no_second_attempt_before_a_pause(
    store: None, client: CheckedClient, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.script = lambda _: 500
    async with running(client):
        endpoint = await endpoints.add(receiver.url)
        await happens(*(f"tx{number}" for number in range(20)), states=["pending"])
        await until_failing(endpoint.id)
    receiver.received.clear()
    hour = replace(breaker.PAUSES, initial=3_600.0, maximum=3_600.0)
    monkeypatch.setattr(breaker, "PAUSES", hour)

    async with running(client):
        async with asyncio.timeout(PATIENCE):
            while (await next_attempt(endpoint.id)) < time.time() + 3_000:
                await asyncio.sleep(0.002)

        assert len(receiver.received) == 1


async def next_attempt(endpoint: str) -> float:
    return (await endpoints.status(endpoint)).next_attempt_at or 0.0


async def test_failing_endpoint_is_probed_at_once_after_a_change(
    outbox: DeliveryContext, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = replace(breaker.PAUSES, initial=3_600.0, maximum=3_600.0)
    monkeypatch.setattr(breaker, "PAUSES", hour)
    url = receiver.url
    receiver.script = lambda _: 500
    endpoint = await endpoints.add(url)
    await happens(*(f"tx{number}" for number in range(20)), states=["pending"])
    await until_failing(endpoint.id)
    next_attempt_at = (await endpoints.status(endpoint.id)).next_attempt_at
    assert next_attempt_at is not None
    assert next_attempt_at > time.time() + 3_000
    receiver.script = lambda _: 204

    await endpoints.change(endpoint.id, url=f"{url}/new", states=None)

    await until_failing(endpoint.id, failing=False)
    assert receiver.received[-1].path == "/hook/new"


def test_health_counts_failures_in_a_row() -> None:
    health = EndpointHealth()
    for second in range(FAILING_THRESHOLD - 1):
        health = health.after(second, delivered=False)
    assert health.failing_since is None

    failing = health.after(9.0, delivered=False)

    assert failing.failing_since == 0
    assert failing.after(10.0, delivered=False).failing_since == 0
    assert failing.after(11.0, delivered=True) == EndpointHealth()
    assert EndpointHealth.stored(7.0).after(12.0, delivered=False).failing_since == 7.0


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0.0, "flowing"),
        (BEHIND_SECONDS - 1, "flowing"),
        (BEHIND_SECONDS, "behind"),
        (STALLED_SECONDS - 1, "behind"),
        (STALLED_SECONDS, "stalled"),
    ],
)
def test_deliveries_are_behind_after_a_minute_and_stalled_after_five(
    age: float, expected: str
) -> None:
    assert flow(age, frozen=False) == expected
    assert flow(age, frozen=True) == "frozen"
