"""Requests to configured URLs: where they connect, where not, and how they fail."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from transaction_tracker.net import (
    AllowList,
    CheckedClient,
    ForbiddenAddressError,
    ForbiddenUrlError,
    HttpResponse,
    NoAnswerError,
)
from transaction_tracker.net import client as net_client
from transaction_tracker.net.resolver import CheckedResolver, SystemResolver

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .support import Names, certificate, serving

LOCAL = AllowList.of(["127.0.0.1", "hooks.example"])

Make = Callable[..., CheckedClient]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    clients: list[CheckedClient] = []

    def make(allowed: AllowList = LOCAL, **options: Any) -> CheckedClient:
        clients.append(CheckedClient(allowed, **options))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


async def ask(client: CheckedClient, url: str, **options: Any) -> HttpResponse:
    defaults: dict[str, Any] = {"headers": {}, "deadline": 30.0, "max_bytes": 1_000}
    return await client.request("GET", url, **(defaults | options))


async def test_request_to_an_allowed_address_returns_the_response(make: Make) -> None:
    async with serving() as server:
        answer = await ask(make(), f"http://127.0.0.1:{server.port}/path?a=b")

    assert (answer.status, answer.body, answer.complete) == (200, b"hi", True)
    assert answer.headers["content-length"] == "2"
    assert server.requests[0].startswith("GET /path?a=b HTTP/1.1")
    assert "Accept-Encoding: identity" in server.requests[0]


async def test_loopback_is_refused_without_an_allow_list(make: Make) -> None:
    async with serving() as server:
        with pytest.raises(ForbiddenUrlError):
            await ask(make(AllowList()), f"https://127.0.0.1:{server.port}/")

    assert server.requests == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["10.0.0.1"],
        ["8.8.8.8", "10.0.0.1"],  # a public one beside it does not help
        ["fe80::1%1"],
        ["0.0.0.0"],
    ],
)
async def test_name_with_a_forbidden_address_is_refused(make: Make, addresses: list[str]) -> None:
    names = Names(addresses)

    with pytest.raises(NoAnswerError) as caught:
        await ask(make(AllowList(), resolver=names), "https://example.com:8443/")

    assert caught.value.why == "forbidden"
    assert names.asked == ["example.com"]


@pytest.mark.parametrize("addresses", [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"]])
async def test_name_with_a_public_and_a_forbidden_address_is_refused(
    make: Make, addresses: list[str]
) -> None:
    """The public address would respond, so a connection error cannot hide the missing check."""
    async with serving() as server:
        with pytest.raises(NoAnswerError) as caught:
            await ask(
                make(AllowList.of(["127.0.0.1", "hooks.example"]), resolver=Names(addresses)),
                f"http://hooks.example:{server.port}/",
            )

    assert caught.value.why == "forbidden"
    assert server.requests == []


async def test_connection_uses_the_address_that_was_checked(
    make: Make,
) -> None:
    """DNS rebinding: the second lookup would return another address, and must not happen."""
    async with serving() as server:
        names = Names(["127.0.0.1"], ["169.254.169.254"])
        client = make(resolver=names)

        answer = await ask(client, f"http://hooks.example:{server.port}/")
        with pytest.raises(NoAnswerError) as caught:
            await ask(client, f"http://hooks.example:{server.port}/")

    assert answer.status == 200
    assert caught.value.why == "forbidden"
    assert len(names.asked) == 2  # once for each connection
    assert f"Host: hooks.example:{server.port}" in server.requests[0]


async def test_open_connection_is_reused(make: Make) -> None:
    async with serving(then="go on") as server:
        names = Names(["127.0.0.1"], ["169.254.169.254"])
        client = make(resolver=names)

        for _ in range(3):
            await ask(client, f"http://hooks.example:{server.port}/")

    assert len(names.asked) == 1
    assert len(server.requests) == 3


async def test_address_that_bypasses_the_resolver_is_refused_at_the_socket(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def blind(self: CheckedResolver, host: str, port: int = 0, family: Any = 0) -> Any:
        return await self._resolver.resolve(host, port, family)

    monkeypatch.setattr(CheckedResolver, "resolve", blind)
    async with serving() as server:
        with pytest.raises(NoAnswerError) as caught:
            url = f"https://example.com:{server.port}/"
            await ask(make(AllowList(), resolver=Names(["127.0.0.1"])), url)

    assert caught.value.why == "forbidden"
    assert server.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_returned_and_not_followed(make: Make, status: int) -> None:
    async with serving() as target:
        location = f"http://127.0.0.1:{target.port}/"
        redirect = f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
        async with serving(redirect.encode()) as server:
            answer = await ask(make(), f"http://127.0.0.1:{server.port}/")

    assert answer.status == status
    assert target.requests == []


async def test_proxies_from_the_environment_are_ignored(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving() as proxy, serving() as server:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")

        await ask(make(), f"http://127.0.0.1:{server.port}/")

    assert proxy.requests == []


async def test_cookies_are_not_kept(make: Make) -> None:
    cookie = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    async with serving(cookie) as server:
        client = make(resolver=Names(["127.0.0.1"]))
        for _ in range(2):
            await ask(client, f"http://hooks.example:{server.port}/")

    assert all("Cookie" not in head for head in server.requests)


async def test_certificate_must_match_the_host_of_the_url(make: Make) -> None:
    shown, known = certificate()
    async with serving(tls=shown) as server:
        client = make(resolver=Names(["127.0.0.1"]), tls=known)

        answer = await ask(client, f"https://hooks.example:{server.port}/")
        with pytest.raises(NoAnswerError) as caught:
            await ask(client, f"https://other.example:{server.port}/")

    assert answer.status == 200
    assert caught.value.why == "tls"
    assert str(caught.value) == "TLS certificate verification failed"


async def test_untrusted_certificate_gets_no_request(make: Make) -> None:
    shown, _ = certificate()
    async with serving(tls=shown) as server:
        client = make(resolver=Names(["127.0.0.1"]))
        with pytest.raises(NoAnswerError) as caught:
            await ask(client, f"https://hooks.example:{server.port}/", body=b"secret")

    assert caught.value.why == "tls"
    assert server.requests == []


async def test_body_is_read_up_to_the_limit(make: Make) -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000
    async with serving(long) as server:
        answer = await ask(make(), f"http://127.0.0.1:{server.port}/", max_bytes=100)

    assert (answer.status, len(answer.body), answer.complete) == (200, 100, False)


async def test_endless_body_is_cut_off(make: Make) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    async with serving(head, repeat=b"x" * 1_000) as server:
        answer = await ask(make(), f"http://127.0.0.1:{server.port}/", max_bytes=64 * 1024)

    assert (answer.status, len(answer.body), answer.complete) == (200, 64 * 1024, False)


async def test_compressed_bodies_are_not_decompressed(make: Make) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi"
    async with serving(head) as server:
        answer = await ask(make(), f"http://127.0.0.1:{server.port}/")

    assert answer.body == b"hi"


async def test_status_is_returned_if_the_body_never_arrives(
    make: Make, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
    reading = asyncio.Event()
    read = net_client._read

    async def noted(*arguments: Any) -> bool:
        reading.set()  # the status has come, and half of the body with it
        return await read(*arguments)

    monkeypatch.setattr(net_client, "_read", noted)
    async with serving(head + b"half", then="hang") as server:
        url = f"http://127.0.0.1:{server.port}/"
        asking = asyncio.create_task(ask(make(), url, deadline=100.0))
        await reading.wait()
        await clock.advance_awake(asking.done)
        answer = await asking

    assert (answer.status, answer.body, answer.complete) == (200, b"half", False)


async def test_suspend_does_not_end_a_request(make: Make, clock: Clock) -> None:
    """The response that has arrived meanwhile is read, although the deadline has passed."""
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    asking = asyncio.create_task(ask(make(), url, deadline=100.0))
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(server)
    await loop.sock_recv(connection, 1)

    clock.advance(1_000.0)
    for _ in range(10):
        await asyncio.sleep(0)
    await loop.sock_sendall(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    (answer,) = await asyncio.gather(asking, return_exceptions=True)
    assert isinstance(answer, HttpResponse), answer
    assert (answer.status, answer.body, answer.complete) == (200, b"hi", True)
    connection.close()
    server.close()


async def test_status_is_returned_if_the_body_is_cut_off(make: Make) -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf") as server:
        answer = await ask(make(), f"http://127.0.0.1:{server.port}/")

    assert (answer.status, answer.complete) == (200, False)


@pytest.mark.parametrize(
    ("answer", "then", "why"),
    [
        (b"", "hang", "timeout"),
        (b"HTTP/1.1 200 OK\r\n", "hang", "timeout"),
        (b"", "close", "connection"),
        (b"HTTP/1.1 200 OK\r\nContent-", "close", "connection"),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "close", "protocol"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000 + b"\r\n\r\n", "close", "protocol"),
        (b"HTTP/1.1 abc OK\r\n\r\n", "close", "protocol"),
    ],
)
async def test_missing_or_invalid_response_names_the_kind_of_failure(
    make: Make, answer: bytes, then: str, why: str
) -> None:
    async with serving(answer, then=then) as server:
        with pytest.raises(NoAnswerError) as caught:
            url = f"http://127.0.0.1:{server.port}/hunter2"
            await ask(make(), url, deadline=0.2 if then == "hang" else 30.0)

    assert caught.value.why == why
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_refused_connection_is_a_connection_failure(make: Make) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # not listening
        with pytest.raises(NoAnswerError) as caught:
            await ask(make(), f"http://127.0.0.1:{taken.getsockname()[1]}/")

    assert caught.value.why == "connection"


async def test_name_without_an_address_is_a_dns_failure(make: Make) -> None:
    names = Names(socket.gaierror(socket.EAI_NONAME, "unknown"))

    with pytest.raises(NoAnswerError) as caught:
        await ask(make(resolver=names), "https://example.com/hunter2")

    assert (caught.value.why, str(caught.value)) == ("dns", "the host has no address")


async def test_unresponsive_name_server_is_a_timeout(make: Make) -> None:
    class Silent(Names):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
            await asyncio.Event().wait()

    with pytest.raises(NoAnswerError) as caught:
        await ask(make(resolver=Silent([])), "https://example.com/", deadline=0.05)

    assert caught.value.why == "timeout"


async def test_closed_client_reopens(make: Make) -> None:
    client = make()
    async with serving() as server:
        await ask(client, f"http://127.0.0.1:{server.port}/")
        await client.close()
        await ask(client, f"http://127.0.0.1:{server.port}/")

    assert len(server.requests) == 2


async def test_check_resolves_the_host_without_a_request(make: Make) -> None:
    client = make(AllowList(), resolver=Names(["8.8.8.8"], ["10.0.0.1"]))

    assert str(await client.check("https://EXAMPLE.com/a")) == "https://example.com/a"
    with pytest.raises(ForbiddenAddressError, match=r"10\.0\.0\.1 .* private"):
        await client.check("https://example.com/a")
    with pytest.raises(ForbiddenUrlError):
        await client.check("https://localhost/")


async def test_check_accepts_a_name_that_does_not_resolve(make: Make) -> None:
    client = make(resolver=Names(OSError("no network")))

    assert await client.check("https://example.com/")


async def test_system_resolver_is_checked(make: Make) -> None:
    client = make(AllowList.of(["localhost"]))

    with pytest.raises(ForbiddenAddressError, match="loopback"):
        await client.check("https://localhost/")


async def test_concurrent_lookups_of_a_name_share_one_lookup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    original = socket.getaddrinfo

    def count(host: str, *args: Any, **options: Any) -> Any:
        asked.append(host)
        return original("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", count)
    resolver = SystemResolver()

    found = await asyncio.gather(*(resolver.resolve("hooks.example", 80) for _ in range(10)))
    await resolver.resolve("hooks.example", 80)
    await resolver.close()

    assert {each[0]["host"] for each in found} == {"127.0.0.1"}
    assert asked == ["hooks.example"] * 2


async def test_cancelled_caller_does_not_cancel_a_shared_lookup(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_on = threading.Event()
    original = socket.getaddrinfo

    def wait(host: str, *args: Any, **options: Any) -> Any:
        go_on.wait(10)
        return original("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    resolver = SystemResolver()
    impatient = asyncio.create_task(resolver.resolve("hooks.example", 80))
    patient = asyncio.create_task(resolver.resolve("hooks.example", 80))
    await asyncio.sleep(0)

    impatient.cancel()
    go_on.set()

    assert (await patient)[0]["host"] == "127.0.0.1"
    await resolver.close()
