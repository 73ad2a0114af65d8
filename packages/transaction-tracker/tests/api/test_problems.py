"""Every error is a problem without secrets."""

import json
import logging
import re

import pytest

from transaction_tracker.api.fields import (
    ADDRESS_PATTERN,
    AMOUNT_PATTERN,
    RAW_PATTERN,
    USED_ADDRESS_PATTERN,
)
from transaction_tracker.api.guard import Guard
from transaction_tracker.api.validation import FORMS
from transaction_tracker.sources.ethereum import fields

from .support import Client, Reply, register


def problem(reply: Reply, status: int) -> dict[str, object]:
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    content: dict[str, object] = reply.json
    assert content["status"] == status
    assert content["instance"] == f"urn:request:{reply.headers['x-request-id']}"
    assert {"type", "title", "detail"} <= content.keys()
    return content


async def test_unknown_path_is_404(client: Client) -> None:
    content = problem(await client.get("/v1/nothing"), 404)

    assert "/openapi.json" in str(content["detail"])


async def test_wrong_method_is_405_with_the_allowed_methods(client: Client) -> None:
    reply = await client.ask("PATCH", "/v1/transactions")

    problem(reply, 405)
    assert set(reply.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("state=lost", "state/0"),
        ("cursor=!!!", "cursor"),
        ("cursor=e1", "cursor"),
        ("cursor=t0", "cursor"),
    ],
)
async def test_wrong_parameter_is_named(client: Client, query: str, parameter: str) -> None:
    content = problem(await client.get(f"/v1/transactions?{query}"), 422)

    assert [fault["parameter"] for fault in content["errors"]] == [parameter]  # type: ignore[attr-defined]


async def test_invalid_id_is_422_and_unknown_id_is_404(client: Client) -> None:
    problem(await client.get("/v1/transactions/no"), 422)
    content = problem(await client.get("/v1/transactions/whoisthat1"), 404)

    assert content["type"] == "urn:problem-type:transaction-tracker:not-tracked"


@pytest.mark.parametrize(
    "path", ["/v1/events?after=t61", "/v1/stream?after=x", "/v1/events?after=e-1"]
)
async def test_a_cursor_of_another_kind_is_refused(client: Client, path: str) -> None:
    problem(await client.get(path), 422)


async def test_errors_do_not_repeat_the_input(client: Client) -> None:
    body = {"label": "x", "scopes": ["hunter2-is-my-password"]}

    reply = await client.post("/v1/tokens", json=body)

    problem(reply, 422)
    assert b"hunter2" not in reply.body


async def test_internal_error_is_500_without_details(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the password is hunter2")

    sent: list[dict[str, object]] = []

    async def send(message: object) -> None:
        sent.append(message)  # type: ignore[arg-type]

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "client": None}
    scope["query_string"] = b""
    guard = Guard(broken, max_requests=1, send_seconds=1.0, max_headers_bytes=100)
    await guard(scope, None, send)  # type: ignore[arg-type]

    assert sent[0]["status"] == 500
    assert b"hunter2" not in sent[1]["body"]  # type: ignore[operator]
    assert "hunter2" in caplog.text  # the operator needs the cause


async def test_every_response_has_security_headers_and_a_request_id(client: Client) -> None:
    for path in ("/healthz", "/v1/nothing", "/metrics"):
        headers = (await client.get(path)).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["x-request-id"]
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers


async def test_request_id_of_the_client_is_used_if_it_is_safe(client: Client) -> None:
    taken = await client.get("/healthz", headers={"X-Request-ID": "mine-1.2_3"})
    refused = await client.get("/healthz", headers={"X-Request-ID": "a b"})

    assert taken.headers["x-request-id"] == "mine-1.2_3"
    assert refused.headers["x-request-id"] != "a b"


async def test_request_is_logged_without_query_and_headers(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "transaction_tracker.api")

    await client.get("/v1/transactions/a%0Ab?key=hunter2", headers={"X-Secret": "hunter3"})

    (record,) = [one for one in caplog.records if one.message == "request"]
    assert record.path == "/v1/transactions/a%0Ab"  # type: ignore[attr-defined]
    assert record.status == 422  # type: ignore[attr-defined]
    assert "hunter" not in str(vars(record))


async def test_readiness_and_liveness_need_no_token(client: Client) -> None:
    await register(client, "abcdefgh")

    assert (await client.get("/healthz")).json == {"status": "alive"}
    assert (await client.get("/readyz")).json == {"status": "ready"}


PATTERNS = [
    ("GET", "/v1/transactions?cursor=t", None),
    ("GET", "/v1/events?after=5", None),
    ("GET", "/v1/endpoints/ep_1/attempts?cursor=5", None),
    ("GET", "/v1/endpoints/ep_1/attempts?event=5", None),
    ("GET", "/v1/endpoints/ep_1/dead-letters?cursor=5", None),
    ("POST", "/v1/endpoints/ep_1/redeliver", {"since": "5"}),
    ("POST", "/v1/endpoints/ep_1/redeliver", {"event": "5"}),
    ("POST", "/v1/endpoints/ep_1/rotate", {"secret": "short"}),
    ("POST", "/v1/endpoints", {"url": "https://example.com/", "secret": "short"}),
    ("POST", "/v1/tokens", {"label": "\0", "scopes": ["read"]}),
]


@pytest.mark.parametrize(("method", "path", "body"), PATTERNS)
async def test_text_of_another_form_is_described_without_a_pattern(
    client: Client, method: str, path: str, body: object
) -> None:
    content = problem(await client.ask(method, path, json=body), 422)

    (fault,) = content["errors"]  # type: ignore[misc]
    assert "must " in fault["detail"]
    assert not re.search(r"pattern|[\[{(^$\\]", fault["detail"])


async def test_every_pattern_of_the_api_is_described(client: Client) -> None:
    described = json.dumps((await client.get("/openapi.json")).json)

    found = {json.loads(f'"{text}"') for text in re.findall(r'"pattern": "(.*?[^\\])"', described)}

    # The source describes wrong ids, the middleware wrong idempotency keys, and the tracker wrong
    # expectations and raw transactions.
    elsewhere = {
        fields.HASH_PATTERN,
        RAW_PATTERN,
        r"^[\x21-\x7e]+$",
        ADDRESS_PATTERN,
        USED_ADDRESS_PATTERN,
        AMOUNT_PATTERN,
    }
    assert found - elsewhere == set(FORMS)


@pytest.mark.parametrize("value", [0, "soon", 1.5, 20_000, True])
async def test_confirmations_have_one_message(client: Client, value: object) -> None:
    reply = await client.post("/v1/transactions", json={"id": "abcdefgh", "confirmations": value})

    assert problem(reply, 422)["errors"] == [
        {
            "detail": "must be a whole number from 1 to 10,000, or 'safe' or 'finalized'",
            "pointer": "#/confirmations",
        }
    ]


@pytest.mark.parametrize("body", [b"{bad", b"[1,", b"{]", b"[" * 100, b'{"a":1}}', b"}{"])
@pytest.mark.parametrize("path", ["/v1/transactions", "/v1/tokens", "/v1/endpoints"])
async def test_body_that_is_not_json_is_a_problem_with_a_position(
    client: Client, path: str, body: bytes
) -> None:
    reply = await client.post(path, data=body, headers={"Content-Type": "application/json"})

    content = problem(reply, 400)
    assert content["type"] == "urn:problem-type:transaction-tracker:not-json"
    assert re.search(r"line \d+ column \d+|at character \d+", str(content["detail"]))
