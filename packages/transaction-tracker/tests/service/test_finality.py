"""A finality violation, from the node to the operator who resumes deliveries.

The same service as in the other tests, on PostgreSQL.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from ..postgres import Postgres  # noqa: TID252 - the one way to run a database server
from ..tracker.anvil import twin  # noqa: TID252 - the one way to run an anvil
from .client import Client, eventually
from .conftest import Command
from .network import GENESIS, Network
from .program import CONFIRMATIONS, Program, configured, serving
from .receiver import Receiver, receiving

pytestmark = [pytest.mark.anvil, pytest.mark.postgres, pytest.mark.slow]

VIOLATION = 'transaction_tracker_transitions_total{from="confirmed",to="pending"} 1.0'


# Must be set up before ``command``: an anvil cannot start while output is captured.
@pytest.fixture
async def network() -> AsyncIterator[Network]:
    async with twin(GENESIS) as node:
        yield Network([node])


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def config(network: Network, postgres: Postgres, tmp_path: Path) -> Iterator[Path]:
    with postgres.database() as database:
        yield configured(tmp_path, network.nodes, database)


async def test_finality_violation_freezes_deliveries_until_they_are_resumed(
    network: Network,
    receiver: Receiver,
    config: Path,
    session: aiohttp.ClientSession,
    command: Command,
) -> None:
    async with serving(config) as program:
        client = Client(program.url, session)
        added = await command(program, "webhook", "add", receiver.url, "--json")
        receiver.secret = added.document["secret"]
        await network.mine(CONFIRMATIONS)
        key = await network.pay(0)
        await command(program, "add", key)
        await client.reach(key, "pending")
        signed = await network.signed(key)
        await network.mine(CONFIRMATIONS)
        await client.reach(key, "confirmed")
        await eventually(lambda: receiver.of(key) == ["pending", "mined", "confirmed"])

        await network.reorganise(CONFIRMATIONS + 1)
        await alarmed(program, client, key)
        await network.ask("eth_sendRawTransaction", signed)
        await network.mine()
        await client.reach(key, "mined")
        assert await program.stop() == 0

    # Deliveries stay frozen after a restart, until they are resumed.
    async with serving(config) as program:
        client = Client(program.url, session)
        other = await network.pay(1)
        await command(program, "add", other)
        await client.reach(other, "pending")
        await network.mine(CONFIRMATIONS)
        for one in (key, other):
            await client.reach(one, "confirmed")
        assert len(receiver.ids) == 3

        resumed = await command(program, "deliveries", "resume", "--json")
        events = await client.events()
        await eventually(lambda: len(receiver.ids) == len(events))
        assert await program.stop() == 0

    assert resumed.document == {"frozen_since": None}
    assert sorted(receiver.ids) == sorted(event["id"] for event in events)
    assert receiver.of(other) == ["pending", "mined", "confirmed"]
    told = [state for state in receiver.of(key) if state != "missing"]
    assert told == ["pending", "mined", "confirmed", "pending", "mined", "confirmed"]
    assert receiver.forged == []


async def alarmed(program: Program, client: Client, transaction: str) -> None:
    """Wait until the transaction, the log and the metrics show the violation."""

    async def flagged() -> bool:
        found = await client.get(f"/v1/transactions/{transaction}")
        return bool(found["flags"] == ["finality_violation"])

    await eventually(flagged)
    assert (await client.get("/v1/deliveries"))["frozen_since"] is not None
    await eventually(lambda: program.told("finality violation"))
    (alarm,) = program.told("finality violation")
    assert alarm["level"] == "error"
    assert transaction in alarm["event"]
    assert VIOLATION in await client.page("/metrics")
