"""Deliveries from each kind of database, through kills."""

from beamish import GenServer, process
from transaction_tracker.delivery import endpoints
from transaction_tracker.delivery.context import REGISTRY, STARTER, WORKERS
from transaction_tracker.net import CheckedClient

from .conftest import running, storing
from .receiver import Receiver
from .support import happens, nothing_pending

KEYS = [f"tx{number}" for number in range(5)]


def assert_whole(accepted: list[str]) -> None:
    """Check that each transaction's events arrived in order; repeats are allowed."""
    for key in KEYS:
        heard = [each for each in dict.fromkeys(accepted) if each.startswith(f"{key}:")]
        assert heard == [f"{key}:1", f"{key}:2", f"{key}:3"]


async def test_all_events_arrive_in_order(
    database_url: str, client: CheckedClient, receiver: Receiver
) -> None:
    async with storing(database_url), running(client):
        endpoint = await endpoints.add(receiver.url)

        await happens(*KEYS)
        await nothing_pending(endpoint.id)

    assert_whole(receiver.accepted)
    assert len(receiver.accepted) == 15


async def test_all_events_arrive_after_any_process_is_killed(
    database_url: str, client: CheckedClient, receiver: Receiver
) -> None:
    victims = [WORKERS, STARTER, REGISTRY]  # more in so short a time, and the tree gives up

    def kill(_: object) -> int:
        pid = (
            GenServer.whereis(victims.pop())
            if victims and len(receiver.received) % 4 == 0
            else None
        )
        if pid is not None:
            process.exit(pid, "kill")
        return 200

    receiver.script = kill
    async with storing(database_url), running(client):
        endpoint = await endpoints.add(receiver.url)
        await happens(*KEYS)
        await nothing_pending(endpoint.id)

    assert_whole(receiver.accepted)


async def test_restarted_program_continues_deliveries(
    database_url: str, client: CheckedClient, receiver: Receiver
) -> None:
    async with storing(database_url), running(client):
        endpoint = await endpoints.add(receiver.url, states=["mined"])
        await endpoints.disable(endpoint.id)
        await endpoints.enable(endpoint.id)
    async with storing(database_url):
        await happens(*KEYS)

    async with storing(database_url), running(client):
        await nothing_pending(endpoint.id)

        assert await endpoints.get(endpoint.id) == endpoint
    assert sorted(receiver.accepted) == [f"{key}:2" for key in KEYS]
