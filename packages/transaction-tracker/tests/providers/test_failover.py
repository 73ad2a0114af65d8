"""Failover: one provider is followed, and others are used when it fails."""

import asyncio
import logging

import pytest

from beamish import GenServer, process
from transaction_tracker.providers import PROVIDERS, Pool, ProviderSettings
from transaction_tracker.sources import (
    ApplicationError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
)
from transaction_tracker.sources.ethereum.rpc import Request

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .conftest import MakePool
from .support import (
    Behaviour,
    Node,
    eventually,
    garbage,
    hang,
    normal,
    refusing,
    states,
    status,
    status_of,
)

HEAD = Request("eth_blockNumber")
BALANCE = Request("eth_getBalance", ("0xab", "latest"))


async def test_first_provider_is_followed_and_the_others_are_on_standby(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()

    for _ in range(5):
        assert await pool.call("eth_getBalance", "0xab", "latest") is None

    assert states(pool) == ["active", "healthy", "healthy"]
    assert [node.calls["eth_getBalance"] for node in nodes] == [5, 0, 0]


@pytest.mark.parametrize(
    "behaviour",
    [status(500), status(502), status(401), status(404), status(429), garbage],
    ids=["500", "502", "401", "404", "429", "garbage"],
)
async def test_failed_call_is_retried_once_at_another_provider(
    make_pool: MakePool, nodes: list[Node], behaviour: Behaviour
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].behaviour, nodes[1].head = behaviour, 102

    heads = {int(await pool.call("eth_blockNumber"), 16), int((await pool.batch([HEAD]))[0], 16)}

    assert heads <= {100, 102}
    assert states(pool)[0] == "active"
    assert status_of(pool, 1).last_error is not None


async def test_hanging_provider_is_abandoned_at_the_deadline(
    make_pool: MakePool, nodes: list[Node], clock: Clock
) -> None:
    pool = await make_pool(*nodes[:2], deadline=100.0)
    await pool.identity()
    nodes[0].behaviour = hang
    before = nodes[0].calls["eth_blockNumber"]

    task = asyncio.create_task(pool.call("eth_blockNumber"))
    await eventually(lambda: nodes[0].calls["eth_blockNumber"] > before)
    await clock.advance_awake(task.done)

    assert await task == "0x64"
    assert status_of(pool, 1).errors == {"transport": 1}


async def test_error_is_raised_if_the_second_provider_fails_too(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    for node in nodes:
        node.behaviour = status(500)

    with pytest.raises(ServerError, match="HTTP 500"):
        await pool.call("eth_blockNumber")

    assert [status_of(pool, position).errors for position in (1, 2, 3)].count({"server": 1}) == 2


async def test_call_that_can_change_state_is_sent_once(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].behaviour = status(500)

    with pytest.raises(ServerError):
        await pool.call("eth_sendRawTransaction", "0x")

    assert [node.calls["eth_sendRawTransaction"] for node in nodes] == [1, 0, 0]


@pytest.mark.parametrize("behaviour", [status(500), garbage], ids=["500", "garbage"])
async def test_another_provider_is_followed_after_three_failures_in_a_row(
    make_pool: MakePool, nodes: list[Node], behaviour: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].behaviour = behaviour

    for _ in range(4):
        assert await pool.call("eth_blockNumber") == "0x64"

    assert states(pool)[0] == "paused"
    assert sorted(states(pool)[1:]) == ["active", "healthy"]
    assert nodes[0].calls["eth_blockNumber"] == 3
    warnings = [
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    ]
    assert "127.0.0.1-1 is paused for 60 s" in warnings[0]
    assert "127.0.0.1-1 is paused: following 127.0.0.1-" in warnings[1]
    assert len(warnings) == 2


# OpenZeppelin Relayer#681: one class of error paused every provider.
@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (3, "execution reverted", ApplicationError),
        (-32602, "invalid argument", ApplicationError),
        (-32601, "method not found", ApplicationError),
        (-32000, "header not found", NotYetError),
        (-32000, "transaction indexing is in progress", NotYetError),
    ],
)
async def test_refusals_of_single_requests_pause_no_provider(
    make_pool: MakePool, nodes: list[Node], code: int, message: str, kind: type[SourceError]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    for node in nodes:
        node.behaviour = refusing(code, message, "eth_getBalance")

    for _ in range(20):
        with pytest.raises(kind):
            await pool.call("eth_getBalance", "0xab", "latest")
        assert isinstance((await pool.batch([BALANCE, HEAD]))[0], kind)

    assert states(pool) == ["active", "healthy", "healthy"]
    assert [node.calls["eth_getBalance"] for node in nodes] == [40, 0, 0]


async def test_failed_call_of_a_batch_does_not_affect_the_others(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].behaviour = refusing(-32603, "internal error", "eth_getBalance")

    for _ in range(5):
        bad, head = await pool.batch([BALANCE, HEAD])
        assert isinstance(bad, ServerError)
        assert head == "0x64"

    assert states(pool)[0] == "active"


async def test_batch_is_retried_at_another_provider_when_every_call_fails(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].behaviour = refusing(-32603, "internal error")

    assert await pool.batch([BALANCE, HEAD]) == [None, "0x64"]


async def test_lagging_provider_is_replaced_when_its_head_is_requested(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])  # no probe shows that the first one is behind
    await pool.identity()
    nodes[1].head = 104
    assert (await pool.check("127.0.0.1-2")).head == 104

    assert (await pool.call("eth_getBlockByNumber", "latest", False))["number"] == "0x64"
    assert await pool.call("eth_blockNumber") == "0x68"

    assert states(pool) == ["healthy", "active"]
    assert status_of(pool, 1).lag == 4


