"""Deliveries from each kind of database, through kills."""

from beamish import GenServer, process
from transaction_tracker.net import CheckedClient
from transaction_tracker.outbox import endpoints
from transaction_tracker.outbox.context import COURIERS, KEEPER, REGISTRY

from .conftest import running, storing
from .receiver import Receiver
from .support import happens, nothing_pending

KEYS = [f"tx{number}" for number in range(5)]


def assert_whole(accepted: list[str]) -> None:
    """Each transaction's events have come in order; some perhaps twice."""
    for key in KEYS:
        heard = [each for each in dict.fromkeys(accepted) if each.startswith(f"{key}:")]
        assert heard == [f"{key}:1", f"{key}:2", f"{key}:3"]


async def test_everything_arrives_in_order(
    database_url: str, client: CheckedClient, receiver: Receiver
) -> None:
    async with storing(database_url), running(client):
        endpoint = await endpoints.add(receiver.url)

        await happens(*KEYS)
        await nothing_pending(endpoint.id)

    assert_whole(receiver.accepted)
    assert len(receiver.accepted) == 15


async def test_whatever_is_killed_everything_arrives(
    database_url: str, client: CheckedClient, receiver: Receiver
) -> None:
    victims = [COURIERS, KEEPER, REGISTRY]  # more in so short a time, and the tree gives up

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


async def test_a_program_that_starts_again_goes_on_where_it_was(
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
