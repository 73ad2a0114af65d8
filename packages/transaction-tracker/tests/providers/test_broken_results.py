"""A result that cannot be read is requested elsewhere, and counts against its provider."""

from typing import Any

import pytest

from transaction_tracker.providers import Pool
from transaction_tracker.sources import MalformedError, ServerError
from transaction_tracker.sources.ethereum import RpcClient, decode
from transaction_tracker.sources.ethereum.rpc import Dissent, Request
from transaction_tracker.sources.ethereum.url import SecretUrl

from .conftest import MakePool
from .support import (
    Behaviour,
    Node,
    chain_to,
    eventually,
    hash_at,
    link_at,
    normal,
    refusing,
    states,
    status,
    status_of,
)


def read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise MalformedError(f"expected text, got {value!r}")
    return value


RECEIPT = Request("eth_getTransactionReceipt", ("0xab",), read=read_text)
HEAD = Request("eth_getBlockByNumber", ("latest", False), read=decode.link)
BLOCK = Request("eth_getBlockByHash", (hash_at(100), True), read=decode.link)


def sending(result: Any, *methods: str) -> Behaviour:
    """Answer some methods with a result, and all others normally."""

    def behaviour(node: Node, body: Any) -> Any:
        if isinstance(body, list):
            return [behaviour(node, call) for call in body]
        # The calls that identify the chain stay unchanged.
        if body["method"] not in methods or body["params"][:1] == ["0x0"]:
            return normal(node, body)
        return {"jsonrpc": "2.0", "id": body["id"], "result": result}

    return behaviour


async def started(make_pool: MakePool, *nodes: Node, **options: Any) -> Pool:
    pool = await make_pool(*nodes, **options)
    await pool.identity()
    return pool


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "in a batch"])
async def test_unreadable_result_is_requested_from_all_others_in_turn(
    make_pool: MakePool, nodes: list[Node], alone: bool
) -> None:
    pool = await started(make_pool, *nodes)
    nodes[0].behaviour = nodes[1].behaviour = sending({"odd": 1}, RECEIPT.method)
    nodes[2].behaviour = sending("fine", RECEIPT.method)

    results = await pool.batch([RECEIPT] if alone else [RECEIPT, HEAD])

    assert results == ["fine"] if alone else ["fine", link_at(100)]
    # The third can be asked before the second: both are equally good.
    assert nodes[0].calls[RECEIPT.method] == nodes[2].calls[RECEIPT.method] == 1


