"""The node over WebSocket: requests, subscriptions, faults."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import orjson
import pytest

from txtrack_devnode import DevelopmentNode
from txtrack_devnode.faults import (
    CutOff,
    Death,
    Hang,
    LaggingHead,
    NotJson,
    RateLimit,
    ServerFailure,
    SilentHeads,
    SlowAnswer,
)

from .support import request

PATIENCE = 50.0


class Client:
    """A WebSocket client that reads one message after another."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, requests: object) -> None:
        await self.socket.send_str(orjson.dumps(requests).decode())

    async def next(self) -> Any:
        return orjson.loads(await self.socket.receive_str(timeout=PATIENCE))

    async def ask(self, method: str, *params: object) -> Any:
        await self.send(request(method, *params))
        answer = await self.next()
        return answer["result"] if "result" in answer else answer["error"]

    async def subscribe(self) -> str:
        name = await self.ask("eth_subscribe", "newHeads")
        assert isinstance(name, str)
        return name

    async def ended(self) -> bool:
        message = await self.socket.receive(timeout=PATIENCE)
        return message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE)


Connect = Callable[[], Awaitable[Client]]


@pytest.fixture
async def connect(node: DevelopmentNode, http: aiohttp.ClientSession) -> AsyncIterator[Connect]:
    clients = []

    async def open_one() -> Client:
        clients.append(Client(await http.ws_connect(node.url.replace("http", "ws"))))
        return clients[-1]

    yield open_one
    for client in clients:
        await client.socket.close()


@pytest.fixture
async def client(connect: Connect) -> Client:
    return await connect()


async def heads(client: Client, count: int) -> list[tuple[str, str]]:
    """Read so many notifications: subscription and block hash of each."""
    seen = []
    for _ in range(count):
        news = await client.next()
        assert news["method"] == "eth_subscription"
        seen.append((news["params"]["subscription"], news["params"]["result"]["hash"]))
    return seen


async def test_requests_and_batches_get_responses(node: DevelopmentNode, client: Client) -> None:
    assert await client.ask("eth_chainId") == "0x7a69"
    assert (await client.ask("eth_getBlockByNumber", "latest", True))["number"] == "0x0"
    await client.send([request("eth_chainId", number=4), request("nope", number=5)])

    answers = await client.next()

    assert [answer["id"] for answer in answers] == [4, 5]
    assert node.counters["eth_chainId"] == 2
    assert node.http_requests == 0


async def test_binary_messages_are_requests(client: Client) -> None:
    await client.socket.send_bytes(orjson.dumps(request("eth_chainId")))

    assert (await client.next())["result"] == "0x7a69"


async def test_notification_gets_no_response(client: Client) -> None:
    await client.send({"jsonrpc": "2.0", "method": "evm_mine"})

    assert await client.ask("eth_blockNumber") == "0x1"


async def test_subscriber_gets_every_new_head(node: DevelopmentNode, client: Client) -> None:
    name = await client.subscribe()

    blocks = node.chain.mine(3)

    assert await heads(client, 3) == [(name, block.hash) for block in blocks]


async def test_head_is_the_block_without_its_transactions(
    node: DevelopmentNode, client: Client
) -> None:
    await client.subscribe()
    node.chain.submit(node.chain.accounts[0])
    await node.mine()

    head = (await client.next())["params"]["result"]

    block = await client.ask("eth_getBlockByNumber", "latest", False)
    left_out = {"size", "transactions", "uncles", "withdrawals"}
    assert head == {key: value for key, value in block.items() if key not in left_out}


async def test_reorg_announces_its_new_blocks_and_rollback_announces_none(
    node: DevelopmentNode, client: Client
) -> None:
    await node.mine(3)
    name = await client.subscribe()

    reorg = node.chain.reorg(2)
    node.chain.rollback(2)
    last = await node.mine()

    assert await heads(client, 4) == [(name, block.hash) for block in (*reorg.added, last)]


async def test_subscription_id_arrives_before_its_first_notification(client: Client) -> None:
    await client.send([request("eth_subscribe", "newHeads"), request("evm_mine", number=2)])

    name = (await client.next())[0]["result"]

    assert [seen for seen, _ in await heads(client, 1)] == [name]


