"""Which program of a shard gets a request: its owner, and never another shard."""

import asyncio

import aiohttp
import pytest
from aiohttp import web

from .support import FakeShard, problem, routing, several, until

PATH = "/v1/transactions/payment1"


async def test_request_goes_to_the_owner_not_to_the_standby() -> None:
    standby, owner = FakeShard(state="standby"), FakeShard()
    async with routing([standby, owner]) as client:
        assert (await client.get(PATH))[0] == 200

    assert owner.paths() == [f"GET {PATH}"]
    assert standby.paths() == []


async def test_request_follows_the_owner_at_once_when_it_changes() -> None:
    first, second = FakeShard(), FakeShard(state="standby")
    async with routing([first, second]) as client:
        await client.get(PATH)
        first.state, second.state = "standby", "owner"

        status, _ = await client.ask("DELETE", PATH)

    assert status == 200
    assert second.paths() == [f"DELETE {PATH}"]


async def test_shard_without_an_owner_is_unavailable_until_it_has_one() -> None:
    shard = FakeShard(state="standby")
    async with routing(shard) as client:
        status, found = await client.get(PATH)
        shard.state = "owner"
        await client.until(PATH, lambda status, _: status == 200)

    assert status == 503
    assert found["type"].endswith(":shard-unavailable")
    assert "shard 0 is unavailable" in found["detail"]
    assert "this service is a standby" in found["detail"]


async def test_shard_that_is_silent_does_not_delay_requests_for_long() -> None:
    silent, other = several(2)
    silent.state = "silent"
    async with routing(silent, other) as client:  # its first check has failed
        status, ready = await client.get("/readyz")
        notes = [note["detail"] for note in ready["notes"]]
        refused, _ = await client.get("/v1/transactions")
        silent.state = "owner"

    assert (status, refused) == (200, 503)
    assert notes == [f"shard 0 is unavailable: {silent.url}: no response in time"]


