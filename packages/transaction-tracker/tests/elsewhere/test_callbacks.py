"""Callbacks that were lost when the program stopped between commit and call."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web

from beamish import GenServer, Via, process, telemetry
from transaction_tracker import Event, TransactionTracker
from transaction_tracker.delivery import endpoints
from transaction_tracker.delivery.context import via
from transaction_tracker.delivery.listener import LISTENER

from .support import PATIENCE, Network, caught_up, eventually, reach

IDS = ["{}:1", "{}:2", "{}:3"]  # pending, mined, confirmed


@contextmanager
def killed_at_each_commit(server: Callable[[], str | Via]) -> Iterator[list[str]]:
    """Kill a server each time that a transition has been stored, before it makes its call."""
    deaths: list[str] = []
    handler = object()

    def handle(_: telemetry.Event, __: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        pid = GenServer.whereis(server())
        assert pid is not None
        deaths.append(facts["state"])
        process.exit(pid, "kill")

    telemetry.attach(handler, ("transaction_tracker", "transition"), handle)
    try:
        yield deaths
    finally:
        telemetry.detach(handler)


@asynccontextmanager
async def receiving(
    handler: Callable[[web.Request], Awaitable[web.Response]],
) -> AsyncIterator[str]:
    """Listen for webhooks; yield the URL."""
    application = web.Application()
    application.router.add_post("/", handler)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_callback_lost_between_commit_and_call(network: Network) -> None:
    """ewallet: the transition was committed, the process died, and no callback was called."""
    called: list[str] = []

    async with network.followed(on_event=lambda event: called.append(event.id)):
        tx = network.submit()
        with killed_at_each_commit(lambda: LISTENER) as deaths:
            for state, blocks in (("pending", 0), ("mined", 1), ("confirmed", 2)):
                await follow(network, tx.hash, blocks)
                await reach(tx.hash, state)
                await eventually(lambda: f"{tx.hash}:{len(deaths)}" in called)

    assert deaths == ["pending", "mined", "confirmed"]
    assert called == [name.format(tx.hash) for name in IDS]


async def test_callback_lost_between_commit_and_call_of_a_webhook(network: Network) -> None:
    """ewallet: the same for webhooks."""
    received: list[str] = []

    async def receive(request: web.Request) -> web.Response:
        received.append(orjson.loads(await request.read())["data"]["state"])
        return web.Response(status=204)

    async with receiving(receive) as url, network.followed(allow_private=("127.0.0.1",)):
        endpoint = await endpoints.add(url)
        tx = network.submit()
        with killed_at_each_commit(lambda: via(endpoint.id)) as deaths:
            for state, blocks in (("pending", 0), ("mined", 1), ("confirmed", 2)):
                await follow(network, tx.hash, blocks)
                await reach(tx.hash, state)
                await eventually(lambda state=state: state in received)

    assert deaths == ["pending", "mined", "confirmed"]
    assert list(dict.fromkeys(received)) == deaths


async def follow(network: Network, transaction: str, blocks: int) -> None:
    """Start to track a transaction, or mine blocks if ``blocks`` is not 0."""
    if blocks:
        await network.first.mine(blocks)
    else:
        await TransactionTracker.start(transaction)


async def test_callback_lost_between_commit_and_call_as_the_program_ends(network: Network) -> None:
    """ewallet: a callback that runs while the program stops is called again after a restart."""
    began: list[str] = []
    called: list[str] = []

    async def hang(event: Event) -> None:
        began.append(event.id)
        await asyncio.Event().wait()

    tx = network.submit()
    async with network.followed(on_event=hang) as app:
        await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
        await network.first.mine(3)
        await reach(tx.hash, "confirmed")
        await caught_up(app, network.first)
        await eventually(lambda: began)
    async with network.followed(on_event=lambda event: called.append(event.id)):
        await eventually(lambda: len(called) == 3)

    assert began == [f"{tx.hash}:1"]
    assert called == [name.format(tx.hash) for name in IDS]


PROGRAM = """
import asyncio, os, signal, sys
from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication

async def main(url, database, transaction, kill_at):
    done = asyncio.Event()

    def on_event(event):
        if event.tracked.state == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        print(event.id, flush=True)
        if event.tracked.final:
            done.set()

    settings = Settings(url, confirmations=3, database=database, poll_interval=0.01)
    async with TransactionTrackerApplication(settings, on_event=on_event):
        await TransactionTracker.start(transaction)
        await done.wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
async def test_callback_lost_between_commit_and_call_by_a_power_cut(network: Network) -> None:
    """ewallet: the program is killed when the final state is stored and the call has begun."""
    tx = network.submit()
    network.chain.mine(4)

    died, before = await run(network, tx.hash, "confirmed")
    ended, after = await run(network, tx.hash, "nothing")

    assert died == -signal.SIGKILL
    assert ended == 0
    assert after[-1] not in before
    assert list(dict.fromkeys(before + after)) == [f"{tx.hash}:1", f"{tx.hash}:2"]


async def run(network: Network, transaction: str, kill_at: str) -> tuple[int, list[str]]:
    """Run the program until it exits; return its exit status and the events of its callback."""
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, network.first.url, str(network.folder / "own.db")),
        *(transaction, kill_at),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        out, _ = await program.communicate()
    assert program.returncode is not None
    return program.returncode, out.decode().split()
