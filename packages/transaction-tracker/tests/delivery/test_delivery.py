"""Deliveries as receivers see them: signed, in order, at least once."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from beamish import telemetry
from transaction_tracker.delivery import DeliveryContext, attempt, breaker, endpoints, wake
from transaction_tracker.net import AllowList, CheckedClient
from transaction_tracker.store import Store, chain

from .conftest import running
from .receiver import Gate, Received, Receiver
from .support import (
    due_in,
    eventually,
    happens,
    life,
    nothing_pending,
    pending,
    register,
    warm_up,
    write,
)


async def test_event_arrives_complete_and_signed(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    endpoint = await endpoints.add(receiver.url)
    await register("tx", metadata='{"order": 7}')
    _, mined = life("tx", ["pending", "mined"])

    await write(*life("tx", ["pending", "mined"]))
    await eventually(lambda: len(receiver.accepted) == 2)

    came = receiver.received[-1]
    assert Webhook(endpoint.secret.reveal()).verify(came.body, came.headers) == came.message
    assert came.id == mined.id == "tx:2"
    assert came.headers["content-type"] == "application/json"
    assert abs(datetime.fromisoformat(came.message["timestamp"]).timestamp() - time.time()) < 60


async def test_webhook_has_the_documented_fields(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    """Receivers rely on each of these names: they change only with the version of the API."""
    await endpoints.add(receiver.url)
    await register("tx", metadata='{"order": 7}')

    await write(*life("tx", ["pending", "mined"]))
    await eventually(lambda: len(receiver.accepted) == 2)

    first, second = (came.message for came in receiver.received)
    assert list(second) == ["type", "timestamp", "data"]
    assert second["timestamp"].endswith("Z")
    assert second["type"] == "transaction.mined"
    assert second["data"] == {
        "id": "tx",
        "hash": None,
        "version": 2,
        "state": "mined",
        "previous": "pending",
        "block": {"number": 10, "hash": "ten"},
        "outcome": {
            "succeeded": True,
            "fee": "21",
            "fee_scope": "total",
            "error": None,
        },
        "superseded_by": None,
        "reason": None,
        "flags": [],
        "metadata": {"order": 7},
        "payload_version": 4,
        "caip_id": "tx",
        "details": None,
        "expectation": None,
        "address": None,
        "deposits": None,
    }
    assert (first["data"]["block"], first["data"]["outcome"]) == (None, None)


async def test_verification_fails_for_a_changed_message_or_wrong_secret(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    endpoint = await endpoints.add(receiver.url)
    await happens("tx", states=["pending"])
    await eventually(lambda: receiver.received)
    came = receiver.received[0]

    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret.reveal()).verify(came.body + b" ", came.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoints.WebhookSecret.generate().reveal()).verify(came.body, came.headers)


async def test_events_of_a_transaction_stay_in_order_after_a_failure(
    soon: None, outbox: DeliveryContext, receiver: Receiver
) -> None:
    left = {"tx:1": 3}

    def fail_first(came: Received) -> int:
        left[came.id] = left.get(came.id, 0) - 1
        return 503 if left[came.id] >= 0 else 200

    receiver.script = fail_first
    endpoint = await endpoints.add(receiver.url)

    await happens("tx")
    await nothing_pending(endpoint.id)

    assert receiver.accepted == ["tx:1", "tx:2", "tx:3"]
    assert [came.id for came in receiver.received] == ["tx:1"] * 4 + ["tx:2", "tx:3"]


async def test_failing_delivery_does_not_delay_other_transactions(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    receiver.script = lambda came: 500 if came.id.startswith("bad") else 200
    endpoint = await endpoints.add(receiver.url)

    await happens("bad", "good")
    await nothing_pending(endpoint.id, but=3)

    assert receiver.accepted == ["good:1", "good:2", "good:3"]
    assert await pending(endpoint.id) == 3


async def test_transactions_are_delivered_concurrently_up_to_the_limit(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    endpoint = await endpoints.add(receiver.url)
    await warm_up(endpoint.id)
    gate = Gate()
    receiver.script = gate

    await happens(*(f"tx{number}" for number in range(10)), states=["pending"])
    await eventually(lambda: receiver.most == outbox.per_endpoint)
    gate.opened.set()
    await nothing_pending(endpoint.id)

    assert receiver.most == outbox.per_endpoint


async def test_shared_limit_applies_to_all_endpoints_together(
    store: None, client: CheckedClient, receiver: Receiver
) -> None:
    async with running(client, shared=2):
        added = [await endpoints.add(receiver.url) for _ in range(3)]

        await happens(*(f"tx{number}" for number in range(10)), states=["pending"])
        for endpoint in added:
            await nothing_pending(endpoint.id)

    assert len(receiver.accepted) == 30
    # One for each endpoint, and half of what they share, as they are at the same host.
    assert receiver.most <= 3 + 1


@pytest.mark.parametrize("limit", ["shared", "per_endpoint", "max_probes"])
def test_limit_below_one_is_refused(limit: str) -> None:
    with pytest.raises(ValueError, match=f"{limit} must be 1 or more, got 0"):
        DeliveryContext(CheckedClient(AllowList()), **{limit: 0})


async def test_each_attempt_emits_a_telemetry_event(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    heard: list[tuple[Any, Any]] = []
    receiver.script = lambda _: 500
    endpoint = await endpoints.add(receiver.url)

    telemetry.attach("test", attempt.ATTEMPT, lambda _, *what: heard.append(what))
    await endpoints.test(endpoint.id)
    telemetry.detach("test")

    ((numbers, facts),) = heard
    assert numbers["seconds"] > 0
    assert facts == {"endpoint": endpoint.id, "outcome": "server_error"}


async def test_hanging_endpoint_does_not_delay_other_endpoints(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    gate = Gate()
    async with Receiver(script=gate) as silent:
        await endpoints.add(silent.url)
        await endpoints.add(receiver.url)

        await happens(*(f"tx{number}" for number in range(20)), states=["pending"])
        await eventually(lambda: len(receiver.accepted) == 20)

        assert silent.accepted == []
        gate.opened.set()
        await eventually(lambda: len(silent.accepted) == 20)


async def test_endpoint_gets_only_the_states_that_it_wants(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    endpoint = await endpoints.add(receiver.url, states=["confirmed", "failed"])

    await happens("tx")
    await nothing_pending(endpoint.id)

    assert receiver.accepted == ["tx:3"]


async def test_redirect_is_a_failure_and_not_followed(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    target = f"{receiver.url}/elsewhere"
    receiver.script = lambda _: web.Response(status=307, headers={"Location": target})
    endpoint = await endpoints.add(receiver.url)

    await happens("tx", states=["pending"])
    result = await endpoints.test(endpoint.id)

    assert (result.outcome, result.status) == ("redirected", 307)
    await eventually(lambda: len(receiver.received) == 2)
    assert {came.path for came in receiver.received} == {"/hook"}
    assert await pending(endpoint.id) == 1


async def test_endpoint_that_responds_410_is_disabled_until_enabled(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    receiver.script = lambda _: 410
    endpoint = await endpoints.add(receiver.url)
    await register("tx")
    first, second, third = life("tx")

    await write(first, second)
    async with asyncio.timeout(50):
        while (await endpoints.get(endpoint.id)).enabled:
            await asyncio.sleep(0.002)
    await write(third)

    assert len(receiver.received) == 1
    assert "410" in ((await endpoints.get(endpoint.id)).disabled_reason or "")
    receiver.script = lambda _: 204
    await endpoints.enable(endpoint.id)
    await nothing_pending(endpoint.id)
    assert receiver.accepted == ["tx:1", "tx:2"]
    assert await endpoints.redeliver(endpoint.id, since=3) == 1
    await nothing_pending(endpoint.id)
    assert receiver.accepted == ["tx:1", "tx:2", "tx:3"]


async def test_retry_after_delays_the_next_attempt(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    receiver.script = lambda _: web.Response(status=429, headers={"Retry-After": "600"})
    endpoint = await endpoints.add(receiver.url)

    await happens("tx", "other", states=["pending"])
    await eventually(lambda: receiver.received)

    async with asyncio.timeout(50):
        while (await due_in(endpoint.id)) < 600:
            await asyncio.sleep(0.002)
    assert await due_in(endpoint.id) < 600 * 1.3


async def test_dead_letter_can_be_redelivered(
    soon: None, outbox: DeliveryContext, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.script = lambda _: 400  # an answer: the breaker stays closed
    endpoint = await endpoints.add(receiver.url)

    await happens("tx", states=["pending", "mined"])
    await nothing_pending(endpoint.id)

    letters = await endpoints.dead_letters(endpoint.id)
    assert [letter.entry.event.id for letter in letters] == ["tx:1", "tx:2"]
    assert {(letter.status, letter.attempts) for letter in letters} == {(400, 8)}
    assert [came.id for came in receiver.received] == ["tx:1"] * 8 + ["tx:2"] * 8

    receiver.script = lambda _: 200
    assert await endpoints.redeliver(endpoint.id) == 2
    await nothing_pending(endpoint.id)
    assert receiver.accepted == ["tx:1", "tx:2"]
    assert await endpoints.dead_letters(endpoint.id) == []


async def test_open_breaker_sends_only_a_probe(
    outbox: DeliveryContext, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PAUSES", replace(breaker.PAUSES, maximum=0.02))
    endpoint = await endpoints.add(receiver.url)
    await warm_up(endpoint.id)
    receiver.received.clear()
    receiver.accepted.clear()
    receiver.script = lambda _: 500
    await happens(*(f"tx{number}" for number in range(20)), states=["pending"])
    # The fifth failure opens it; by then others can be in flight.
    await eventually(lambda: len(receiver.received) >= 9)
    receiver.most = 0

    await eventually(lambda: len(receiver.received) >= 12)

    assert receiver.most == 1
    failed = {came.id for came in receiver.received}
    receiver.script = lambda _: 200
    # An answer opens the way for all that is due; what has failed waits for its own time.
    await eventually(lambda: len(receiver.accepted) >= 20 - len(failed) - 1)
    assert await pending(endpoint.id) > 0


async def test_both_secrets_verify_during_a_rotation(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    endpoint = await endpoints.add(receiver.url)
    rotated = await endpoints.rotate(endpoint.id)

    await happens("during", states=["pending"])
    await eventually(lambda: len(receiver.received) == 1)
    await endpoints.rotate(endpoint.id, secret=rotated.secret, overlap=0)
    await happens("after", states=["pending"])
    await eventually(lambda: len(receiver.received) == 2)

    during, after = receiver.received
    assert len(during.headers["webhook-signature"].split(" ")) == 2
    for secret in (endpoint.secret, rotated.secret):
        assert Webhook(secret.reveal()).verify(during.body, during.headers) == during.message
    assert endpoints.verify(rotated.secret, after.headers, after.body) == after.message
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret.reveal()).verify(after.body, after.headers)


async def test_frozen_deliveries_wait_until_resumed(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    endpoint = await endpoints.add(receiver.url)
    await Store.run(chain.pause_deliveries)

    await happens("tx", states=["pending"])
    result = await endpoints.test(endpoint.id)  # a test message is not an event

    assert result.delivered
    assert [came.message["type"] for came in receiver.received] == ["transaction_tracker.test"]
    assert await pending(endpoint.id) == 1
    await Store.run(chain.resume_deliveries)
    wake()
    await nothing_pending(endpoint.id)
    assert receiver.accepted[-1] == "tx:1"


async def test_test_message_is_signed_and_returns_the_result(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    endpoint = await endpoints.add(receiver.url)

    result = await endpoints.test(endpoint.id)

    (came,) = receiver.received
    assert (result.delivered, result.status, result.error) == (True, 204, None)
    assert result.seconds > 0
    message = endpoints.verify(endpoint.secret.reveal(), came.headers, came.body)
    assert message["type"] == "transaction_tracker.test"
    assert message["data"] == {"endpoint": endpoint.id}


async def test_attempt_without_a_response_times_out(
    outbox: DeliveryContext, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "DEADLINE_SECONDS", 0.05)
    gate = Gate()
    receiver.script = gate
    endpoint = await endpoints.add(receiver.url)

    result = await endpoints.test(endpoint.id)

    gate.opened.set()
    assert (result.outcome, result.status) == ("timeout", None)


async def test_refused_connection_is_a_connection_failure(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    endpoint = await endpoints.add(receiver.url)
    await receiver.close()

    result = await endpoints.test(endpoint.id)

    assert result.outcome == "connection"
    assert receiver.url not in (result.error or "")