async def test_response_that_takes_too_long_is_503() -> None:
    shard = FakeShard()

    async def never(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    shard.handlers[PATH] = never
    async with routing(shard, seconds=0.1) as client:
        status, found = await client.get(PATH)

    assert status == 503
    assert "no response within 0.1 s" in found["detail"]


@pytest.mark.parametrize("shown", ["1/2", "0/3", "0/2,1", "", "x/y", "0/0"])
async def test_other_shard_gets_no_request(shown: str) -> None:
    wrong = FakeShard(shown)
    async with routing(wrong, FakeShard("1/2")) as client:
        status, found = await client.get("/v1/transactions")

    assert status == 503
    assert "is shard" in found["detail"] or "is not a shard" in found["detail"]
    # Only the check of the token can have gone there.
    assert "GET /v1/transactions" not in " ".join(wrong.paths())


@pytest.mark.parametrize(("shown", "former"), [("0/1", ()), ("0/3,1", ()), ("0/1", (1,))])
async def test_shard_that_has_grown_or_will_is_the_same(
    shown: str, former: tuple[int, ...]
) -> None:
    # While a service grows, its shards and its routers are restarted one after the other.
    shards = [FakeShard(shown), FakeShard("1/2,1")] if former else [FakeShard(shown)]
    async with routing(*shards, former=former) as client:
        status, found = await client.get("/readyz")

    assert (status, found) == (200, {"status": "ready"})


async def test_redirect_is_not_followed() -> None:
    elsewhere, shard = FakeShard(), FakeShard()
    async with elsewhere.running():

        async def redirect(_: web.Request) -> web.Response:
            raise web.HTTPTemporaryRedirect(elsewhere.url + PATH)

        shard.handlers[PATH] = redirect
        async with routing(shard) as client:
            status, found = await client.get(PATH)

    assert status == 503
    assert "responds with a redirect" in found["detail"]
    assert elsewhere.requests == []


async def test_change_that_can_have_been_executed_is_not_sent_again() -> None:
    path = "/v1/endpoints/ep_1/test"
    first, second = FakeShard(), FakeShard(state="standby")

    async def broken(request: web.Request) -> web.Response:
        second.state = "owner"
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    first.handlers[path] = first.handlers[PATH] = broken
    async with routing([first, second]) as client:
        status, found = await client.ask("POST", path)
        repeated, _ = await client.get(PATH)

    assert status == 503
    assert "the request can have been executed" in found["detail"]
    assert repeated == 200
    assert second.paths() == [f"GET {PATH}"]


async def test_token_and_address_of_the_client_are_passed_on_and_nothing_else() -> None:
    shard = FakeShard()
    headers = {
        "Authorization": "Bearer txt_1_2",
        "Cookie": "a=b",
        "X-Request-ID": "mine",
        "X-Forwarded-For": "6.6.6.6",
        "X-Other": "x",
    }
    async with routing(shard) as client:
        await client.get(PATH, headers=headers)

    (request, _) = shard.requests[-1]
    assert request.headers["Authorization"] == "Bearer txt_1_2"
    assert request.headers["X-Request-ID"] == "mine"
    assert request.headers["X-Forwarded-For"] == "127.0.0.1"
    assert "Cookie" not in request.headers
    assert "X-Other" not in request.headers


async def test_long_poll_of_a_client_that_leaves_ends_at_the_shard() -> None:
    shard = FakeShard()
    polls: list[web.Request] = []

    async def wait(request: web.Request) -> web.Response:
        polls.append(request)
        await asyncio.sleep(3600)
        raise AssertionError

    shard.handlers[f"{PATH}/wait"] = wait
    async with routing(shard) as client:
        waiting = asyncio.create_task(client.get(f"{PATH}/wait?timeout=60"))
        await until(lambda: polls)

        waiting.cancel()

        await until(lambda: polls[0].transport is None or polls[0].transport.is_closing())


async def test_metrics_name_shards_and_routes() -> None:
    up, down = several(2)
    down.state = "standby"
    async with routing(up, down) as client:
        await client.get("/v1/transactions")
        async with client.http.get(f"{client.url}/metrics") as reply:
            page = await reply.text()

    assert 'transaction_tracker_router_shard_available{shard="0"} 1.0' in page
    assert 'transaction_tracker_router_shard_available{shard="1"} 0.0' in page
    assert 'transaction_tracker_router_shard_failures_total{shard="1"}' in page
    assert 'route="/v1/transactions",status="503"' in page


async def test_no_shard_makes_the_router_unready_and_keeps_it_alive() -> None:
    async with routing(FakeShard(state="standby")) as client:
        assert (await client.get("/healthz"))[0] == 200
        status, found = await client.get("/readyz")

    assert status == 503
    assert found["type"].endswith(":not-ready")


async def test_problem_of_a_shard_is_passed_back_with_its_headers() -> None:
    shard = FakeShard()

    async def busy(_: web.Request) -> web.Response:
        response = problem(429, "too-many-waiters", "too many long polls")
        response.headers["Retry-After"] = "7"
        return response

    shard.handlers[PATH] = busy
    async with routing(shard) as client, client.http.get(client.url + PATH) as reply:
        found = await reply.json(content_type=None)

    assert (reply.status, reply.headers["Retry-After"]) == (429, "7")
    assert reply.headers["Content-Type"].startswith("application/problem+json")
    assert found["detail"] == "too many long polls"


async def test_unknown_path_and_method_are_problems() -> None:
    async with routing(FakeShard()) as client:
        unknown, _ = await client.get("/v1/nothing")
        wrong, found = await client.ask("PUT", "/v1/transactions")
        head = await client.ask("HEAD", PATH)
        async with (
            aiohttp.ClientSession() as http,
            http.put(f"{client.url}/v1/transactions") as reply,
        ):
            allowed = reply.headers["Allow"]

    assert (unknown, wrong, head[0]) == (404, 405, 200)
    assert allowed == "GET, HEAD, POST"
    assert "method not allowed" in found["detail"]