async def test_every_subscriber_gets_notifications(node: DevelopmentNode, connect: Connect) -> None:
    clients = [await connect() for _ in range(3)]
    names = [await client.subscribe() for client in clients]
    names.append(await clients[0].subscribe())

    head = await node.mine()

    assert sorted(await heads(clients[0], 2)) == sorted(
        [(names[0], head.hash), (names[3], head.hash)]
    )
    assert await heads(clients[1], 1) == [(names[1], head.hash)]
    assert await heads(clients[2], 1) == [(names[2], head.hash)]
    assert len(set(names)) == 4


async def test_cancelled_subscription_gets_no_notifications(
    node: DevelopmentNode, client: Client
) -> None:
    first, second = await client.subscribe(), await client.subscribe()

    assert await client.ask("eth_unsubscribe", first) is True
    assert await client.ask("eth_unsubscribe", first) is False
    head = await node.mine()

    assert await heads(client, 1) == [(second, head.hash)]


async def test_disconnected_subscriber_does_not_affect_others(
    node: DevelopmentNode, connect: Connect
) -> None:
    gone, stays = await connect(), await connect()
    await gone.subscribe()
    name = await stays.subscribe()
    await gone.socket.close()

    head = await node.mine()

    assert await heads(stays, 1) == [(name, head.hash)]


async def test_burst_is_delivered_and_a_slow_subscriber_is_disconnected(
    node: DevelopmentNode, connect: Connect
) -> None:
    quick = await connect()
    await quick.subscribe()
    node.chain.mine(2_000)
    assert len(await heads(quick, 2_000)) == 2_000

    node.chain.mine(20_001)

    assert await quick.ended()
    later = await connect()
    assert await later.ask("eth_blockNumber") == hex(22_001)


@pytest.mark.parametrize(
    ("params", "code", "words"),
    [
        (["logs"], -32601, 'no "logs" subscription in eth namespace: only newHeads'),
        ([5], -32602, "the subscription must be a string, got 5"),
        ([], -32602, "missing value"),
        (["newHeads", {}], -32602, "the second parameter must be left out for newHeads"),
    ],
)
async def test_invalid_subscriptions_are_errors(
    client: Client, params: list[object], code: int, words: str
) -> None:
    error = await client.ask("eth_subscribe", *params)

    assert error["code"] == code
    assert words in error["message"]


async def test_subscriptions_per_connection_are_limited(client: Client) -> None:
    for _ in range(100):
        await client.subscribe()

    error = await client.ask("eth_subscribe", "newHeads")

    assert error["message"] == "at most 100 subscriptions per connection"


async def test_invalid_json_is_an_error_and_the_connection_stays_open(client: Client) -> None:
    await client.socket.send_str("{")

    assert (await client.next())["error"]["code"] == -32700
    assert await client.ask("eth_blockNumber") == "0x0"


async def test_message_over_the_limit_closes_the_connection(client: Client) -> None:
    with suppress(ConnectionError):  # it may end before all is sent
        await client.socket.send_str(" " * (5 * 2**20 + 1))

    assert await client.ended()


async def test_stopped_node_sends_a_close_frame(http: aiohttp.ClientSession) -> None:
    async with DevelopmentNode() as node:
        client = Client(await http.ws_connect(node.url.replace("http", "ws")))
        await client.subscribe()
        ended = asyncio.create_task(client.ended())

    assert await ended
    assert client.socket.close_code == aiohttp.WSCloseCode.GOING_AWAY


@pytest.mark.parametrize(
    ("fault", "code"), [(RateLimit(retry_after=1), -32005), (ServerFailure(), -32603)]
)
async def test_status_faults_are_error_objects_over_websocket(
    node: DevelopmentNode, client: Client, fault: RateLimit | ServerFailure, code: int
) -> None:
    node.faults.inject(fault)

    assert (await client.ask("eth_blockNumber"))["code"] == code


async def test_not_json_is_an_html_page_over_websocket(
    node: DevelopmentNode, client: Client
) -> None:
    node.faults.inject(NotJson())
    await client.send(request("eth_blockNumber"))

    with pytest.raises(orjson.JSONDecodeError):
        await client.next()


