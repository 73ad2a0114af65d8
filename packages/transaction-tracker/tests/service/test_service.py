"""The complete service, from ``txtrack serve`` to a signed webhook.

The tests share one service and one chain, on which each makes its own transactions.
"""

import asyncio
from dataclasses import dataclass
from itertools import groupby

import pytest

from .client import Json, eventually
from .conftest import Txtrack, World
from .network import HIGHER_PRICE, REVERTING, Network
from .program import serving

pytestmark = [
    pytest.mark.anvil,
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
]


def versions(events: list[Json]) -> dict[str, list[int]]:
    """Return the versions of the events by transaction, in the order of the events."""
    ordered = sorted(events, key=lambda event: str(event["transaction"]))
    return {
        transaction: [event["version"] for event in group]
        for transaction, group in groupby(ordered, lambda event: str(event["transaction"]))
    }


async def sign_up(world: World, txtrack: Txtrack) -> None:
    """Add the receiver as an endpoint, if it is not one yet."""
    if not world.receiver.secret:
        added = await txtrack("webhook", "add", world.receiver.url, "--json")
        world.receiver.secret = added.document["secret"]


def moves(detail: Json) -> list[str]:
    """Return the states of a transaction in order.

    Without "missing": anvil loses reorganized transactions until they are sent again.
    """
    states = [str(event["state"]) for event in detail["history"]]
    return [state for state in states if state != "missing"]


async def complete_and_in_order(world: World) -> list[Json]:
    """Check that feed, stream and webhooks contain the same events, complete and in order."""
    events = await world.client.events()
    middle = len(events) // 2
    streamed = await world.client.stream("e0", middle)
    streamed += await world.client.stream(streamed[-1]["cursor"], len(events) - middle)
    await eventually(lambda: len(set(world.receiver.ids)) >= len(events))

    assert streamed == events
    assert all(found == list(range(1, len(found) + 1)) for found in versions(events).values())
    assert set(world.receiver.ids) == {event["id"] for event in events}
    for transaction, found in versions(events).items():
        told = [one for one in world.receiver.ids if one.startswith(transaction)]
        assert list(dict.fromkeys(told)) == [f"{transaction}:{version}" for version in found]
    assert world.receiver.forged == []
    return events


@dataclass
class Payments:
    """Transactions by their end states."""

    confirmed: str
    failed: str
    replaced: str
    dropped: str
    expired: str
    moved: str = ""
    winner: str = ""

    @property
    def statuses(self) -> dict[str, int]:
        """Exit status of a wait for each transaction."""
        good = {self.confirmed: 0, self.moved: 0}
        return good | {self.failed: 3, self.replaced: 4, self.dropped: 7, self.expired: 8}


async def send(network: Network) -> Payments:
    deployed = await network.send(1, data=REVERTING)
    await network.mine(3)
    contract = (await network.ask("eth_getTransactionReceipt", deployed))["contractAddress"]
    return Payments(
        confirmed=await network.pay(0),
        failed=await network.send(1, to=contract),
        replaced=await network.pay(2, nonce="0x0"),
        dropped=await network.pay(4),
        expired=await network.pay(5, nonce="0x7"),  # the account never reaches this nonce
    )


async def register(world: World, txtrack: Txtrack, payments: Payments) -> None:
    """Register the transactions in every possible way, with metadata."""
    added = await txtrack("add", payments.confirmed, "--metadata", '{"order": 7}')
    listed = world.config.with_name("payments.csv")
    listed.write_text(f"id,order\n{payments.failed},8\n{payments.replaced},9\n")
    imported = await txtrack("import", str(listed))
    body = {"id": payments.dropped, "metadata": {"order": 10}}
    posted = await world.client.post("/v1/transactions", body)
    hurried = await txtrack("add", payments.expired, "--expires-in", "1s")

    assert [added.status, imported.status, hurried.status] == [0, 0, 0]
    assert posted["results"][0]["status"] == "accepted"
    for field in ("confirmed", "failed", "replaced", "dropped", "expired"):
        await world.client.reach(getattr(payments, field), "pending")


async def let_them_end(world: World, txtrack: Txtrack, payments: Payments) -> None:
    network, client = world.network, world.client
    payments.winner = await network.pay(2, nonce="0x0", **HIGHER_PRICE)
    for node in network.present:
        await node.ask("anvil_dropTransaction", payments.dropped)
    await txtrack("recheck", payments.dropped)
    await client.reach(payments.dropped, "missing")
    await network.mine()

    payments.moved = await network.pay(3)
    await txtrack("add", payments.moved)
    await client.reach(payments.moved, "pending")
    await network.mine()
    await client.reach(payments.moved, "mined")
    signed = await network.signed(payments.moved)
    await network.reorganise(1)
    await client.reach(payments.moved, "pending")
    await network.ask("eth_sendRawTransaction", signed)
    await network.mine(3)


