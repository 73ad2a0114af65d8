"""The character NUL, which PostgreSQL does not store: refused, and not an internal error."""

from typing import Any

import pytest

from .support import Client, serving

METHODS = ("get", "put", "post", "patch", "delete")
NUL = "abcdefgh\0"


async def asked(client: Client, nul: str) -> dict[str, int]:
    """Request every route with the path parameter ``nul``, and return those that accept it."""
    paths = (await client.get("/openapi.json")).json["paths"]
    statuses = {}
    for path, item in paths.items():
        if "{" not in path:
            continue
        before, _, after = path.partition("{")
        filled = before + nul + after.partition("}")[2]
        for method in METHODS:
            # A change of an endpoint needs the outbox, which does not run here.
            if method not in item or (method, path) == ("put", "/v1/endpoints/{id}"):
                continue
            body: dict[str, Any] = {"json": {"url": "https://example.com"}}
            reply = await client.ask(
                method.upper(), filled, **(body if "requestBody" in item[method] else {})
            )
            statuses[f"{method} {filled}"] = reply.status
    assert len(statuses) > 10
    return {name: status for name, status in statuses.items() if not 400 <= status < 500}


@pytest.mark.parametrize("nul", ["%00", "abcdefgh%00"])
async def test_nul_in_a_path_is_refused(database_url: str, nul: str) -> None:
    async with serving(database=database_url) as client:
        assert await asked(client, nul) == {}


@pytest.mark.parametrize(
    "path",
    ["transactions?after=%00", "transactions?state=%00", "events?after=%00", "stream?after=%00"],
)
async def test_nul_in_a_query_is_not_an_internal_error(database_url: str, path: str) -> None:
    async with serving(database=database_url) as client:
        assert (await client.get(f"/v1/{path}")).status < 500


async def test_nul_in_a_body_is_refused_or_stored(database_url: str) -> None:
    async with serving(database=database_url) as client:
        refused = await client.post("/v1/transactions", json=[{"id": NUL}])
        stored = await client.post(
            "/v1/transactions", json={"id": "abcdefgh", "metadata": {"a\0": "b\0"}}
        )
        label = await client.post("/v1/tokens", json={"label": NUL, "scopes": ["admin"]})
        shown = await client.get("/v1/transactions/abcdefgh")

    assert refused.json["refused"] == 1
    assert stored.status < 300
    assert shown.json["metadata"] == {"a\0": "b\0"}
    assert label.status == 422
