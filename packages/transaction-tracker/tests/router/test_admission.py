"""Only requests with a token that a shard accepts get further."""

import pytest
from aiohttp import web

from .support import FakeShard, problem, routing

PATH = "/v1/transactions/payment1"
TOKEN = {"Authorization": "Bearer txt_1_2"}


def counting(shard: FakeShard, status: int = 200) -> list[str]:
    """Set the status of checks of tokens at a shard; return the tokens that it has checked."""
    seen: list[str] = []

    async def service(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        if status == 200:
            given = request.headers.get("Authorization", "").partition("_")[2]
            return web.json_response({"scopes": ["read"], "token": given or None})
        return problem(status, "scope" if status == 403 else "", "refused here")

    shard.handlers["/v1/service"] = service
    return seen


async def test_token_is_checked_once_for_a_while() -> None:
    shard = FakeShard()
    seen = counting(shard)
    async with routing(shard) as client:
        for _ in range(3):
            assert (await client.get(PATH, headers=TOKEN))[0] == 200

    assert seen == ["Bearer txt_1_2"]


async def test_wrong_token_is_refused_before_the_body_is_read() -> None:
    shard = FakeShard()
    seen = counting(shard, 401)
    async with routing(shard, max_body_bytes=1_024) as client:
        status, found = await client.ask(
            "POST", "/v1/transactions", json=["x" * 9_000], headers=TOKEN
        )
        await client.get(PATH, headers=TOKEN)

    assert (status, found["detail"]) == (401, "refused here")
    # Each wrong one is checked: the shard counts them.
    assert len(seen) == 2
    assert shard.paths() == ["GET /v1/service"] * 2


async def test_token_without_the_scope_read_is_valid_too() -> None:
    shard = FakeShard()
    counting(shard, 403)
    async with routing(shard) as client:
        assert (await client.get(PATH, headers=TOKEN))[0] == 200
        assert (await client.get("/metrics", headers=TOKEN))[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_web_page_does_not_reach_shards_without_tokens(headers: dict[str, str]) -> None:
    shard = FakeShard()
    seen = counting(shard)
    async with routing(shard) as client:
        assert (await client.get(PATH, headers=headers))[0] == 403

    assert seen == []


async def test_other_address_needs_a_token() -> None:
    shard = FakeShard()
    seen = counting(shard)
    async with routing(shard, host="0.0.0.0") as client:
        client.url = client.url.replace("0.0.0.0", "127.0.0.1")
        status, _ = await client.get(PATH)
        public, _ = await client.get("/readyz")

    assert (status, public) == (401, 200)
    assert seen == []


async def test_other_address_reaches_no_shard_that_has_no_tokens_yet() -> None:
    shard = FakeShard()  # it accepts any request of its own machine, with any token
    async with routing(shard, host="0.0.0.0") as client:
        client.url = client.url.replace("0.0.0.0", "127.0.0.1")
        status, found = await client.get(PATH, headers=TOKEN)

    assert status == 403
    assert "no token exists yet" in found["detail"]
    assert shard.requests == []


async def test_metrics_show_an_outage_to_a_token_that_was_accepted() -> None:
    shard = FakeShard()
    counting(shard)
    async with routing(shard) as client:
        async with client.http.get(f"{client.url}/metrics", headers=TOKEN) as reply:
            assert reply.status == 200
        shard.state = "standby"
        await client.until("/readyz", lambda status, _: status == 503)
        other = {"Authorization": "Bearer txt_3_4"}

        async with client.http.get(f"{client.url}/metrics", headers=TOKEN) as reply:
            assert reply.status == 200
            assert 'router_shard_available{shard="0"} 0.0' in await reply.text()
        assert (await client.get("/metrics", headers=other))[0] == 503
