"""Delivery status for operators: endpoints, attempts, late deliveries."""

import time
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint, WebhookSecret
from transaction_tracker.store import Store, attempts, outbox
from transaction_tracker.store import endpoints as stored
from transaction_tracker.store.attempts import AttemptRecord

from .support import Client, make_token, move, register, serving


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving() as running:
        yield running


async def add_endpoint() -> WebhookEndpoint:
    url = "https://example.com/path-that-is-a-key"
    return await Store.run(
        partial(stored.add, url=url, secret=WebhookSecret.generate(), states=None)
    )


def attempt(endpoint: str, position: int, number: int = 1, **fields: Any) -> AttemptRecord:
    return AttemptRecord(
        endpoint, position, number, ended_at=1e9 + position, seconds=0.25, **fields
    )


async def store(made: AttemptRecord) -> None:
    await Store.run(partial(attempts.add, made=made, trim=False))


async def wait_since(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Store a pending delivery of this age."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - seconds)
    await move("abcdefgh", state="pending")
    monkeypatch.setattr(time, "time", real)


async def test_endpoint_has_its_health_and_attempts(
    client: Client,
) -> None:
    endpoint = await add_endpoint()
    await register(client, "abcdefgh")
    path = f"/v1/endpoints/{endpoint.id}"
    fresh = (await client.get(path)).json
    assert fresh["health"] == "healthy"
    for name in ("failing_since", "last_attempt_at", "last_error", "next_attempt_at"):
        assert fresh[name] is None

    await move("abcdefgh", state="pending")
    await store(attempt(endpoint.id, 1, outcome="server_error", status=503, error="HTTP 503"))
    due_at = time.time() + 60
    (delivery,) = (await Store.run(partial(outbox.due, endpoint=endpoint.id, limit=9))).deliveries
    await Store.run(lambda one: outbox.failed(one, delivery, due_at, 503, "HTTP 503"))
    await Store.run(partial(stored.set_failing, endpoint=endpoint.id, since=1e9))

    shown = (await client.get(path)).json
    assert (shown["health"], shown["failing_since"]) == ("failing", "2001-09-09T01:46:40Z")
    assert (shown["last_error"], shown["last_error_at"]) == ("HTTP 503", "2001-09-09T01:46:41Z")
    assert shown["last_attempt_at"] == "2001-09-09T01:46:41Z"
    assert shown["next_attempt_at"] > shown["created_at"]
    assert (shown["pending"], shown["dead"]) == (1, 0)
    assert (await client.get("/v1/endpoints")).json == {"endpoints": [shown]}

    await Store.run(partial(stored.disable, endpoint=endpoint.id, reason="by hand"))
    disabled = (await client.get(path)).json
    assert (disabled["health"], disabled["next_attempt_at"]) == ("disabled", None)


async def test_attempts_are_listed_in_pages_with_responses(client: Client) -> None:
    endpoint = await add_endpoint()
    await register(client, "abcdefgh", "ijklmnop")
    await move("abcdefgh", state="pending")
    await move("ijklmnop", state="pending")
    refused = {"outcome": "refused", "status": 404, "error": "HTTP 404", "answer": "no shop"}
    await store(attempt(endpoint.id, 1, **refused))
    await store(attempt(endpoint.id, 1, 2, outcome="timeout", error="no answer within 15 s"))
    await store(attempt(endpoint.id, 2, outcome="delivered", status=204))
    path = f"/v1/endpoints/{endpoint.id}/attempts"

    first = (await client.get(f"{path}?limit=2")).json
    second = (await client.get(f"{path}?limit=2&cursor={first['next']}")).json
    of_one = (await client.get(f"{path}?event=e2")).json

    assert [one["outcome"] for one in first["attempts"]] == ["delivered", "timeout"]
    assert second["attempts"] == [
        {
            "event": "abcdefgh:1",
            "event_cursor": "e1",
            "number": 1,
            "ended_at": "2001-09-09T01:46:41Z",
            "seconds": 0.25,
        }
        | refused
    ]
    assert second["next"] is None
    assert [one["event"] for one in of_one["attempts"]] == ["ijklmnop:1"]
    assert (await client.get("/v1/endpoints/ep_nobody/attempts")).status == 404
    assert (await client.get(f"{path}?cursor=e1")).status == 422


async def test_attempts_need_the_scope_admin(client: Client) -> None:
    endpoint = await add_endpoint()
    path = f"/v1/endpoints/{endpoint.id}/attempts"
    reader, admin = await make_token("read"), await make_token("admin")

    assert (await client.with_token(reader).get(path)).status == 403
    assert (await client.with_token(admin).get(path)).status == 200


@pytest.mark.parametrize(
    ("seconds", "flow", "noted"),
    [(0, "flowing", False), (90, "behind", True), (400, "stalled", True)],
)
async def test_late_deliveries_are_reported(
    client: Client, monkeypatch: pytest.MonkeyPatch, seconds: float, flow: str, noted: bool
) -> None:
    endpoint = await add_endpoint()
    await register(client, "abcdefgh")
    await wait_since(monkeypatch, seconds)

    found = (await client.get("/v1/deliveries")).json
    ready = await client.get("/readyz")

    assert (found["flow"], found["pending"], found["frozen_since"]) == (flow, 1, None)
    assert ready.status == 200
    notes = ready.json.get("notes", [])
    assert [note["detail"].partition(":")[0] for note in notes] == [
        f"deliveries are {flow}"
    ] * noted
    await Store.run(partial(stored.disable, endpoint=endpoint.id, reason="by hand"))
    assert (await client.get("/v1/deliveries")).json["flow"] == "flowing"
    assert (await client.get("/readyz")).json == {"status": "ready"}


async def test_failing_endpoints_are_counted(client: Client) -> None:
    endpoint, _ = await add_endpoint(), await add_endpoint()
    await Store.run(partial(stored.set_failing, endpoint=endpoint.id, since=1e9))

    assert (await client.get("/v1/deliveries")).json["failing_endpoints"] == 1
    page = (await client.get("/metrics")).body
    assert b"transaction_tracker_endpoints_failing 1.0" in page


async def test_frozen_deliveries_are_neither_behind_nor_flowing(client: Client) -> None:
    await Store.pause_deliveries()

    assert (await client.get("/v1/deliveries")).json["flow"] == "frozen"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/v1/endpoints/{id}", {"health", "failing_since", "last_error", "next_attempt_at"}),
        ("/v1/endpoints/{id}/attempts", {"attempts", "next"}),
        ("/v1/deliveries", {"flow", "pending", "oldest_pending_at", "frozen_since"}),
    ],
)
async def test_description_matches_the_responses(
    client: Client, path: str, names: set[str]
) -> None:
    description = (await client.get("/openapi.json")).json

    content = description["paths"][path]["get"]["responses"]["200"]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert names <= description["components"]["schemas"][name]["properties"].keys()