async def test_transactions_reach_every_end_state(world: World, txtrack: Txtrack) -> None:
    await sign_up(world, txtrack)
    payments = await send(world.network)
    await register(world, txtrack, payments)

    await let_them_end(world, txtrack, payments)
    statuses = {
        one: (await txtrack("wait", one, "--timeout", "20s")).status for one in payments.statuses
    }
    found = {one: (await txtrack("get", one, "--json")).document for one in statuses}
    events = await complete_and_in_order(world)

    assert statuses == payments.statuses
    assert (await txtrack("wait", *statuses)).status == 3  # the worst end
    assert [one["state"] for one in found.values()] == [
        *("confirmed", "confirmed", "failed", "replaced", "dropped", "expired"),
    ]
    assert moves(found[payments.moved]) == ["pending", "mined", "pending", "mined", "confirmed"]
    replaced = found[payments.replaced]
    assert (replaced["superseded_by"], replaced["reason"]) == (payments.winner, "repriced")
    assert found[payments.failed]["outcome"]["succeeded"] is False
    receipt = await world.network.ask("eth_getTransactionReceipt", payments.confirmed)
    fee = int(receipt["effectiveGasPrice"], 16) * int(receipt["gasUsed"], 16)
    assert found[payments.confirmed]["block"]["hash"] == receipt["blockHash"]
    assert found[payments.confirmed]["outcome"]["fee"] == str(fee)
    notes = {event["transaction"]: event["metadata"] for event in events}
    assert notes[payments.confirmed] == {"order": 7}
    assert notes[payments.failed] == {"order": "8"}
    assert notes[payments.dropped] == {"order": 10}


async def test_rolled_back_block_makes_its_transaction_pending(
    world: World, txtrack: Txtrack
) -> None:
    network, client = world.network, world.client
    await network.mine(2)
    key = await network.pay(6)
    await txtrack("add", key)
    await client.reach(key, "pending")
    await network.mine()
    await client.reach(key, "mined")
    signed = await network.signed(key)

    await network.roll_back(1)
    await client.reach(key, "pending")
    await network.ask("eth_sendRawTransaction", signed)
    await network.mine(3)

    assert (await txtrack("wait", key, "--timeout", "20s")).status == 0
    detail = await client.get(f"/v1/transactions/{key}")
    assert moves(detail) == ["pending", "mined", "pending", "mined", "confirmed"]


async def providers(txtrack: Txtrack) -> list[str]:
    return [one["state"] for one in (await txtrack("provider", "ls", "--json")).documents]


async def test_service_fails_over_from_hanging_and_dead_nodes(
    world: World, txtrack: Txtrack
) -> None:
    network, client = world.network, world.client
    assert await providers(txtrack) == ["active", "healthy"]
    first, second = await network.pay(7), await network.pay(8)

    # The first node hangs; the second one mines on.
    await txtrack("add", first)
    await client.reach(first, "pending")
    network.nodes[0].hang()
    network.away.add(0)
    await network.mine()
    await client.reach(first, "mined")
    await network.mine(2)
    assert (await txtrack("wait", first, "--timeout", "20s")).status == 0

    async def switched() -> bool:
        return await providers(txtrack) == ["paused", "active"]

    await eventually(switched)

    # The first node is back, and is followed again when the second one is killed.
    network.nodes[0].wake()
    await network.come_back(0)
    name = (await txtrack("provider", "ls", "--json")).documents[0]["name"]
    resumed = await txtrack("provider", "resume", name, "--json")
    assert resumed.documents[0]["state"] == "healthy"
    await network.nodes[1].die()
    network.away.add(1)
    third = await network.pay(7)
    await txtrack("add", second, third)
    await client.reach(third, "pending")
    await network.mine(3)
    assert (await txtrack("wait", second, third, "--timeout", "20s")).status == 0

    async def switched_back() -> bool:
        return await providers(txtrack) == ["active", "paused"]

    await eventually(switched_back)
    for one in (first, third):
        detail = await client.get(f"/v1/transactions/{one}")
        states = [event["state"] for event in detail["history"]]
        assert states == ["pending", "mined", "confirmed"]
    assert world.program.told("finality violation") == []


async def gauge(world: World, name: str, value: float) -> bool:
    return f"transaction_tracker_{name} {value}" in await world.client.page("/metrics")


async def test_service_stops_in_order_and_resumes(world: World, txtrack: Txtrack) -> None:
    network, client, receiver = world.network, world.client, world.receiver
    await sign_up(world, txtrack)
    early, late = await network.pay(0), await network.pay(1, nonce="0x9")
    await txtrack("add", early)
    await network.mine()
    await client.reach(early, "mined")
    before = await client.events()

    # In progress at the signal: a webhook, a long poll and a stream.
    receiver.open.clear()
    await txtrack("add", late)
    await eventually(lambda: receiver.of(late) == ["pending"])
    path = f"/v1/transactions/{early}/wait"
    waiting = asyncio.create_task(client.get(path, until="terminal", timeout=50))
    listening = asyncio.create_task(client.stream(before[-1]["cursor"], 1_000))
    await eventually(lambda: gauge(world, "waiters", 1.0))
    await eventually(lambda: gauge(world, "streams", 1.0))
    for node in network.present:
        node.hang()  # the shutdown must not wait for the nodes' responses
    stopping = asyncio.create_task(world.program.stop())
    answered, heard = await waiting, await listening
    receiver.open.set()

    assert await stopping == 0
    for node in network.present:
        node.wake()
    assert answered["transaction"]["state"] == "mined"
    assert [event["transaction"] for event in heard] == [late]
    assert [one for one in world.program.log if one["level"] == "error"] == []

    # Blocks are mined meanwhile. After the restart, all events are recorded and delivered.
    await network.mine(2)
    async with serving(world.config) as program:
        world.program, client.url = program, program.url
        assert (await txtrack("wait", early, "--timeout", "20s")).status == 0
        events = await client.events()
        rest = await client.stream(heard[-1]["cursor"], len(events) - len(before) - len(heard))
        await eventually(lambda: "confirmed" in receiver.of(early))

        assert events == before + heard + rest
        assert receiver.of(early)[-1] == "confirmed"
        # The webhook that was in progress at the stop was delivered, and is not repeated.
        assert receiver.ids.count(f"{late}:1") == 1
        assert receiver.forged == []
        assert await program.stop() == 0
