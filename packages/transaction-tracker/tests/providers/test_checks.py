"""Checks of the chain that a provider is on, and the commands to pause, resume and check."""

import asyncio
import logging
from dataclasses import replace
from typing import Any

import orjson
import pytest

from beamish import Supervisor
from transaction_tracker.domain import BlockRef
from transaction_tracker.providers import Pool, ProviderSettings, chain_check, health
from transaction_tracker.sources import SourceError, TransportError, WrongChainError
from transaction_tracker.sources.ethereum.rpc import Identity

from ..listening import free_port  # noqa: TID252 - for all tests of the package
from .conftest import MakePool
from .support import (
    NO_RESPONSE,
    Node,
    eventually,
    garbage,
    hang,
    hash_at,
    normal,
    serving,
    states,
    status,
    status_of,
)

OTHER = "0x" + "f" * 64


async def probed(node: Node) -> None:
    before = node.calls.total()
    await eventually(lambda: node.calls.total() > before + 3)


async def test_all_providers_on_one_chain_are_accepted(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes, chain_id=1)

    identity = await pool.identity()

    assert identity == Identity(1, BlockRef(0, nodes[0].genesis))
    assert [provider.chain_id for provider in pool.status()] == [1, 1, 1]
    assert [provider.head for provider in pool.status()] == [100, 100, 100]


async def test_provider_with_another_chain_id_is_refused_and_logged(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    nodes[0].chain_id = 5
    pool = await make_pool(*nodes, chain_id=1)

    await pool.identity()
    await pool.call("eth_getBalance", "0x0", "latest")

    assert states(pool)[0] == "refused"
    assert nodes[0].calls["eth_getBalance"] == 0
    wrong = f"http://127.0.0.1:{nodes[0].port}/… is on chain 5, expected 1"
    assert status_of(pool, 1).last_error == wrong
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == [f"provider 127.0.0.1-1 is refused: {wrong}"]


async def test_provider_with_another_first_block_is_refused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].genesis = OTHER
    pool = await make_pool(*nodes)

    await pool.identity()

    assert states(pool)[1] == "refused"
    assert f"block 0 is {OTHER}, expected {nodes[0].genesis}" in (
        status_of(pool, 2).last_error or ""
    )


async def test_majority_decides_without_a_chain_id(make_pool: MakePool, nodes: list[Node]) -> None:
    nodes[0].chain_id = 5
    pool = await make_pool(*nodes)

    assert (await pool.identity()).chain_id == 1
    assert states(pool) == ["refused", "healthy", "healthy"]


async def test_majority_decides_which_first_block_is_right(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].genesis = OTHER
    pool = await make_pool(*nodes, chain_id=1)

    assert await pool.identity() == Identity(1, BlockRef(0, nodes[1].genesis))
    assert states(pool) == ["refused", "healthy", "healthy"]