async def test_claim_of_a_far_head_by_one_provider_of_three_is_ignored(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes, probe_interval=0.02)
    await pool.identity()
    nodes[2].head = 2**52
    await eventually(lambda: status_of(pool, 3).head == 2**52)

    for _ in range(3):
        await pool.call("eth_blockNumber")

    assert states(pool) == ["active", "healthy", "healthy"]


async def test_rate_limit_does_not_cause_a_switch(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    nodes[0].behaviour = status(429, **{"Retry-After": "30"})

    for _ in range(5):
        assert await pool.call("eth_getBalance", "0xab", "latest") is None

    assert states(pool) == ["active", "healthy"]
    assert nodes[0].calls["eth_getBalance"] == 1  # the response asked for a pause of 30 s
    assert nodes[1].calls["eth_getBalance"] == 5


async def test_rate_limit_of_the_only_provider_is_raised_with_its_retry_time(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    nodes[0].behaviour = status(429, **{"Retry-After": "30"})

    with pytest.raises(RateLimitedError):
        await pool.call("eth_blockNumber")
    with pytest.raises(RateLimitedError, match="rate limited; retrying") as caught:
        await pool.call("eth_blockNumber")

    assert caught.value.retry_after == pytest.approx(30, abs=2)


async def test_provider_that_passes_a_check_is_followed_when_all_are_paused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    for node in nodes[:2]:
        node.behaviour = status(500)
    for _ in range(3):
        with pytest.raises(SourceError):
            await pool.call("eth_blockNumber")
    assert states(pool) == ["paused", "paused"]

    nodes[1].behaviour = normal

    assert await pool.call("eth_blockNumber") == "0x64"
    assert states(pool) == ["paused", "active"]


async def test_only_provider_is_used_again_although_it_is_paused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    nodes[0].behaviour = status(500)
    for _ in range(5):
        with pytest.raises(ServerError):
            await pool.call("eth_blockNumber")
    assert states(pool) == ["paused"]

    nodes[0].behaviour = normal

    assert await pool.call("eth_blockNumber") == "0x64"
    assert states(pool) == ["active"]


async def test_call_does_not_wait_for_a_provider_whose_process_ended(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    pid = GenServer.whereis(f"{PROVIDERS}.127.0.0.1-1")
    assert pid is not None

    process.exit(pid, "kill")

    assert await pool.call("eth_blockNumber") == "0x64"
    await eventually(lambda: GenServer.whereis(f"{PROVIDERS}.127.0.0.1-1") not in (None, pid))


async def test_call_in_flight_is_retried_elsewhere_when_the_process_ends(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    before = nodes[0].calls["eth_blockNumber"]
    nodes[0].behaviour = hang
    task = asyncio.create_task(pool.call("eth_blockNumber"))
    await eventually(lambda: nodes[0].calls["eth_blockNumber"] > before)
    pid = GenServer.whereis(f"{PROVIDERS}.127.0.0.1-1")
    assert pid is not None

    process.exit(pid, "kill")

    assert await task == "0x64"


async def test_pool_without_its_processes_raises_an_error(nodes: list[Node]) -> None:
    pool = Pool([ProviderSettings(nodes[0].url)])

    with pytest.raises(TransportError, match="its process is not running"):
        await pool.call("eth_blockNumber")


async def test_seek_asks_providers_in_turn_until_one_has_a_result(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].behaviour = refusing(-32000, "header not found", "eth_getBlockByHash")
    nodes[2].blocks["0xab"] = {"number": "0x1"}

    assert await pool.seek("eth_getBlockByHash", "0xab", True) == {"number": "0x1"}
    assert await pool.seek("eth_getBlockByHash", "0xcd", True) is None


async def test_seek_continues_after_a_provider_that_fails(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].behaviour = status(500)
    nodes[2].blocks["0xab"] = {"number": "0x1"}

    assert await pool.seek("eth_getBlockByHash", "0xab", True) == {"number": "0x1"}
    assert await pool.seek("eth_getBlockByHash", "0xcd", True) is None


async def test_seek_fails_when_every_provider_fails(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    for node in nodes:
        node.behaviour = status(500)

    with pytest.raises(ServerError):
        await pool.seek("eth_getBlockByHash", "0xab", True)


async def test_everywhere_asks_all_healthy_providers(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    await pool.pause("127.0.0.1-2")
    nodes[2].behaviour = status(500)

    first, last = await pool.everywhere([BALANCE, HEAD])

    assert first == [None, "0x64"]
    assert [type(result) for result in last] == [ServerError, ServerError]
    assert nodes[1].calls["eth_getBalance"] == 0


async def test_everywhere_fails_without_a_healthy_provider(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    await pool.pause("127.0.0.1-1")

    with pytest.raises(SourceError, match="every provider is paused by hand; resume one"):
        await pool.everywhere([HEAD])


async def test_no_request_is_sent_for_an_empty_batch(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    before = pool.requests

    assert await pool.batch([]) == []
    assert pool.requests == before


async def test_single_provider_in_use_is_not_probed(
    make_pool: MakePool, nodes: list[Node], clock: Clock
) -> None:
    pool = await make_pool(nodes[0], probe_interval=1_000.0)
    await pool.identity()
    before = pool.requests

    for _ in range(30):
        clock.advance(500.0)
        await pool.call("eth_blockNumber")

    assert pool.requests == before + 30


@pytest.mark.parametrize(("seconds", "state"), [(200.0, "paused"), (400.0, "active")])
async def test_provider_is_paused_after_three_incomplete_blocks_in_ten_minutes(
    make_pool: MakePool, nodes: list[Node], clock: Clock, seconds: float, state: str
) -> None:
    pool = await make_pool(*nodes[:2], probe_interval=10_000.0)
    await pool.identity()

    for number in (100, 101, 101, 102):
        pool.left_out(pool.status()[0].name, number)
        await pool.call("eth_blockNumber")  # the provider has counted the block before it replies
        clock.advance(seconds if number != 101 else seconds / 2)

    assert states(pool)[0] == state
