"""Names whose name servers do not answer do not delay the lookups of other names."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from transaction_tracker.domain.webhook_endpoint import MAX_ENDPOINTS
from transaction_tracker.net import AllowList, CheckedClient, NoAnswerError
from transaction_tracker.net import client as net_client
from transaction_tracker.net.resolver import SystemResolver

# Only for what must not happen: no lookup waits for another one.
PATIENCE = 50.0


class NameServers:
    """Name servers of which those of ``silent…`` do not answer."""

    def __init__(self) -> None:
        self.answered = threading.Event()
        self.asked: list[str] = []

    def look_up(self, host: str, *_args: object, **_options: object) -> list[object]:
        self.asked.append(host)
        if host.startswith("silent"):
            self.answered.wait()
            return []
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServers]:
    names = NameServers()
    monkeypatch.setattr(socket, "getaddrinfo", names.look_up)
    yield names
    names.answered.set()


@asynccontextmanager
async def waiting(
    names: NameServers, work: Callable[[int], Awaitable[Any]], count: int
) -> AsyncIterator[None]:
    """Start ``count`` lookups that get no answer, until the end of the block."""
    tasks = [asyncio.ensure_future(work(number)) for number in range(count)]
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(PATIENCE):
            yield
    finally:
        names.answered.set()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_silent_name_servers_of_all_other_endpoints_do_not_delay_a_lookup(
    names: NameServers,
) -> None:
    async with SystemResolver() as resolver:

        def silent(number: int) -> Awaitable[Any]:
            return resolver.resolve(f"silent-{number}.example")

        async with waiting(names, silent, MAX_ENDPOINTS - 1):
            found = await resolver.resolve("shop.example")

    assert [address["host"] for address in found] == ["192.0.2.1"]


async def test_silent_names_that_are_checked_do_not_delay_a_request(
    names: NameServers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(net_client, "_CHECK_TIMEOUT_SECONDS", None)
    client = CheckedClient(AllowList())

    def silent(number: int) -> Awaitable[Any]:
        return client.check(f"https://silent-{number}.example/")

    try:
        async with waiting(names, silent, 3 * MAX_ENDPOINTS):
            with pytest.raises(NoAnswerError) as caught:
                await client.request(
                    "GET", "https://shop.example/", headers={}, deadline=PATIENCE / 2, max_bytes=9
                )
    finally:
        await client.close()

    assert caught.value.why == "forbidden"  # the documentation address was found and checked


async def test_a_name_takes_one_thread_for_all_ports_and_after_each_timeout(
    names: NameServers,
) -> None:
    async with SystemResolver() as resolver:
        for port in (443, 8443):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await resolver.resolve("silent.example", port)

        async with waiting(names, lambda port: resolver.resolve("silent.example", port), 9):
            found = await resolver.resolve("shop.example", 443)

    assert [address["port"] for address in found] == [443]
    assert names.asked == ["silent.example", "shop.example"]
