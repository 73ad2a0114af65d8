"""Faults of whole HTTP requests: connection, status, body, delay."""

import asyncio
import gc
import weakref
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
import orjson
import pytest

from txtrack_devnode import Chain, DevelopmentNode
from txtrack_devnode.faults import (
    CutOff,
    Death,
    Hang,
    LaggingHead,
    NotJson,
    RateLimit,
    ServerFailure,
    SlowAnswer,
)

from .support import Ask, Post, request

HEIGHT = request("eth_blockNumber")


async def until_struck(node: DevelopmentNode, name: str) -> None:
    async with asyncio.timeout(50):
        while not node.faults.counts[name]:
            await asyncio.sleep(0.001)


async def test_rate_limit_is_status_429(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(RateLimit(times=1, retry_after=7))

    refused, answered = await post(HEIGHT), await post(HEIGHT)

    assert (refused.status, refused.headers["Retry-After"]) == (429, "7")
    assert refused.json == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": -32005, "message": "rate limit exceeded"},
    }
    assert (answered.status, answered.json["result"]) == (200, "0x0")
    assert node.counters == {"eth_blockNumber": 1}, "what is refused is not done"


async def test_rate_limit_can_have_a_date(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(RateLimit(retry_after=60, as_date=True))
    before = datetime.now(UTC)

    header = (await post(HEIGHT)).headers["Retry-After"]

    seconds = (parsedate_to_datetime(header) - before).total_seconds()
    assert 60 <= seconds < 75
    assert header.endswith(" GMT")


async def test_rate_limit_can_have_no_time(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(RateLimit())

    assert "Retry-After" not in (await post(HEIGHT)).headers


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_server_failure_has_its_status(
    node: DevelopmentNode, post: Post, status: int
) -> None:
    node.faults.inject(ServerFailure(status=status))

    assert (await post(HEIGHT)).status == status


async def test_fault_applies_to_a_whole_batch(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(RateLimit(methods=frozenset({"eth_chainId"})))

    struck = await post([HEIGHT, request("eth_chainId", number=2)])

    assert struck.status == 429
    assert [answer["id"] for answer in struck.json] == [1, 2]
    assert (await post([HEIGHT])).status == 200


async def test_not_json_is_an_html_page(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(NotJson())

    answer = await post(HEIGHT)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(answer.body)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
async def test_cut_off_body_ends_early(
    node: DevelopmentNode, http: aiohttp.ClientSession, share: float
) -> None:
    await node.mine()
    body = orjson.dumps(request("eth_getBlockByNumber", "latest", False))
    async with http.post(node.url, data=body) as response:
        whole = await response.read()
    node.faults.inject(CutOff(share=share))

    received = bytearray()
    async with http.post(node.url, data=body) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            async for chunk in response.content.iter_any():
                received += chunk

    assert int(response.headers["Content-Length"]) == len(whole)
    assert received == whole[: int(len(whole) * share)]


async def test_slow_response_is_late(node: DevelopmentNode, post: Post) -> None:
    clock = asyncio.get_running_loop().time
    node.faults.inject(SlowAnswer(times=1, seconds=0.05))
    began = clock()

    slow = asyncio.create_task(post(HEIGHT))
    await until_struck(node, "slow-answer")
    node.chain.mine(3)

    assert (await post(HEIGHT)).json["result"] == "0x3", "others are not slow"
    assert (await slow).json["result"] == "0x3", "it tells of the moment of the answer"
    assert clock() - began >= 0.05


async def test_hanging_request_gets_a_response_when_the_fault_is_cleared(
    node: DevelopmentNode, post: Post, ask: Ask
) -> None:
    number = await ask("dev_inject", "hang:times=1")
    hanging = asyncio.create_task(post(HEIGHT))
    await until_struck(node, "hang")

    assert (await post(HEIGHT)).json["result"] == "0x0"
    assert not hanging.done()
    assert await ask("dev_clear", number) == 1

    assert (await hanging).json["result"] == "0x0"


async def test_no_fault_applies_to_control_methods(
    node: DevelopmentNode, post: Post, ask: Ask
) -> None:
    for fault in (Hang(), NotJson(), RateLimit(), Death(), CutOff()):
        node.faults.inject(fault)

    assert len(await ask("dev_mine", 1)) == 1
    assert await ask("evm_mine") == "0x0"
    assert await ask("dev_clear") == 5

    assert (await post(HEIGHT)).json["result"] == "0x2"
    assert node.faults.counts == {}


async def test_node_can_be_stopped_twice(http: aiohttp.ClientSession) -> None:
    async with DevelopmentNode() as node:
        await node.__aexit__(None, None, None)
        node.chain.mine()

    assert not node.listening


async def test_chain_keeps_no_reference_to_a_stopped_node() -> None:
    chain = Chain()
    async with DevelopmentNode(chain=chain) as node:
        ended = weakref.ref(node)

    del node
    gc.collect()

    assert ended() is None


async def test_calls_in_a_batch_with_a_control_method_get_right_results(
    node: DevelopmentNode, post: Post
) -> None:
    node.faults.inject(LaggingHead(blocks=1))
    await node.mine()
    assert (await post(HEIGHT)).json["result"] == "0x0"

    answers = (await post([request("evm_mine"), HEIGHT])).json

    assert answers[1]["result"] == "0x2"


async def test_node_stops_while_requests_hang(http: aiohttp.ClientSession) -> None:
    async with DevelopmentNode() as node:
        node.faults.inject(Hang())
        hanging = asyncio.create_task(http.post(node.url, data=orjson.dumps(HEIGHT)))
        await until_struck(node, "hang")

    async with asyncio.timeout(50), await hanging as response:
        assert response.status == 200


async def test_fault_cleared_during_a_wait_does_not_apply(
    node: DevelopmentNode, post: Post
) -> None:
    slow = node.faults.inject(Hang(times=1))
    limit = node.faults.inject(RateLimit())
    waiting = asyncio.create_task(post(HEIGHT))
    await until_struck(node, "hang")

    node.faults.clear(limit)
    node.faults.clear(slow)

    assert (await waiting).status == 200


async def test_log_has_the_request_number_after_a_wait(node: DevelopmentNode, post: Post) -> None:
    hang = node.faults.inject(Hang(times=1))
    node.faults.inject(RateLimit(times=2))
    waiting = asyncio.create_task(post(HEIGHT))
    await until_struck(node, "hang")

    await post(HEIGHT)
    node.faults.clear(hang)
    await waiting

    assert [(entry.exchange, entry.name) for entry in node.faults.log] == [
        (1, "hang"),
        (2, "rate-limit"),
        (1, "rate-limit"),
    ]


async def test_hanging_request_ends_when_its_client_disconnects(
    node: DevelopmentNode, http: aiohttp.ClientSession
) -> None:
    before = len(asyncio.all_tasks())
    node.faults.inject(Hang(times=1))
    hanging = asyncio.create_task(http.post(node.url, data=orjson.dumps(HEIGHT)))
    await until_struck(node, "hang")
    assert len(asyncio.all_tasks()) > before

    hanging.cancel()

    async with asyncio.timeout(50):
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.001)


async def test_node_opens_the_same_port_again(node: DevelopmentNode, post: Post) -> None:
    url = node.url
    await post(HEIGHT)

    await node.die()
    assert (node.listening, node.url) == (False, url)
    with pytest.raises(aiohttp.ClientConnectionError):
        await post(HEIGHT)
    await node.mine()

    await node.revive()
    assert (node.listening, node.url) == (True, url)
    assert (await post(HEIGHT)).json["result"] == "0x1"


async def test_death_aborts_hanging_requests(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(Hang())
    hanging = asyncio.create_task(post(HEIGHT))
    await until_struck(node, "hang")

    await node.die()

    with pytest.raises(aiohttp.ClientConnectionError):
        await hanging


async def test_death_fault_ends_by_itself(node: DevelopmentNode, post: Post) -> None:
    node.faults.inject(Death(times=1, seconds=0.01))

    with pytest.raises(aiohttp.ClientConnectionError):
        await post(HEIGHT)

    async with asyncio.timeout(50):
        while True:
            try:
                assert (await post(HEIGHT)).json["result"] == "0x0"
                break
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.001)


async def test_die_and_revive_are_idempotent(node: DevelopmentNode, post: Post) -> None:
    await node.die()
    await node.die()
    await node.revive()
    await node.revive()

    assert (await post(HEIGHT)).json["result"] == "0x0"


async def test_port_in_use_is_an_error_on_revival(node: DevelopmentNode) -> None:
    await node.die()
    port = int(node.url.rpartition(":")[2])

    async with DevelopmentNode(port=port):
        with pytest.raises(OSError, match="address already in use"):
            await node.revive()
        assert not node.listening


async def test_same_seed_and_requests_trigger_the_same_faults(
    http: aiohttp.ClientSession,
) -> None:
    statuses = []
    for _ in range(2):
        async with DevelopmentNode(chain=Chain(accounts=1), seed="a") as node:
            node.faults.inject(RateLimit(probability=0.3))
            node.faults.inject(ServerFailure(probability=0.3))
            run = []
            for _ in range(40):
                async with http.post(node.url, data=orjson.dumps(HEIGHT)) as response:
                    run.append(response.status)
            statuses.append(run)

    assert statuses[0] == statuses[1]
    assert {200, 429, 503} == set(statuses[0])
