"""Stored attempts: enough to explain a failure, bounded, and without secrets."""

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import func, select

from transaction_tracker.delivery import DeliveryContext, endpoints
from transaction_tracker.delivery.excerpt import MAX_EXCERPT_BYTES, excerpt
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint, WebhookSecret
from transaction_tracker.store import attempts, outbox, pruning
from transaction_tracker.store import endpoint_status as status
from transaction_tracker.store import endpoints as stored
from transaction_tracker.store.attempts import AttemptRecord
from transaction_tracker.store.schema.outbox import attempts as table

from .receiver import Receiver
from .support import PATIENCE, eventually, happens, life, nothing_pending
from .tables import Run, add, commit, due


def made(endpoint: str, position: int = 1, **fields: Any) -> AttemptRecord:
    usual = {"number": 1, "ended_at": 1.0, "seconds": 0.5, "outcome": "server_error"}
    return AttemptRecord(endpoint, position, **(usual | fields))


def count(run: Run) -> int:
    query = select(func.count()).select_from(table)
    return run(lambda connection: connection.execute(query).scalar())


def test_stored_attempt_is_loaded_with_its_event(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending"]))
    full = made(
        endpoint.id, status=503, error="HTTP 503", answer="busy", seconds=1.5, ended_at=99.5
    )

    run(attempts.add, full, trim=True)
    run(attempts.add, made(endpoint.id, number=2, outcome="delivered"), trim=False)

    second, first = run(attempts.page, endpoint.id, before=None, limit=10)
    assert (second.number, second.outcome, second.status, second.answer) == (
        2,
        "delivered",
        None,
        None,
    )
    assert (
        first.event,
        first.status,
        first.error,
        first.answer,
        first.seconds,
        first.ended_at,
    ) == (
        "tx:1",
        503,
        "HTTP 503",
        "busy",
        1.5,
        99.5,
    )
    assert run(attempts.page, endpoint.id, before=second.id, limit=10) == [first]
    assert run(attempts.page, endpoint.id, before=None, limit=1) == [second]
    assert run(attempts.page, endpoint.id, before=None, limit=9, position=2) == []
    newest = run(attempts.newest)[endpoint.id]
    assert (newest.last, newest.last_failed) == (second, first)


def test_last_ten_attempts_of_a_delivery_are_kept(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending"]), *life("other", ["pending"]))
    run(attempts.add, made(endpoint.id, position=2), trim=False)

    for number in range(1, 30):
        run(attempts.add, made(endpoint.id, number=number), trim=False)

    kept = run(attempts.page, endpoint.id, before=None, limit=100, position=1)
    # The 28th was the last one with which old ones were deleted.
    assert [one.number for one in kept] == list(range(29, 18, -1))
    assert len(run(attempts.page, endpoint.id, before=None, limit=100, position=2)) == 1


def test_last_hundred_attempts_of_each_kind_are_kept_per_endpoint(run: Run) -> None:
    first, second = add(run), add(run)
    commit(run, *(event for number in range(400) for event in life(f"tx{number}", ["pending"])))
    run(attempts.add, made(second.id), trim=True)
    for position in range(1, 151):
        run(attempts.add, made(first.id, position), trim=False)

    for position in range(151, 400):
        run(attempts.add, made(first.id, position, outcome="delivered"), trim=False)
    run(attempts.add, made(first.id, 400, outcome="delivered"), trim=True)

    kept = run(attempts.page, first.id, before=None, limit=1_000)
    assert len(kept) == 2 * attempts.MAX_PER_ENDPOINT == 200
    failed = [one.position for one in kept if one.outcome != "delivered"]
    assert failed == list(range(150, 50, -1))
    assert count(run) == 201


def test_any_response_body_can_be_stored(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending"]))

    run(attempts.add, made(endpoint.id, answer="a\0b\ud800", error="x" * 900), trim=True)

    (kept,) = run(attempts.page, endpoint.id, before=None, limit=9)
    assert kept.answer == "a\N{REPLACEMENT CHARACTER}b?"
    assert kept.error == "x" * 300


def test_attempts_are_deleted_with_their_deliveries_and_endpoints(run: Run) -> None:
    endpoint, other, removed = add(run), add(run), add(run)
    commit(run, *life("tx", ["pending", "confirmed"]))
    for each in (endpoint, other, removed):
        run(attempts.add, made(each.id, 1), trim=True)
        run(attempts.add, made(each.id, 2), trim=True)

    run(stored.remove, removed.id)
    run(attempts.add, made(removed.id, 1), trim=True)
    assert count(run) == 4

    run(outbox.delivered, due(run, endpoint)[0], 200)
    run(outbox.prune, time.time() + 60, 10)
    assert count(run) == 3

    run(outbox.delivered, due(run, endpoint)[0], 200)
    run(outbox.delivered, due(run, other)[0], 200)
    run(outbox.delivered, due(run, other)[0], 200)
    run(pruning.prune, time.time() + 60)
    assert count(run) == 0


def test_attempts_are_deleted_with_pruned_transactions(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["confirmed"]))
    run(attempts.add, made(endpoint.id, 1), trim=True)
    ended_before = time.time()
    run(outbox.delivered, due(run, endpoint)[0], 200)

    assert run(pruning.prune, ended_before).transactions == 1

    assert count(run) == 0


async def test_attempt_is_stored_with_the_response(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    receiver.script = lambda _: web.Response(status=404, text="no such shop")
    endpoint = await endpoints.add(receiver.url)

    await happens("tx", states=["pending"])
    await eventually(lambda: receiver.received)
    (found,) = await at_least_one(endpoint.id)

    assert (found.event, found.number, found.outcome, found.status) == ("tx:1", 1, "refused", 404)
    assert (found.error, found.answer) == ("HTTP 404", "no such shop")
    assert found.seconds > 0
    assert abs(found.ended_at - time.time()) < 60


async def test_long_response_that_repeats_a_key_shows_no_part_of_it(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    """Redacted, 64 KiB of it are less than the 1 KiB that is stored."""
    url = f"{receiver.url}?key={'key' * 600}"
    receiver.script = lambda _: web.Response(status=404, text=url * 40)
    endpoint = await endpoints.add(url)

    await happens("tx", states=["pending"])
    (found,) = await at_least_one(endpoint.id)

    assert found.answer
    assert found.answer.replace("[redacted]", "") == ""


async def test_attempt_without_a_response_is_stored(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    await receiver.close()
    endpoint = await endpoints.add(receiver.url)

    await happens("tx", states=["pending"])
    (found,) = await at_least_one(endpoint.id)

    assert (found.outcome, found.status, found.answer) == ("connection", None, None)


async def test_worker_trims_the_attempts_of_its_endpoint(
    outbox: DeliveryContext, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempts, "MAX_PER_ENDPOINT", 5)
    endpoint = await endpoints.add(receiver.url)

    await happens(*(f"tx{number}" for number in range(200)), states=["pending"])
    await nothing_pending(endpoint.id)

    # Trimmed with every fiftieth.
    assert len(await endpoints.attempts(endpoint.id, limit=200)) <= 5 + 50


async def at_least_one(endpoint: str) -> list[AttemptRecord]:
    async with asyncio.timeout(PATIENCE):
        while not (found := await endpoints.attempts(endpoint)):
            await asyncio.sleep(0.002)
    return found


def test_first_kib_of_a_response_is_stored() -> None:
    endpoint = WebhookEndpoint("ep", "https://example.com/", None, WebhookSecret.generate(), 0.0)

    assert excerpt(b"x" * 5_000, endpoint, complete=True) == "x" * MAX_EXCERPT_BYTES
    assert excerpt("ü".encode() * 5_000, endpoint, complete=True) == "ü" * (MAX_EXCERPT_BYTES // 2)
    assert excerpt(b"", endpoint, complete=True) is None
    assert excerpt(b"\xff", endpoint, complete=True) == "\N{REPLACEMENT CHARACTER}"


def test_secrets_of_the_endpoint_are_redacted_in_responses() -> None:
    old, new = WebhookSecret.generate(), WebhookSecret.generate()
    url = "https://example.com/hooks/PathKey1234567/x%20y?k=QueryKey1234567&v=1"
    endpoint = WebhookEndpoint("ep", url, None, new, 0.0, previous=old)
    said = [
        new.reveal(),
        old.reveal().removeprefix("whsec_"),
        url,
        "/hooks/PathKey1234567/x%20y?k=QueryKey1234567&v=1",
        "PathKey1234567",
        "QueryKey1234567",
    ]

    text = excerpt(("cannot POST " + " | ".join(said)).encode(), endpoint, complete=True)

    assert text is not None
    assert text.startswith("cannot POST [redacted] | ")
    for secret in (old, new):
        assert secret.reveal().removeprefix("whsec_") not in text
    assert "PathKey" not in text
    assert "QueryKey" not in text


def test_status_counts_pending_deliveries_and_dead_letters(run: Run) -> None:
    first, second = add(run), add(run)
    commit(run, *life("tx"))
    run(outbox.dead, due(run, first)[0], 500, "HTTP 500")
    (waiting,) = due(run, first)
    later = time.time() + 60
    run(outbox.failed, waiting, later, 500, "HTTP 500")

    found = run(status.statuses)

    assert (found[first.id].pending, found[first.id].dead) == (2, 1)
    assert found[first.id].next_due == later
    assert (found[second.id].pending, found[second.id].dead) == (3, 0)
    assert run(status.statuses, first.id) == {first.id: found[first.id]}
    assert run(status.statuses, "ep_other") == {}


def test_pending_deliveries_of_a_disabled_endpoint_are_not_late(run: Run) -> None:
    endpoint = add(run)
    assert run(status.oldest_pending) is None
    commit(run, *life("tx", ["pending"]))
    assert run(status.oldest_pending) == pytest.approx(time.time(), abs=60)

    run(stored.disable, endpoint.id, "by hand")

    assert run(status.oldest_pending) is None


@pytest.mark.parametrize("shown", [1, 5, 12])
def test_secret_across_the_end_of_the_first_kib_is_redacted(shown: int) -> None:
    endpoint = WebhookEndpoint("ep", "https://example.com/", None, WebhookSecret.generate(), 0.0)
    before = "x" * (MAX_EXCERPT_BYTES - shown)

    text = excerpt((before + endpoint.secret.reveal()).encode(), endpoint, complete=True)

    assert text == before + "[redacted]"[:shown]


@pytest.mark.parametrize("shown", [1, 20, 37])
def test_start_of_a_secret_at_the_end_of_a_cut_off_body_is_left_out(shown: int) -> None:
    # Not a generated one: "no such hook" can end with its start, and is then shorter, too.
    secret = WebhookSecret("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    endpoint = WebhookEndpoint("ep", "https://example.com/", None, secret, 0.0)
    body = f"no such hook: {endpoint.secret.reveal()[:shown]}".encode()

    assert excerpt(body, endpoint, complete=False) == "no such hook: "
    assert excerpt(b"no such hook", endpoint, complete=False) == "no such hook"
