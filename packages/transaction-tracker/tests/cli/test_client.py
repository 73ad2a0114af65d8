"""The client with a server that behaves in unusual ways."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from transaction_tracker.cli.client import Api, ApiError
from transaction_tracker.cli.exits import BadInputError, CommandError
from transaction_tracker.cli.transactions import register

from .conftest import Command

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serving = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def serving() -> AsyncIterator[Serving]:
    runners: list[web.AppRunner] = []

    async def serve(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    yield serve
    for runner in runners:
        await runner.cleanup()


async def test_get_sends_token_and_parameters(serving: Serving) -> None:
    seen: list[web.Request] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"fine": True})

    async with Api(await serving(handler), "txt_1_2") as api:
        answer = await api.get("v1/transactions/a%2Fb", state=("mined", "failed"), cursor=None, n=1)

    assert answer == {"fine": True}
    assert seen[0].raw_path == "/v1/transactions/a%2Fb?state=mined&state=failed&n=1"
    assert seen[0].headers["Authorization"] == "Bearer txt_1_2"


async def test_post_sends_json_and_the_idempotency_key(serving: Serving) -> None:
    seen: list[tuple[object, str | None, str]] = []

    async def handler(request: web.Request) -> web.Response:
        key = request.headers.get("Idempotency-Key")
        seen.append((await request.json(), key, request.content_type))
        return web.Response(status=204)

    async with Api(await serving(handler)) as api:
        answer = await api.post("v1/x", {"a": 1}, key="once")

    assert answer is None
    assert seen == [({"a": 1}, "once", "application/json")]


async def test_client_retries_while_the_service_is_busy(serving: Serving) -> None:
    asked = 0

    async def handler(_request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked < 3:
            return web.json_response({}, status=429, headers={"Retry-After": "0"})
        return web.json_response({"asked": asked})

    async with Api(await serving(handler)) as api:
        assert await api.get("v1/x") == {"asked": 3}


async def test_retries_are_limited(serving: Serving) -> None:
    async def handler(_request: web.Request) -> web.Response:
        problem = {"title": "Too many", "detail": "come later"}
        return web.json_response(problem, status=503, headers={"Retry-After": "0"})

    async with Api(await serving(handler)) as api:
        with pytest.raises(ApiError, match="the service refuses: come later"):
            await api.get("v1/x")


async def test_message_contains_every_error_of_a_problem(serving: Serving) -> None:
    async def handler(_request: web.Request) -> web.Response:
        errors = [{"detail": "too long", "pointer": "#/id"}, {"detail": "odd", "parameter": "n"}]
        return web.json_response({"detail": "two faults", "errors": errors}, status=422)

    async with Api(await serving(handler)) as api:
        with pytest.raises(ApiError) as caught:
            await api.get("v1/x")

    assert str(caught.value).splitlines() == [
        "the service refuses: two faults",
        "  #/id: too long",
        "  n: odd",
    ]
    assert caught.value.http_status == 422


async def test_message_names_the_missing_token(serving: Serving) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.json_response({"detail": "send a token"}, status=401)

    async with Api(await serving(handler)) as api:
        with pytest.raises(ApiError, match="send a token; set TXTRACK_TOKEN"):
            await api.get("v1/x")


async def test_message_without_a_problem_has_the_status(serving: Serving) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=502, text="<html>bad gateway")

    async with Api(await serving(handler)) as api:
        with pytest.raises(ApiError, match="HTTP status 502"):
            await api.get("v1/x")


async def test_redirect_is_not_followed(serving: Serving) -> None:
    seen: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.json_response({})

    target = await serving(elsewhere)

    async def handler(_request: web.Request) -> web.Response:
        raise web.HTTPFound(target)

    async with Api(await serving(handler), "txt_1_2") as api:
        with pytest.raises(ApiError, match="HTTP status 302"):
            await api.get("v1/x")

    assert seen == []


async def test_another_server_is_recognized(serving: Serving) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text="<html>welcome")

    async with Api(await serving(handler)) as api:
        with pytest.raises(CommandError, match="is not txtrack"):
            await api.get("v1/x")


async def test_unreachable_service_is_explained() -> None:
    async with Api("http://127.0.0.1:1") as api:
        with pytest.raises(CommandError, match="start it with txtrack serve") as caught:
            await api.get("v1/x")

    assert caught.value.status == 6


async def test_closed_connection_is_an_error_without_a_traceback(serving: Serving) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        await asyncio.sleep(0)
        return web.Response()

    async with Api(await serving(handler)) as api:
        with pytest.raises(CommandError, match="no service at"):
            await api.get("v1/x")


async def test_pages_are_read_until_the_limit(serving: Serving) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.query_string)
        first = int(request.query.get("cursor", "0"))
        size = int(request.query["limit"])
        items = [{"n": number} for number in range(first, min(first + size, 1_200))]
        following = first + size if first + size < 1_200 else None
        return web.json_response({"items": items, "next": following and str(following)})

    async with Api(await serving(handler)) as api:
        some = [item["n"] async for item in api.pages("v1/x", "items", 600)]
        everything = [item["n"] async for item in api.pages("v1/x", "items")]

    assert some == list(range(600))
    assert everything == list(range(1_200))
    assert asked[:2] == ["limit=500", "cursor=500&limit=100"]


async def test_stream_yields_events_without_comments(serving: Serving) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 5\n\n: heartbeat\n\nid: 7\r\nevent: a\r\ndata: x\r\n")
        await response.write(b"data: y\n\nid: 8\ndata: half")
        return response

    async with (
        Api(await serving(handler)) as api,
        api.stream("v1/stream", after="c") as stream,
    ):
        events = [event async for event in stream]

    assert [(one.id, one.event, one.data) for one in events] == [("7", "a", "x\ny")]


async def test_stream_yields_its_first_id(serving: Serving) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 5\nid: e7\n\n: heartbeat\n\nid: e8\ndata: x\n\n\n\n")
        return response

    async with Api(await serving(handler)) as api, api.stream("v1/stream") as stream:
        events = [event async for event in stream]

    assert [(one.id, one.data) for one in events] == [("e7", ""), ("e8", "x")]


async def test_reconnect_resumes_from_the_first_id(serving: Serving, command: Command) -> None:
    asked: list[str | None] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.query.get("after"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"retry: 5\nid: e7\n\n")
        if len(asked) > 1:
            await response.write(b'id: e8\ndata: {"id": "first"}\n\n')
        return response

    ran = await command(
        *("events", "--follow", "--limit", "1", "--json", "--url", await serving(handler))
    )

    assert asked == [None, "e7"]
    assert ran.documents == [{"id": "first"}]


async def test_refused_stream_is_an_error(serving: Serving) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.json_response({"detail": "too many streams"}, status=429)

    async with Api(await serving(handler)) as api:
        with pytest.raises(ApiError, match="too many streams"):
            async with api.stream("v1/stream"):
                pass


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:8080", "ftp://host", "http://", "http://me:s3cret@host", "http://h:x"]
)
def test_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(BadInputError, match="--url must be an address such as") as caught:
        Api(url)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("token", ["a b", "a\nb", "töken"])
def test_invalid_token_is_refused(token: str) -> None:
    with pytest.raises(BadInputError, match="--token") as caught:
        Api("http://127.0.0.1:8080", token)

    assert token not in str(caught.value)


async def test_registrations_that_a_shard_could_not_take_are_sent_again(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transaction_tracker.cli.transactions._SHARD_RETRY_SECONDS", 0.0)
    seen: list[list[str]] = []

    async def handler(request: web.Request) -> web.Response:
        ids = [item["id"] for item in (await request.json())["transactions"]]
        seen.append(ids)
        # The shard of "b" is available at the second request, that of "c" at the third.
        late = {"b": 2, "c": 3}
        results = [
            {"id": name, "status": "unavailable" if late.get(name, 0) > len(seen) else "accepted"}
            for name in ids
        ]
        accepted = sum(result["status"] == "accepted" for result in results)
        return web.json_response({"accepted": accepted, "refused": 0, "results": results})

    async with Api(await serving(handler)) as api:
        response = await register(api, [{"id": name} for name in "abcd"])

    assert seen == [["a", "b", "c", "d"], ["b", "c"], ["c"]]
    assert [result["id"] for result in response["results"]] == ["a", "b", "c", "d"]
    assert response["accepted"] == 4
