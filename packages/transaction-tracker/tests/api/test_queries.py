"""Unknown query parameters are errors."""

import re

import pytest

from .support import Client, register, serving


async def paths(client: Client) -> list[tuple[str, str]]:
    """Return all methods and paths of the API, with ids filled in."""
    described = (await client.get("/openapi.json")).json["paths"]
    return [
        (method.upper(), re.sub(r"\{\w+\}", "abcdefgh", path))
        for path, methods in described.items()
        for method in methods
    ]


async def test_every_route_refuses_unknown_query_parameters(client: Client) -> None:
    for method, path in [*await paths(client), ("GET", "/openapi.json")]:
        reply = await client.ask(method, f"{path}?sate=confirmed", json={})

        assert (method, path, reply.status) == (method, path, 422)
        assert reply.json["type"] == "urn:problem-type:transaction-tracker:invalid-request"
        assert reply.json["errors"][0]["parameter"] == "sate"
        assert "unknown query parameter 'sate'" in reply.json["detail"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/v1/transactions?sate=confirmed", "did you mean 'state'?"),
        ("/v1/transactions?State=confirmed", "did you mean 'state'?"),
        ("/v1/events?affter=e1", "did you mean 'after'?"),
        ("/v1/stream?transactions=abcdefgh", "did you mean 'transaction'?"),
        (
            "/v1/transactions?zzz",
            "known are attention, cursor, cursors, flag, limit, order, search, since, source, "
            "state",
        ),
        ("/v1/endpoints?limit=5", "this path has no query parameters"),
        ("/healthz?verbose", "this path has no query parameters"),
    ],
)
async def test_nearest_name_is_suggested(client: Client, path: str, hint: str) -> None:
    assert (await client.get(path)).json["detail"].endswith(hint)


async def test_error_names_unknown_parameters_without_values(client: Client) -> None:
    reply = await client.get("/v1/transactions?sate=hunter2&limt=hunter3&limit=1")

    assert [fault["parameter"] for fault in reply.json["errors"]] == ["sate", "limt"]
    assert b"hunter" not in reply.body


async def test_long_name_is_cut(client: Client) -> None:
    reply = await client.get(f"/v1/transactions?{'x' * 5_000}=1")

    assert reply.status == 422
    assert len(reply.body) < 600


async def test_repeated_parameter_with_a_single_value_is_refused(client: Client) -> None:
    await register(client, "abcdefgh")

    twice = await client.get("/v1/transactions?limit=1&limit=2")
    states = await client.get("/v1/transactions?state=registered&state=pending")

    assert (twice.status, twice.json["detail"]) == (422, "limit: expected one value, got 2")
    assert [shown["id"] for shown in states.json["transactions"]] == ["abcdefgh"]


async def test_unknown_parameter_prevents_the_operation(client: Client) -> None:
    await client.post("/v1/transactions?dry_run=true", json={"id": "abcdefgh"})

    assert (await client.get("/v1/transactions")).json["transactions"] == []


@pytest.mark.parametrize("path", ["/?from=chat", "/docs?from=chat", "/assets/main.js?from=chat"])
async def test_pages_ignore_foreign_parameters(client: Client, path: str) -> None:
    assert (await client.get(path)).status == 200


async def test_token_is_checked_before_the_query() -> None:
    async with serving() as client:
        await client.post("/v1/tokens", json={"label": "x", "scopes": ["admin"]})

        assert (await client.get("/v1/transactions?sate=confirmed")).status == 401


@pytest.mark.parametrize("number", ["1_0", "+1", "%201", "1.0", "%D9%A1", "inf", "1e0", ""])
@pytest.mark.parametrize("path", ["/v1/transactions?limit=", "/v1/events?limit="])
async def test_number_with_other_characters_than_digits_is_refused(
    client: Client, path: str, number: str
) -> None:
    reply = await client.get(path + number)

    assert reply.status == 422
    assert reply.json["errors"][0]["parameter"] == "limit"


async def test_numbers_in_all_queries_are_decimal_digits(client: Client) -> None:
    described = (await client.get("/openapi.json")).json["paths"]
    found = [
        (path, parameter["name"])
        for path, methods in described.items()
        for method, route in methods.items()
        for parameter in route.get("parameters", ())
        if method == "get" and parameter["schema"].get("type") in ("integer", "number")
    ]

    for path, name in found:
        place = re.sub(r"\{\w+\}", "abcdefgh", path)
        assert (await client.get(f"{place}?{name}=1_0")).status == 422, (path, name)
    assert ("/v1/transactions/{id}/wait", "timeout") in found