@pytest.mark.parametrize("chain_id", [None, 1])
async def test_no_provider_is_followed_when_two_disagree(
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


async def test_block_in_the_database_decides_between_two_providers(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].genesis = OTHER
    pool = await make_pool(*nodes[:2])
    known = BlockRef(0, nodes[1].genesis)

    assert await pool.identity(0, expected=known) == Identity(1, known)
    assert states(pool) == ["refused", "healthy"]


async def test_all_providers_on_the_wrong_chain_are_an_error(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes, chain_id=5)

    first, _, last = nodes
    expected = f"{first.port}/… is on chain 1, expected 5; .*:{last.port}/… is on"
    with pytest.raises(WrongChainError, match=expected):
        await pool.identity()
    with pytest.raises(WrongChainError):
        await pool.call("eth_blockNumber")


async def test_unreachable_provider_does_not_delay_the_others(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    unreachable = Node()
    unreachable.port = free_port()
    pool = await make_pool(unreachable, nodes[0], probe_interval=0.02)

    await pool.identity()
    assert await pool.call("eth_blockNumber") == "0x64"
    assert states(pool)[1] == "active"

    async with serving(unreachable):
        # Its first failures can have paused it for a minute; a check by hand ends the pause.
        await pool.check("127.0.0.1-1")
        assert states(pool) == ["healthy", "active"]


async def test_hanging_provider_delays_the_others_only_briefly(
    make_pool: MakePool, nodes: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain_check, "_VOTE_SECONDS", 0.2)
    nodes[0].behaviour = hang
    pool = await make_pool(*nodes[:2], deadline=60.0)

    assert (await pool.identity()).chain_id == 1

    assert states(pool) == ["unchecked", "healthy"]


async def test_failure_of_all_providers_is_raised(make_pool: MakePool, nodes: list[Node]) -> None:
    for node in nodes:
        node.behaviour = status(500)
    pool = await make_pool(*nodes)

    with pytest.raises(TransportError, match="HTTP 500"):
        await pool.identity()


async def test_wrong_and_failing_providers_together_are_not_a_wrong_chain(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].behaviour = status(500)
    pool = await make_pool(*nodes[:2], chain_id=5)

    with pytest.raises(SourceError, match=r"is on chain 1, expected 5.*HTTP 500") as caught:
        await pool.identity()

    assert not isinstance(caught.value, WrongChainError)


@pytest.mark.parametrize("genesis", [None, "0x12", 7, {"hash": 1}])
async def test_provider_without_a_valid_first_block_is_not_used(
    make_pool: MakePool, nodes: list[Node], genesis: Any
) -> None:
    nodes[0].genesis = genesis
    pool = await make_pool(*nodes[:2])

    await pool.identity()

    assert states(pool) == ["unchecked", "healthy"]


async def test_provider_that_returns_on_another_chain_is_refused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    nodes[0].behaviour = status(500)
    for _ in range(4):
        await pool.call("eth_blockNumber")
    assert states(pool) == ["paused", "active"]

    nodes[0].behaviour, nodes[0].chain_id = normal, 5
    found = await pool.resume("127.0.0.1-1")

    assert found.state == "refused"
    assert await pool.call("eth_blockNumber") == "0x64"


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PAUSES", replace(health.PAUSES, initial=0.05))


@pytest.mark.usefixtures("short_pauses")
async def test_provider_is_checked_after_its_pause_and_becomes_healthy(
    make_pool: MakePool, nodes: list[Node], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pool = await make_pool(*nodes[:2], probe_interval=0.01)
    await pool.identity()
    nodes[0].behaviour = status(500)
    await eventually(lambda: states(pool)[0] == "paused")
    checks = nodes[0].calls["eth_chainId"]
    await eventually(lambda: nodes[0].calls["eth_chainId"] > checks)
    assert states(pool)[0] == "paused"

    nodes[0].behaviour = normal

    await eventually(lambda: states(pool)[0] == "healthy")
    assert "provider 127.0.0.1-1 answers again" in caplog.text


@pytest.mark.usefixtures("short_pauses")
async def test_provider_on_another_chain_is_refused_after_its_pause(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2], probe_interval=0.01)
    await pool.identity()
    nodes[0].behaviour = status(500)
    await eventually(lambda: states(pool)[0] == "paused")

    nodes[0].behaviour, nodes[0].genesis = normal, OTHER

    await eventually(lambda: states(pool)[0] == "refused")
    assert states(pool)[1] == "healthy"


async def test_repaired_provider_is_accepted_by_a_check(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[1].chain_id = 5
    pool = await make_pool(*nodes[:2], chain_id=1)
    await pool.identity()
    nodes[1].chain_id = 1

    assert (await pool.check("127.0.0.1-2")).state == "healthy"


@pytest.mark.parametrize("command", ["check", "resume"])
async def test_command_is_not_answered_by_a_check_that_began_before_it(
    make_pool: MakePool, nodes: list[Node], command: str
) -> None:
    nodes[0].behaviour = hang
    pool = await make_pool(nodes[0], chain_id=1)
    await eventually(lambda: nodes[0].requests)  # its first check is in flight

    nodes[0].behaviour = normal
    repaired = asyncio.ensure_future(getattr(pool, command)("127.0.0.1-1"))
    for _ in range(20):
        await asyncio.sleep(0)
    nodes[0].release()  # the first check fails

    assert (await repaired).state == "healthy"


async def test_search_for_problems_does_not_find_one_of_a_check_that_began_before_it(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    nodes[0].behaviour = hang
    pool = await make_pool(nodes[0], chain_id=1)
    await eventually(lambda: nodes[0].requests)

    nodes[0].behaviour = normal
    search = asyncio.ensure_future(pool.find_problems())
    for _ in range(20):
        await asyncio.sleep(0)
    nodes[0].release()

    assert await search == {}


async def test_provider_that_fails_its_check_after_a_pause_is_paused_again(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    nodes[0].behaviour = garbage
    for _ in range(4):
        await pool.call("eth_blockNumber")

    found = await pool.resume("127.0.0.1-1")

    assert found.state == "paused"
    assert found.paused_until is not None


async def test_provider_paused_by_hand_gets_no_requests_until_resumed(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2], probe_interval=0.01)
    await pool.identity()
    await pool.call("eth_blockNumber")

    paused = await pool.pause("127.0.0.1-1")
    for _ in range(5):
        await pool.call("eth_blockNumber")
    await probed(nodes[1])  # a probe of the first node can still be in flight
    before = nodes[0].calls.total()
    await probed(nodes[1])

    assert (paused.state, paused.by_hand, paused.paused_until) == ("paused", True, None)
    assert nodes[0].calls.total() == before
    assert states(pool) == ["paused", "active"]
    assert (await pool.resume("127.0.0.1-1")).state == "healthy"


async def test_providers_that_are_all_paused_by_hand_are_not_checked(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    await pool.pause("127.0.0.1-1")

    with pytest.raises(SourceError, match="every provider is paused by hand; resume one"):
        await pool.call("eth_blockNumber")


@pytest.mark.parametrize("name", ["unknown", "127.0.0.1-4", "", "127.0.0.1"])
async def test_error_for_an_unknown_name_lists_the_known_names(
    make_pool: MakePool, nodes: list[Node], name: str
) -> None:
    pool = await make_pool(*nodes)

    for command in (pool.pause, pool.resume, pool.check):
        with pytest.raises(LookupError, match=r"there are 127\.0\.0\.1-1, 127\.0\.0\.1-2"):
            await command(name)


async def test_standby_provider_is_probed_at_each_interval(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2], probe_interval=0.02)
    await pool.identity()

    nodes[1].head = 107

    await eventually(lambda: status_of(pool, 2).head == 107)
    await eventually(lambda: status_of(pool, 1).lag == 7)


async def test_identity_at_another_height_is_not_answered_by_an_ending_check(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    probe_sent = asyncio.Event()

    def slow_probe(node: Node, body: Any) -> Any:
        requests = body if isinstance(body, list) else [body]
        if all(call["params"][:1] != ["latest"] for call in requests):
            return normal(node, body)
        node.behaviour = normal
        probe_sent.set()
        return NO_RESPONSE

    nodes[0].behaviour = slow_probe
    pool = await make_pool(nodes[0])
    await probe_sent.wait()

    task = asyncio.ensure_future(pool.identity(7))
    for _ in range(20):
        await asyncio.sleep(0)
    nodes[0].release()

    assert await task == Identity(1, BlockRef(7, hash_at(7)))


async def test_pool_starts_and_stops_with_its_tree(nodes: list[Node]) -> None:
    pool = Pool([ProviderSettings(node.url) for node in nodes])
    for _ in range(2):
        async with Supervisor.running([pool.child_spec()]):
            assert (await pool.identity()).chain_id == 1

    with pytest.raises(SourceError, match="its process is not running"):
        await pool.call("eth_blockNumber")


async def test_stopped_tree_leaves_no_request_and_no_connection(nodes: list[Node]) -> None:
    for node in nodes:
        node.behaviour = hang
    pool = Pool([ProviderSettings(node.url) for node in nodes], probe_interval=60.0)

    async with Supervisor.running([pool.child_spec()]):
        await eventually(lambda: all(node.calls.total() for node in nodes))
        tasks = [asyncio.create_task(pool.call("eth_blockNumber")) for _ in range(3)]
        await asyncio.sleep(0)

    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, TransportError)


async def test_facts_can_be_encoded_as_json(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].behaviour = status(500)
    for _ in range(4):
        await pool.call("eth_blockNumber")

    facts = [orjson.loads(orjson.dumps(provider.facts())) for provider in pool.status()]

    assert [provider["paused"] for provider in facts] == [True, False, False]
    assert [provider["healthy"] for provider in facts] == [False, True, True]
    assert facts[0]["errors"] == {"server": 3}
    assert facts[0]["error_rate"] > 0
    assert facts[1]["latency_p50"] <= facts[1]["latency_p95"]
