"""A program that is killed during a delivery, as by a power cut."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from transaction_tracker.delivery import endpoints
from transaction_tracker.net import CheckedClient

from .conftest import running, storing
from .receiver import Receiver
from .support import happens, nothing_pending

PROGRAM = """
import asyncio, sys
from beamish import Supervisor
from transaction_tracker.net import AllowList, CheckedClient
from transaction_tracker.delivery import OUTBOX, DeliveryContext, Outbox
from transaction_tracker.store import STORE, OpenTransactions, Store

async def ignore(stored):
    pass

async def main(database):
    context = DeliveryContext(CheckedClient(AllowList.of(["127.0.0.1"])))
    store = Store.child_spec(database, OpenTransactions(), ignore, name=STORE)
    async with Supervisor.running([store, Outbox.child_spec(context, name=OUTBOX)]):
        await asyncio.Event().wait()

asyncio.run(main(sys.argv[1]))
"""

KEYS = [f"tx{number:02}" for number in range(40)]


@pytest.mark.slow
async def test_sigkill_during_a_delivery_loses_no_event(
    tmp_path: Path, client: CheckedClient, receiver: Receiver
) -> None:
    database = str(tmp_path / "test.db")
    async with storing(database), running(client):
        endpoint = await endpoints.add("http://127.0.0.1:1/")
        await endpoints.change(endpoint.id, url=receiver.url, states=None)
    async with storing(database):
        await happens(*KEYS)

    for _ in range(2):
        goal = asyncio.Event()
        enough = len(receiver.received) + 30

        def answer(_: object, goal: asyncio.Event = goal, enough: int = enough) -> int:
            if len(receiver.received) >= enough:
                goal.set()
            return 200

        receiver.script = answer
        program = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, database)
        ended = asyncio.create_task(program.wait())
        await asyncio.wait([ended, asyncio.create_task(goal.wait())], return_when="FIRST_COMPLETED")
        program.send_signal(signal.SIGKILL)
        assert await ended == -signal.SIGKILL
    async with storing(database), running(client):
        await nothing_pending(endpoint.id)

    for key in KEYS:
        heard = [each for each in dict.fromkeys(receiver.accepted) if each.startswith(key)]
        assert heard == [f"{key}:1", f"{key}:2", f"{key}:3"]
    # Repeated is only what was under way at a kill.
    assert len(receiver.accepted) <= 3 * len(KEYS) + 2 * 4
