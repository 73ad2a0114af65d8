"""A sharded service grows, a shard has a standby, and each part is what it says it is."""

import json
import signal
from contextlib import AsyncExitStack

import pytest

from transaction_tracker.domain.sharding import ShardMap
from txtrack_devnode import DevelopmentNode

from .programs import Served, router, service
from .test_real import PATH, sent

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(300)]


async def started(stack: AsyncExitStack, *programs: Served) -> None:
    """Start services, and wait until they are ready."""
    for program in programs:
        await stack.enter_async_context(program)
        await program.start()
    for program in programs:
        await program.until("/readyz", lambda status, _: status == 200)


async def test_service_grows_and_tracks_each_transaction_once(
    node: DevelopmentNode, database: str
) -> None:
    nodes, hashes = [node.url], sent(node)
    async with AsyncExitStack() as stack:
        two = [service(nodes, database, shard__number=n, shard__count=2) for n in range(2)]
        await started(stack, *two)
        before = router([[shard.url] for shard in two])
        await started(stack, before)
        await before.ask("POST", PATH, json=[{"id": tx} for tx in hashes[:20]])
        for program in (before, *two):
            await program.end(signal.SIGTERM)

        grown = {"shard__count": 3, "shard__former_counts": "[2]"}
        three = [service(nodes, database, shard__number=n, **grown) for n in range(3)]
        await started(stack, *three)
        after = router([[shard.url] for shard in three], router__former_counts="[2]")
        await started(stack, after)
        # Half of them are registered again.
        status, reply = await after.ask("POST", PATH, json=[{"id": tx} for tx in hashes])

        assert (status, reply["accepted"]) == (200, len(hashes))
        homes = {
            each["id"]: number
            for number, shard in enumerate(three)
            for each in (await shard.get(f"{PATH}?limit=1000"))["transactions"]
        }
        maps = [ShardMap((2,))] * 20 + [ShardMap((3,))] * 20
        assert homes == {tx: each.newest(tx) for tx, each in zip(hashes, maps, strict=True)}
        listed = (await after.get(f"{PATH}?limit=1000"))["transactions"]
        assert sorted(each["id"] for each in listed) == sorted(hashes)
        for tx in (hashes[0], hashes[1], hashes[-1]):
            assert (await after.ask("GET", f"{PATH}/{tx}"))[0] == 200
            assert (await after.ask("DELETE", f"{PATH}/{tx}"))[0] == 200
        assert (await after.ask("GET", f"{PATH}/0x{'1' * 64}"))[0] == 404


async def test_router_follows_the_owner_of_a_shard(node: DevelopmentNode, database: str) -> None:
    (tx,) = sent(node, 1)
    async with AsyncExitStack() as stack:
        first, second = [
            service(
                [node.url], database, shard__number=0, shard__count=1, database__lease='"5s"'
            ).with_flag("--standby")
            for _ in range(2)
        ]
        await started(stack, first)
        await stack.enter_async_context(second)
        await second.start()
        routed = router([[second.url, first.url]])
        await started(stack, routed)
        await routed.ask("POST", PATH, json={"id": tx})

        async with routed.stream("/v1/stream") as live:
            await live.readline()
            assert await first.end(signal.SIGTERM) == 0
            await second.until("/readyz", lambda status, _: status == 200)

            found = await routed.until(f"{PATH}/{tx}", lambda status, _: status == 200)
            assert found["id"] == tx
            node.chain.mine(4)
            async for line in live:
                if line.startswith(b"data: ") and json.loads(line[6:])["state"] == "confirmed":
                    break
        owner = (await routed.get("/v1/service"))["shards"][0]["owner"]
        assert owner == second.url


async def test_router_does_not_take_one_shard_for_another(
    node: DevelopmentNode, database: str, other_database: str
) -> None:
    async with AsyncExitStack() as stack:
        shards = [service([node.url], database, shard__number=n, shard__count=2) for n in range(2)]
        whole = service([node.url], other_database)
        await started(stack, *shards, whole)
        swapped = router([[shards[1].url], [whole.url]])
        await stack.enter_async_context(swapped)
        await swapped.start()

        status, problem = await swapped.ask("GET", "/readyz")

        assert status == 503
        first, second = [error["detail"] for error in problem["errors"]]
        assert f"{shards[1].url} is shard 1/2, not 0/2" in first
        assert f"{whole.url} is not a shard" in second
        assert (await swapped.ask("POST", PATH, json={"id": "0x" + "1" * 64}))[0] == 503
