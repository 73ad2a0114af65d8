"""Which chain a provider is on, and what people can do about it."""

import asyncio
import logging
import socket
from typing import Any

import orjson
import pytest

from beamish import Supervisor
from transaction_tracker.domain import BlockRef
from transaction_tracker.providers import Pool, ProviderSettings, health
from transaction_tracker.providers import pool as pool_module
from transaction_tracker.sources import SourceError, TransportError, WrongChainError
from transaction_tracker.sources.ethereum.rpc import Identity

from .conftest import MakePool
from .support import (
    SILENCE,
    Node,
    eventually,
    garbage,
    hang,
    hash_at,
    serving,
    states,
    status,
    status_of,
    well,
)

OTHER = "0x" + "f" * 64


async def looked_at(node: Node) -> None:
    looks = node.asked.total()
    await eventually(lambda: node.asked.total() > looks + 3)


async def test_all_on_one_chain(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes, chain_id=1)

    identity = await pool.identity()

    assert identity == Identity(1, BlockRef(0, nodes[0].genesis))
    assert [one.chain_id for one in pool.status()] == [1, 1, 1]
    assert [one.head for one in pool.status()] == [100, 100, 100]


async def test_one_with_another_number_is_refused_loudly(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    nodes[0].chain_id = 5
    pool = await make_pool(*nodes, chain_id=1)

    await pool.identity()
    await pool.call("eth_getBalance", "0x0", "latest")

    assert states(pool)[0] == "refused"
    assert nodes[0].asked["eth_getBalance"] == 0
    wrong = f"http://127.0.0.1:{nodes[0].port}/… is on chain 5, expected 1"
    assert status_of(pool, 1).last_error == wrong
    errors = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert errors == [f"provider 127.0.0.1-1 is refused: {wrong}"]


async def test_one_with_the_same_number_and_another_first_block_is_refused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].genesis = OTHER
    pool = await make_pool(*nodes)

    await pool.identity()

    assert states(pool)[1] == "refused"
    assert f"block 0 is {OTHER}, expected {nodes[0].genesis}" in (
        status_of(pool, 2).last_error or ""
    )


async def test_without_a_number_most_decide(make_pool: MakePool, nodes: list[Node]) -> None:
    nodes[0].chain_id = 5
    pool = await make_pool(*nodes)

    assert (await pool.identity()).chain_id == 1
    assert states(pool) == ["refused", "healthy", "healthy"]


async def test_most_decide_which_first_block_is_right(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].genesis = OTHER
    pool = await make_pool(*nodes, chain_id=1)

    assert await pool.identity() == Identity(1, BlockRef(0, nodes[1].genesis))
    assert states(pool) == ["refused", "healthy", "healthy"]


@pytest.mark.parametrize("chain_id", [None, 1])
async def test_one_against_one_follows_neither(
    make_pool: MakePool, nodes: list[Node], chain_id: int | None
) -> None:
    nodes[0].genesis = OTHER
    pool = await make_pool(*nodes[:2], chain_id=chain_id)

    expected = (
        f"block 0 is {OTHER} at 127.0.0.1-1, and {nodes[1].genesis} at 127.0.0.1-2; .* remove the "
        "provider that is wrong, or add another one"
    )
    with pytest.raises(WrongChainError, match=expected):
        await pool.identity()
    with pytest.raises(WrongChainError, match=expected):
        await pool.call("eth_blockNumber")
    assert states(pool) == ["unchecked", "unchecked"]


async def test_one_against_one_is_settled_by_the_block_that_the_database_knows(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].genesis = OTHER
    pool = await make_pool(*nodes[:2])
    known = BlockRef(0, nodes[1].genesis)

    assert await pool.identity(0, expected=known) == Identity(1, known)
    assert states(pool) == ["refused", "healthy"]


async def test_all_on_the_wrong_chain(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes, chain_id=5)

    first, _, last = nodes
    expected = f"{first.port}/… is on chain 1, expected 5; .*:{last.port}/… is on"
    with pytest.raises(WrongChainError, match=expected):
        await pool.identity()
    with pytest.raises(WrongChainError):
        await pool.call("eth_blockNumber")


