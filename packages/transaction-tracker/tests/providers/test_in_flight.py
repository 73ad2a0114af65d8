"""Requests in flight end with the process of their provider, or with their caller."""

import asyncio

import pytest

from beamish import GenServer, Pid, process
from transaction_tracker.providers import PROVIDERS, Pool, ProviderSettings
from transaction_tracker.providers.in_flight import InFlight, NotRunningError
from transaction_tracker.sources import MalformedError
from transaction_tracker.sources.ethereum.rpc import Request

from .conftest import MakePool
from .support import Node, eventually, hang, status_of


class Sender:
    """A request that gets no response.

    Attributes:
        sent: Set when the request was sent.
        cancelled: Set when it was cancelled.
    """

    def __init__(self) -> None:
        self.sent = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def send(self) -> None:
        self.sent.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


async def answer() -> str:
    return "0x64"


async def waiting() -> None:
    await process.receive()


async def provider_of(in_flight: InFlight) -> Pid:
    """Start a process, and accept requests until it ends."""
    pid = process.spawn(waiting)
    in_flight.begin(pid)
    await asyncio.sleep(0)  # the process that watches it has started
    return pid


async def test_no_request_is_sent_without_a_process() -> None:
    sender = Sender()

    with pytest.raises(NotRunningError, match="node-1: its process is not running"):
        await InFlight("node-1").run(sender.send)

    assert not sender.sent.is_set()


async def test_request_is_cancelled_when_the_process_is_killed() -> None:
    in_flight, sender = InFlight("node-1"), Sender()
    provider = await provider_of(in_flight)
    task = asyncio.create_task(in_flight.run(sender.send))
    await sender.sent.wait()

    process.exit(provider, "kill")

    await eventually(sender.cancelled.is_set)
    with pytest.raises(NotRunningError):
        await task
    with pytest.raises(NotRunningError):
        await in_flight.run(answer)


async def test_end_of_a_process_does_not_end_the_requests_of_its_successor() -> None:
    in_flight, sender = InFlight("node-1"), Sender()
    first = await provider_of(in_flight)
    task = asyncio.create_task(in_flight.run(sender.send))
    await sender.sent.wait()

    await provider_of(in_flight)
    await eventually(sender.cancelled.is_set)
    process.exit(first, "kill")

    with pytest.raises(NotRunningError):
        await task
    await eventually(lambda: not process.is_alive(first))
    for _ in range(5):
        assert await in_flight.run(answer) == "0x64"


async def test_request_is_cancelled_with_its_caller() -> None:
    in_flight, sender = InFlight("node-1"), Sender()
    await provider_of(in_flight)

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await in_flight.run(sender.send)

    assert sender.cancelled.is_set()
    assert await in_flight.run(answer) == "0x64"


async def test_caller_that_is_cancelled_while_the_process_ends_stays_cancelled() -> None:
    in_flight, sender = InFlight("node-1"), Sender()
    await provider_of(in_flight)
    task = asyncio.create_task(in_flight.run(sender.send))
    await sender.sent.wait()

    in_flight.end()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_requests_of_a_stopped_process_do_not_count_against_its_provider(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(nodes[0], max_in_flight=1)
    await pool.identity()
    nodes[0].behaviour = hang
    tasks = [asyncio.create_task(pool.call("eth_getBalance", "0xab")) for _ in range(3)]
    await eventually(lambda: nodes[0].calls["eth_getBalance"])

    await GenServer.stop(f"{PROVIDERS}.127.0.0.1-1")

    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, NotRunningError)
    assert nodes[0].calls["eth_getBalance"] == 1  # none of those that waited was sent
    assert status_of(pool, 1).errors == {}


async def test_only_provider_can_be_used_after_its_process_was_restarted(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    pid = GenServer.whereis(f"{PROVIDERS}.127.0.0.1-1")
    assert pid is not None

    process.exit(pid, "kill")
    await eventually(lambda: GenServer.whereis(f"{PROVIDERS}.127.0.0.1-1") not in (None, pid))

    for _ in range(3):
        assert await pool.call("eth_blockNumber") == "0x64"


async def test_result_that_cannot_be_recorded_counts_against_its_provider(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    class Hostile:
        @property
        def link(self) -> object:
            raise RuntimeError("not expected")

    pool = await make_pool(nodes[0])
    await pool.identity()
    head = Request("eth_getBlockByNumber", ("latest", False), lambda _: Hostile())

    with pytest.raises(MalformedError, match="could not parse the response"):
        await pool.batch([head])

    assert status_of(pool, 1).errors == {"malformed": 1}
    assert await pool.call("eth_blockNumber") == "0x64"


async def test_provider_can_be_paused_while_its_process_is_not_running(nodes: list[Node]) -> None:
    pool = Pool([ProviderSettings(nodes[0].url)])

    assert (await pool.pause("127.0.0.1-1")).by_hand