async def test_call_with_a_server_error_is_sent_to_all_others_in_turn(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await started(make_pool, *nodes)
    nodes[0].behaviour = nodes[1].behaviour = refusing(-32603, "internal error", RECEIPT.method)
    nodes[2].behaviour = sending("fine", RECEIPT.method)

    assert await pool.batch([RECEIPT, HEAD]) == ["fine", link_at(100)]


async def test_first_error_stays_when_no_provider_has_a_readable_result(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await started(make_pool, *nodes)
    for odd, node in enumerate(nodes[:2]):
        node.behaviour = sending({"odd": odd}, RECEIPT.method)

    (result,) = await pool.batch([RECEIPT])

    assert isinstance(result, MalformedError)  # ``null`` from the third proves nothing
    assert "'odd': 0" in str(result)
    assert [node.calls[RECEIPT.method] for node in nodes] == [1, 1, 1]


async def test_call_that_is_not_a_read_is_never_sent_elsewhere(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await started(make_pool, *nodes)
    for node in nodes:
        node.behaviour = sending({"odd": 1}, "eth_sendRawTransaction")

    (result,) = await pool.batch([Request("eth_sendRawTransaction", ("0x",), read=read_text)])

    assert isinstance(result, MalformedError)
    assert [node.calls["eth_sendRawTransaction"] for node in nodes] == [1, 0, 0]


@pytest.mark.parametrize(
    "method",
    ["eth_getTransactionReceipt", "eth_getTransactionByHash", "eth_getBlockReceipts", "eth_call"],
)
async def test_malformed_transaction_pauses_no_provider(
    make_pool: MakePool, nodes: list[Node], method: str
) -> None:
    pool = await started(make_pool, *nodes)
    for node in nodes:
        node.behaviour = sending({"odd": 1}, method)

    for _ in range(5):
        (result,) = await pool.batch([Request(method, ("0xab",), read=read_text)])
        assert isinstance(result, MalformedError)

    assert states(pool) == ["active", "healthy", "healthy"]
    assert [provider.errors for provider in pool.status()] == [{"malformed": 5}] * 3
    assert all(provider.error_rate > 0 for provider in pool.status())
    assert "expected text" in (status_of(pool, 1).last_error or "")


async def test_malformed_transaction_of_one_provider_does_not_pause_it(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await started(make_pool, *nodes)
    nodes[0].behaviour = sending({"odd": 1}, RECEIPT.method)
    nodes[1].behaviour = nodes[2].behaviour = sending("fine", RECEIPT.method)

    for _ in range(5):
        assert await pool.batch([RECEIPT]) == ["fine"]

    assert states(pool)[0] == "active"


@pytest.mark.parametrize("request_", [BLOCK, HEAD], ids=["block", "head"])
async def test_three_unreadable_blocks_that_another_provider_sends_readable_pause(
    make_pool: MakePool, nodes: list[Node], request_: Request
) -> None:
    pool = await started(make_pool, *nodes[:2])
    nodes[0].behaviour = sending({"number": "0x64"}, request_.method)
    nodes[1].blocks[hash_at(100)] = nodes[1].block(100)

    for _ in range(3):
        assert await pool.batch([request_, RECEIPT]) == [link_at(100), None]

    await eventually(lambda: states(pool)[0] == "paused")
    assert await pool.batch([request_]) == [link_at(100)]
    assert states(pool)[1] == "active"
    assert status_of(pool, 1).errors == {"malformed": 3}


@pytest.mark.parametrize("request_", [BLOCK, HEAD], ids=["block", "head"])
@pytest.mark.parametrize("count", [1, 3])
async def test_block_that_all_providers_send_unreadable_pauses_none(
    make_pool: MakePool, nodes: list[Node], request_: Request, count: int
) -> None:
    # From the start: a recent readable head of one provider would count against the others.
    for node in nodes:
        node.behaviour = sending({"number": "0x64"}, request_.method)
    pool = await started(make_pool, *nodes[:count], probe_interval=0.01)

    for _ in range(10):
        (result,) = await pool.batch([request_])
        assert isinstance(result, MalformedError)
    before = nodes[0].requests
    await eventually(lambda: nodes[0].requests > before + 10 or request_ is BLOCK)

    assert "paused" not in states(pool)


async def test_standby_provider_with_unreadable_heads_is_paused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await started(make_pool, *nodes[:2], probe_interval=0.02)

    nodes[1].behaviour = sending({"number": "0x64"}, "eth_getBlockByNumber")

    await eventually(lambda: states(pool)[1] == "paused")
    assert states(pool)[0] != "paused"


async def test_elsewhere_asks_the_others_in_turn_for_missing_results(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await started(make_pool, *nodes)
    await pool.call("eth_blockNumber")
    other = Request("eth_getTransactionByHash", ("0xcd",))
    nodes[0].behaviour = sending("not asked", RECEIPT.method)
    nodes[1].behaviour = sending({"odd": 1}, RECEIPT.method)
    nodes[2].behaviour = sending("fine", RECEIPT.method)

    assert await pool.elsewhere([RECEIPT, other]) == ["fine", None]
    assert nodes[0].calls[RECEIPT.method] == 0

    nodes[1].behaviour, nodes[2].behaviour = status(500), refusing(-32603, "internal error")
    assert await pool.elsewhere([RECEIPT, other]) == [None, None]


async def test_one_other_asks_a_random_other_provider(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await started(make_pool, *nodes)
    await pool.call("eth_blockNumber")
    nodes[1].behaviour, nodes[2].behaviour = (
        sending("second", RECEIPT.method),
        sending("third", RECEIPT.method),
    )

    found = set()
    while found != {"second", "third"}:
        before = sum(node.calls[RECEIPT.method] for node in nodes)
        found |= set(await pool.one_other([RECEIPT]))
        assert sum(node.calls[RECEIPT.method] for node in nodes) == before + 1

    nodes[1].behaviour = nodes[2].behaviour = status(500)
    assert await pool.one_other([RECEIPT]) == [None]


async def test_elsewhere_finds_nothing_with_one_provider(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await started(make_pool, nodes[0])
    await pool.call("eth_blockNumber")

    assert await pool.elsewhere([RECEIPT, RECEIPT]) == [None, None]


async def test_single_node_has_no_others() -> None:
    client = RpcClient(SecretUrl.of("http://127.0.0.1:1"))
    chain = chain_to(100)
    assert chain.tip is not None

    client.follows(chain)

    assert await client.elsewhere([RECEIPT, RECEIPT]) == [None, None]
    assert await client.dissent(chain, [chain.tip.ref]) == Dissent()
    assert client.requests == 0


async def test_server_error_of_all_providers_is_the_result(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await started(make_pool, *nodes)
    for node in nodes:
        node.behaviour = refusing(-32603, "internal error", RECEIPT.method)

    (result,) = await pool.batch([RECEIPT])

    assert isinstance(result, ServerError)
    assert [node.calls[RECEIPT.method] for node in nodes] == [1, 1, 1]