async def test_one_that_cannot_be_reached_does_not_keep_the_others_back(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    away = Node()
    with socket.create_server(("127.0.0.1", 0)) as free:
        away.port = free.getsockname()[1]
    pool = await make_pool(away, nodes[0], look_interval=0.02)

    await pool.identity()
    assert await pool.call("eth_blockNumber") == "0x64"
    assert states(pool)[1] == "active"

    async with serving(away):
        # Its first failures may have paused it for a minute; a check by hand ends that.
        await pool.check("127.0.0.1-1")
        assert states(pool) == ["healthy", "active"]


async def test_one_that_hangs_does_not_keep_the_others_back_for_long(
    make_pool: MakePool, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_VOTE_SECONDS", 0.2)
    nodes[0].mood = hang
    pool = await make_pool(*nodes[:2], deadline=60.0)

    assert (await pool.identity()).chain_id == 1

    assert states(pool) == ["unchecked", "healthy"]


async def test_none_can_be_reached(make_pool: MakePool, nodes: list[Node]) -> None:
    for node in nodes:
        node.mood = status(500)
    pool = await make_pool(*nodes)

    with pytest.raises(TransportError, match="HTTP 500"):
        await pool.identity()


async def test_wrong_ones_and_silent_ones_are_no_wrong_chain(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].mood = status(500)
    pool = await make_pool(*nodes[:2], chain_id=5)

    with pytest.raises(SourceError, match=r"is on chain 1, expected 5.*HTTP 500") as caught:
        await pool.identity()

    assert not isinstance(caught.value, WrongChainError)


@pytest.mark.parametrize("genesis", [None, "0x12", 7, {"hash": 1}])
async def test_one_that_tells_no_first_block_is_not_asked(
    make_pool: MakePool, nodes: list[Node], genesis: Any
) -> None:
    nodes[0].genesis = genesis
    pool = await make_pool(*nodes[:2])

    await pool.identity()

    assert states(pool) == ["unchecked", "healthy"]


async def test_one_that_comes_back_on_another_chain_is_refused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    nodes[0].mood = status(500)
    for _ in range(4):
        await pool.call("eth_blockNumber")
    assert states(pool) == ["paused", "active"]

    nodes[0].mood, nodes[0].chain_id = well, 5
    found = await pool.resume("127.0.0.1-1")

    assert found.state == "refused"
    assert await pool.call("eth_blockNumber") == "0x64"


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SHORTEST_PAUSE", 0.05)


@pytest.mark.usefixtures("short_pauses")
async def test_after_its_pause_it_is_checked_and_stands_by(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pool = await make_pool(*nodes[:2], look_interval=0.01)
    await pool.identity()
    nodes[0].mood = status(500)
    await eventually(lambda: states(pool)[0] == "paused")
    checks = nodes[0].asked["eth_chainId"]
    await eventually(lambda: nodes[0].asked["eth_chainId"] > checks)
    assert states(pool)[0] == "paused"

    nodes[0].mood = well

    await eventually(lambda: states(pool)[0] == "healthy")
    assert "provider 127.0.0.1-1 answers again" in caplog.text


@pytest.mark.usefixtures("short_pauses")
async def test_after_its_pause_one_on_another_chain_is_refused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2], look_interval=0.01)
    await pool.identity()
    nodes[0].mood = status(500)
    await eventually(lambda: states(pool)[0] == "paused")

    nodes[0].mood, nodes[0].genesis = well, OTHER

    await eventually(lambda: states(pool)[0] == "refused")
    assert states(pool)[1] == "healthy"


async def test_a_refused_one_that_was_put_right_is_taken_after_a_check(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].chain_id = 5
    pool = await make_pool(*nodes[:2], chain_id=1)
    await pool.identity()
    nodes[1].chain_id = 1

    assert (await pool.check("127.0.0.1-2")).state == "healthy"


async def test_one_that_fails_its_check_after_a_pause_is_paused_again(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    nodes[0].mood = garbage
    for _ in range(4):
        await pool.call("eth_blockNumber")

    found = await pool.resume("127.0.0.1-1")

    assert found.state == "paused"
    assert found.paused_until is not None


async def test_one_that_is_paused_by_hand_is_left_alone_until_it_is_resumed(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2], look_interval=0.01)
    await pool.identity()
    await pool.call("eth_blockNumber")

    paused = await pool.pause("127.0.0.1-1")
    for _ in range(5):
        await pool.call("eth_blockNumber")
    await looked_at(nodes[1])  # a look at the first may have been under way
    asked = nodes[0].asked.total()
    await looked_at(nodes[1])

    assert (paused.state, paused.by_hand, paused.paused_until) == ("paused", True, None)
    assert nodes[0].asked.total() == asked
    assert states(pool) == ["paused", "active"]
    assert (await pool.resume("127.0.0.1-1")).state == "healthy"


async def test_all_paused_by_hand_are_left_alone(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    await pool.pause("127.0.0.1-1")

    with pytest.raises(SourceError, match="every provider is paused by hand; resume one"):
        await pool.call("eth_blockNumber")


@pytest.mark.parametrize("name", ["nobody", "127.0.0.1-4", "", "127.0.0.1"])
async def test_an_unknown_name_is_answered_with_those_there_are(
    make_pool: MakePool, nodes: list[Node], name: str
) -> None:
    pool = await make_pool(*nodes)

    for ask in (pool.pause, pool.resume, pool.check):
        with pytest.raises(LookupError, match=r"there are 127\.0\.0\.1-1, 127\.0\.0\.1-2"):
            await ask(name)


async def test_a_standing_one_is_looked_at_from_time_to_time(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2], look_interval=0.02)
    await pool.identity()

    nodes[1].head = 107

    await eventually(lambda: status_of(pool, 2).head == 107)
    await eventually(lambda: status_of(pool, 1).lag == 7)


async def test_who_asks_for_another_height_gets_no_check_that_is_nearly_over(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    looked = asyncio.Event()

    def slow_look(node: Node, body: Any) -> Any:
        requests = body if isinstance(body, list) else [body]
        if all(one["params"][:1] != ["latest"] for one in requests):
            return well(node, body)
        node.mood = well
        looked.set()
        return SILENCE

    nodes[0].mood = slow_look
    pool = await make_pool(nodes[0])
    await looked.wait()

    asking = asyncio.ensure_future(pool.identity(7))
    for _ in range(20):
        await asyncio.sleep(0)
    nodes[0].wake()

    assert await asking == Identity(1, BlockRef(7, hash_at(7)))


async def test_a_pool_starts_and_stops_with_its_tree(nodes: list[Node]) -> None:
    pool = Pool([ProviderSettings(node.url) for node in nodes])
    for _ in range(2):
        async with Supervisor.running([pool.child_spec()]):
            assert (await pool.identity()).chain_id == 1

    with pytest.raises(SourceError, match="its process is not there"):
        await pool.call("eth_blockNumber")


async def test_a_tree_that_stops_leaves_no_question_and_no_connection(nodes: list[Node]) -> None:
    for node in nodes:
        node.mood = hang
    pool = Pool([ProviderSettings(node.url) for node in nodes], look_interval=60.0)

    async with Supervisor.running([pool.child_spec()]):
        await eventually(lambda: all(node.asked.total() for node in nodes))
        asking = [asyncio.create_task(pool.call("eth_blockNumber")) for _ in range(3)]
        await asyncio.sleep(0)

    for one in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(one, TransportError)


async def test_facts_are_such_as_json_knows(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].mood = status(500)
    for _ in range(4):
        await pool.call("eth_blockNumber")

    facts = [orjson.loads(orjson.dumps(one.facts())) for one in pool.status()]

    assert [one["paused"] for one in facts] == [True, False, False]
    assert [one["healthy"] for one in facts] == [False, True, True]
    assert facts[0]["errors"] == {"server": 3}
    assert facts[0]["error_rate"] > 0
    assert facts[1]["latency_p50"] <= facts[1]["latency_p95"]