@pytest.mark.parametrize("fault", [CutOff(), Death(seconds=60)])
async def test_connection_closes_without_a_response(
    node: DevelopmentNode, client: Client, fault: CutOff | Death
) -> None:
    node.faults.inject(fault)
    await client.send(request("eth_blockNumber"))

    assert await client.ended()


async def test_slow_response_does_not_delay_others(node: DevelopmentNode, client: Client) -> None:
    node.faults.inject(SlowAnswer(times=1, seconds=0.05))
    await client.send(request("eth_chainId", number=1))
    await client.send(request("eth_chainId", number=2))

    assert [(await client.next())["id"] for _ in range(2)] == [2, 1]


async def test_hanging_node_sends_no_response_no_notification_and_no_pong(
    node: DevelopmentNode, client: Client
) -> None:
    await client.subscribe()
    node.faults.inject(Hang())
    await client.send(request("eth_blockNumber"))
    await client.socket.ping(b"lost")
    async with asyncio.timeout(PATIENCE):
        while not node.faults.counts["hang"]:
            await asyncio.sleep(0.001)
    await node.mine()
    node.faults.clear()

    assert (await client.next())["result"] == "0x1"
    head = await node.mine()
    assert [seen for _, seen in await heads(client, 1)] == [head.hash]


async def test_pings_are_answered_unless_the_node_hangs(
    node: DevelopmentNode, http: aiohttp.ClientSession
) -> None:
    url = node.url.replace("http", "ws")
    async with http.ws_connect(url, autoping=False) as socket:
        await socket.ping(b"1")
        assert (await socket.receive(timeout=PATIENCE)).data == b"1"

        number = node.faults.inject(Hang())
        await socket.ping(b"2")
        await socket.send_str(orjson.dumps(request("dev_clear", number)).decode())
        assert orjson.loads(await socket.receive_str(timeout=PATIENCE))["result"] == 1

        await socket.ping(b"3")
        assert (await socket.receive(timeout=PATIENCE)).data == b"3"


@pytest.mark.parametrize(
    "fault",
    [
        Hang(methods=frozenset({"eth_call"})),
        Hang(about="0x" + "ab" * 32),
        Hang(times=1),
        Hang(probability=0.5),
    ],
)
async def test_node_with_a_probable_hang_sends_notifications(
    node: DevelopmentNode, client: Client, fault: Hang
) -> None:
    name = await client.subscribe()
    node.faults.inject(fault)

    head = await node.mine()

    assert await heads(client, 1) == [(name, head.hash)]


async def test_silent_heads_affect_only_subscriptions(
    node: DevelopmentNode, client: Client
) -> None:
    name = await client.subscribe()
    number = node.faults.inject(SilentHeads())

    await node.mine(2)
    assert await client.ask("eth_blockNumber") == "0x2"
    node.faults.clear(number)
    head = await node.mine()

    assert await heads(client, 1) == [(name, head.hash)]


async def test_notifications_of_a_lagging_node_lag(node: DevelopmentNode, client: Client) -> None:
    name = await client.subscribe()
    node.faults.inject(LaggingHead(blocks=2))

    blocks = node.chain.mine(4)

    assert await heads(client, 2) == [(name, block.hash) for block in blocks[:2]]
    assert await client.ask("eth_blockNumber") == "0x2"


async def test_reopened_node_has_no_old_subscribers(
    node: DevelopmentNode, connect: Connect
) -> None:
    client = await connect()
    await client.subscribe()
    await node.die()
    assert await client.ended()
    await node.revive()

    again = await connect()
    name = await again.subscribe()
    head = await node.mine()

    assert await heads(again, 1) == [(name, head.hash)]


async def test_nodes_of_one_chain_send_the_same_heads(
    node: DevelopmentNode, client: Client, http: aiohttp.ClientSession
) -> None:
    async with DevelopmentNode(chain=node.chain) as second:
        other = Client(await http.ws_connect(second.url.replace("http", "ws")))
        await client.subscribe()
        await other.subscribe()

        head = await node.mine()

        assert (await heads(client, 1))[0][1] == (await heads(other, 1))[0][1] == head.hash
        await other.socket.close()
