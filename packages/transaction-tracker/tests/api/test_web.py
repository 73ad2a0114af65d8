"""The process of the API: address, options and shutdown."""

import asyncio
import gc
import socket
import time
from typing import Any

import pytest

from beamish import GenServer, StartError, process
from transaction_tracker.api import WEB, Following, Service, Web, WebOptions
from transaction_tracker.metrics import Gauges, Metrics
from transaction_tracker.store import Store

from .support import PATIENCE, Client, Stand, eventually, make_token, register, serving


def service() -> Service:
    async def gauges() -> Gauges:
        return Gauges()

    return Service(following=Following, gauges=gauges, metrics=Metrics(runtime=False))


def root(error: BaseException) -> BaseException:
    """Return the innermost cause of an error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


async def test_port_0_chooses_a_free_port() -> None:
    async with serving() as client:
        assert client.port > 0
        assert (await client.get("/healthz")).status == 200


async def test_port_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(StartError) as caught:
            async with Stand(service(), WebOptions(port=port), ":memory:"):
                pass

    assert f"127.0.0.1 port {port}: Address already in use" in str(root(caught.value))


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_non_loopback_address_needs_a_token(host: str) -> None:
    with pytest.raises(StartError, match="create a token first"):
        async with Stand(service(), WebOptions(host=host, port=0), ":memory:"):
            pass


async def test_unknown_host_is_reported() -> None:
    with pytest.raises(StartError) as caught:
        async with Stand(service(), WebOptions(host="127.0.0.256", port=0), ":memory:"):
            pass

    assert "127.0.0.256" in str(caught.value)


async def test_response_is_sent_without_delay() -> None:
    """Parts of a response do not wait for acknowledgements (Nagle), 40 ms each."""
    async with serving() as client:
        reader, writer = await client.connect()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"}")
        (accepted,) = connected_to(writer.get_extra_info("sockname"))

        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()


def connected_to(address: tuple[str, int]) -> list[socket.socket]:
    """Return the sockets of this program that are connected to this address."""
    ours = (one for one in gc.get_objects() if type(one) is socket.socket)
    return [one for one in ours if one.fileno() != -1 and peer_of(one) == address]


def peer_of(one: socket.socket) -> object:
    try:
        return one.getpeername()
    except OSError:  # it listens
        return None


async def test_any_address_is_allowed_with_a_token(tmp_path: object) -> None:
    database = f"{tmp_path}/test.db"
    async with serving(database=database):
        token = await make_token("read")

    async with serving(database=database, host="0.0.0.0") as client:
        local = f"http://127.0.0.1:{client.port}/v1/events"
        async with client.session.get(local) as reply:
            assert reply.status == 401
        headers = {"Authorization": f"Bearer {token}"}
        async with client.session.get(local, headers=headers) as reply:
            assert reply.status == 200


async def test_expired_token_does_not_allow_other_addresses(tmp_path: object) -> None:
    database = f"{tmp_path}/test.db"
    async with serving(database=database):
        await make_token("read", expires_in=1e-6)

    with pytest.raises(StartError, match="create a token first"):
        async with Stand(service(), WebOptions(host="0.0.0.0", port=0), database):
            pass


async def test_shutdown_ends_long_polls_and_streams() -> None:
    async with serving(shutdown_seconds=30.0) as client:
        await register(client, "abcdefgh")
        waiting = asyncio.create_task(client.get("/v1/transactions/abcdefgh/wait?timeout=60"))
        stream = await client.session.get(f"{client.url}/v1/stream")
        await eventually(lambda: client.service.feed._waiters)
        began = time.monotonic()

        await GenServer.stop(WEB, "shutdown")

        assert time.monotonic() - began < 10.0
        reply = await waiting
        assert (reply.status, reply.json["reached"]) == (200, False)
        await stream.content.read()  # it ends as a whole answer does
        stream.close()


async def test_shutdown_completes_requests_in_progress() -> None:
    async with serving(shutdown_seconds=10.0) as client:
        reader, writer = await client.connect()
        head = b"POST /v1/transactions HTTP/1.1\r\nHost: localhost\r\n"
        body = b'{"id":"abcdefgh"}'
        fields = b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write(head + fields + body[:5])
        await writer.drain()
        web = process.whereis(WEB)
        assert web is not None
        await asyncio.wait_for(_requests(client.service), PATIENCE)
        stopping = asyncio.create_task(GenServer.stop(web, "shutdown"))
        await eventually(lambda: client.service.feed.closed)

        writer.write(body[5:])

        assert b" 200 " in await reader.readline()
        await stopping
        writer.close()


async def _requests(_service: Service) -> None:
    """Wait until the server has read the request."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_killed_api_is_restarted() -> None:
    async with serving() as client:
        web = process.whereis(WEB)
        assert web is not None

        process.exit(web, "kill")

        await eventually(lambda: process.whereis(WEB) not in (None, web))
        url = await Web.url(WEB)
        async with client.session.get(f"{url}/healthz") as reply:
            assert reply.status == 200
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", client.port), timeout=1).close()


async def test_signal_handlers_are_unchanged() -> None:
    import signal

    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    async with serving():
        during = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]

    assert during == before


async def test_service_is_not_ready_if_the_store_cannot_be_written() -> None:
    refuse = "CREATE TRIGGER full BEFORE UPDATE ON cursors BEGIN SELECT RAISE(ABORT, 'full'); END"
    async with serving() as client:
        await Store.run(lambda connection: connection.exec_driver_sql(refuse))

        reply = await client.get("/readyz")

    assert reply.status == 503
    assert reply.json["errors"] == [{"detail": "store: write failed"}]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"port": -1}, "port must be a port, 0 to 65535, got -1"),
        ({"port": 65_536}, "port must be a port, 0 to 65535, got 65536"),
        ({"shutdown_seconds": 61.0}, "shutdown_seconds must be over 0, up to 60s: seconds"),
        ({"max_body_bytes": 0}, "max_body_bytes must be 1,024 or more, got 0"),
        ({"max_requests": 0}, "max_requests must be a number, 1 to 1,000,000, got 0"),
        ({"body_seconds": 0.0}, "body_seconds must be over 0: seconds"),
        ({"trusted_proxies": ("proxy",)}, "trusted_proxies must be a list of networks"),
    ],
)
def test_invalid_options_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WebOptions(**wrong)


async def test_forwarded_address_is_used_only_from_a_trusted_proxy() -> None:
    async with serving() as client:
        direct = await guess_from_many(client)
    async with serving(trusted_proxies=("127.0.0.1",)) as client:
        proxied = await guess_from_many(client)

    assert direct[-1] == 429
    assert set(proxied) == {401}


async def guess_from_many(client: Client) -> list[int]:
    """Send wrong tokens with many forwarded addresses."""
    await make_token("admin")
    guesser = client.with_token("txt_000000000000_" + "A" * 43)
    return [
        (await guesser.get("/v1/events", headers={"X-Forwarded-For": f"8.8.8.{number}"})).status
        for number in range(11)
    ]
