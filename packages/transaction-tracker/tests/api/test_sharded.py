"""The API of one shard: it registers its own transactions, and names the shard of others."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from transaction_tracker.domain.sharding import Shard, ShardMap

from .support import Client, register, serving

PATH = "/v1/transactions"
TWO = ShardMap((2,))
# By their shard of two.
IDS: dict[int, list[str]] = {0: [], 1: []}
for number in range(20):
    IDS[TWO.newest(f"payment{number}")].append(f"payment{number}")
MINE, OTHER = IDS[1], IDS[0]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving(shard=Shard(1, TWO)) as running:
        yield running


async def test_transaction_of_another_shard_is_refused_with_its_number(client: Client) -> None:
    reply = await client.post(PATH, json={"id": OTHER[0]})

    assert reply.status == 421
    assert reply.json["type"].endswith(":wrong-shard")
    assert reply.json["errors"] == [
        {
            "detail": "this is shard 1; the transaction belongs to shard 0",
            "pointer": "#",
            "shard": 0,
        }
    ]
    assert (await client.get(f"{PATH}/{OTHER[0]}")).status == 404


async def test_list_registers_those_of_the_shard_only(client: Client) -> None:
    items: list[Any] = [{"id": MINE[0]}, {"id": OTHER[0]}, {"id": "short"}, {"id": MINE[1].upper()}]

    reply = (await client.post(PATH, json=items)).json

    assert (reply["accepted"], reply["refused"]) == (2, 2)
    accepted, misplaced, invalid, _ = reply["results"]
    assert (accepted["id"], misplaced["id"]) == (MINE[0], OTHER[0])
    assert [(error["pointer"], error["shard"]) for error in misplaced["errors"]] == [("#/1", 0)]
    assert "shard" not in invalid["errors"][0]


async def test_transaction_from_before_the_service_grew_stays() -> None:
    stays = next(key for key in OTHER if ShardMap((4,)).newest(key) != 0)
    new = next(key for key in OTHER if ShardMap((4,)).newest(key) != 0 and key != stays)
    async with serving(shard=Shard(0, TWO)) as client:
        await register(client, stays)
        object.__setattr__(client.service, "shard", Shard(0, ShardMap((4, 2))))

        reply = (await client.post(PATH, json=[{"id": stays}, {"id": new}])).json

        assert [result["status"] for result in reply["results"]] == ["accepted", "refused"]


@pytest.mark.parametrize("path", ["/healthz", "/v1/service", "/nowhere"])
async def test_each_response_names_the_shard(client: Client, path: str) -> None:
    assert (await client.get(path)).headers["x-shard"] == "1/2"


async def test_service_without_shards_registers_everything() -> None:
    async with serving() as client:
        reply = await client.post(PATH, json=[{"id": MINE[0]}, {"id": OTHER[0]}])

        assert reply.json["accepted"] == 2
        assert "x-shard" not in reply.headers


@pytest.mark.parametrize("order", ["id", "activity"])
async def test_list_can_go_on_after_each_transaction(client: Client, order: str) -> None:
    await register(client, *MINE[:5])
    page = (await client.get(f"{PATH}?order={order}&cursors=true")).json
    ids = [transaction["id"] for transaction in page["transactions"]]

    for place, cursor in enumerate(page["cursors"]):
        following = (await client.get(f"{PATH}?cursor={cursor}")).json["transactions"]

        assert [transaction["id"] for transaction in following] == ids[place + 1 :]
    assert len(page["cursors"]) == len(ids) == 5


async def test_list_has_no_cursors_unless_it_is_asked(client: Client) -> None:
    assert "cursors" not in (await client.get(PATH)).json
