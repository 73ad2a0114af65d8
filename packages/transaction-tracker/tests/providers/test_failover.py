"""One provider is followed; others stand in when it fails."""

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
    Mood,
    Node,
    eventually,
    garbage,
    hang,
    refusing,
    states,
    status,
    status_of,
    well,
)

HEAD = Request("eth_blockNumber")
BALANCE = Request("eth_getBalance", ("0xab", "latest"))


async def test_the_first_is_followed_and_the_others_stand_by(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()

    for _ in range(5):
        assert await pool.call("eth_getBalance", "0xab", "latest") is None

    assert states(pool) == ["active", "healthy", "healthy"]
    assert [node.asked["eth_getBalance"] for node in nodes] == [5, 0, 0]


@pytest.mark.parametrize(
    "mood",
    [status(500), status(502), status(401), status(404), status(429), garbage],
    ids=["500", "502", "401", "404", "429", "garbage"],
)
async def test_a_call_that_fails_is_asked_once_more_elsewhere(
    make_pool: MakePool, nodes: list[Node], mood: Mood
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].mood, nodes[1].head = mood, 102

    heads = {int(await pool.call("eth_blockNumber"), 16), int((await pool.batch([HEAD]))[0], 16)}

    assert heads <= {100, 102}
    assert states(pool)[0] == "active"
    assert status_of(pool, 1).last_error is not None


async def test_one_that_hangs_is_left_at_the_deadline(
    make_pool: MakePool, nodes: list[Node], clock: Clock
) -> None:
    pool = await make_pool(*nodes[:2], deadline=100.0)
    await pool.identity()
    nodes[0].mood = hang
    asked = nodes[0].asked["eth_blockNumber"]

    calling = asyncio.create_task(pool.call("eth_blockNumber"))
    await eventually(lambda: nodes[0].asked["eth_blockNumber"] > asked)
    clock.advance(100.0)

    assert await calling == "0x64"
    assert status_of(pool, 1).errors == {"transport": 1}


async def test_both_may_fail(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    for node in nodes:
        node.mood = status(500)

    with pytest.raises(ServerError, match="HTTP 500"):
        await pool.call("eth_blockNumber")

    assert [status_of(pool, place).errors for place in (1, 2, 3)].count({"server": 1}) == 2


async def test_what_may_change_something_is_asked_once(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].mood = status(500)

    with pytest.raises(ServerError):
        await pool.call("eth_sendRawTransaction", "0x")

    assert [node.asked["eth_sendRawTransaction"] for node in nodes] == [1, 0, 0]


@pytest.mark.parametrize("mood", [status(500), garbage], ids=["500", "garbage"])
async def test_after_three_failures_in_a_row_another_one_is_followed(
    make_pool: MakePool, nodes: list[Node], mood: Mood, caplog: pytest.LogCaptureFixture
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].mood = mood

    for _ in range(4):
        assert await pool.call("eth_blockNumber") == "0x64"

    assert states(pool)[0] == "paused"
    assert sorted(states(pool)[1:]) == ["active", "healthy"]
    assert nodes[0].asked["eth_blockNumber"] == 3
    warnings = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
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
async def test_refusals_of_single_questions_pause_nobody(
    make_pool: MakePool, nodes: list[Node], code: int, message: str, kind: type[SourceError]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    for node in nodes:
        node.mood = refusing(code, message, "eth_getBalance")

    for _ in range(20):
        with pytest.raises(kind):
            await pool.call("eth_getBalance", "0xab", "latest")
        assert isinstance((await pool.batch([BALANCE, HEAD]))[0], kind)

    assert states(pool) == ["active", "healthy", "healthy"]
    assert [node.asked["eth_getBalance"] for node in nodes] == [40, 0, 0]


async def test_a_bad_item_of_a_batch_does_not_spoil_the_others(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].mood = refusing(-32603, "internal error", "eth_getBalance")

    for _ in range(5):
        bad, head = await pool.batch([BALANCE, HEAD])
        assert isinstance(bad, ServerError)
        assert head == "0x64"

    assert states(pool)[0] == "active"


async def test_when_every_item_of_a_batch_breaks_another_one_is_asked(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].mood = refusing(-32603, "internal error")

    assert await pool.batch([BALANCE, HEAD]) == [None, "0x64"]


async def test_one_that_lags_is_left_when_its_head_is_asked_for(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2], look_interval=0.02)
    await pool.identity()
    nodes[1].head = 104
    await eventually(lambda: status_of(pool, 2).head == 104)

    assert (await pool.call("eth_getBlockByNumber", "latest", False))["number"] == "0x64"
    assert await pool.call("eth_blockNumber") == "0x68"

    assert states(pool) == ["healthy", "active"]
    assert status_of(pool, 1).lag == 4


async def test_one_that_boasts_is_not_believed_by_two_others(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes, look_interval=0.02)
    await pool.identity()
    nodes[2].head = 2**52
    await eventually(lambda: status_of(pool, 3).head == 2**52)

    for _ in range(3):
        await pool.call("eth_blockNumber")

    assert states(pool) == ["active", "healthy", "healthy"]


async def test_a_rate_limit_is_no_reason_to_switch(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    nodes[0].mood = status(429, **{"Retry-After": "30"})

    for _ in range(5):
        assert await pool.call("eth_getBalance", "0xab", "latest") is None

    assert states(pool) == ["active", "healthy"]
    assert nodes[0].asked["eth_getBalance"] == 1  # it wants to be left alone for 30 s
    assert nodes[1].asked["eth_getBalance"] == 5


async def test_when_all_want_to_be_left_alone_the_caller_hears_for_how_long(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    nodes[0].mood = status(429, **{"Retry-After": "30"})

    with pytest.raises(RateLimitedError):
        await pool.call("eth_blockNumber")
    with pytest.raises(RateLimitedError, match="rate limited; retrying") as caught:
        await pool.call("eth_blockNumber")

    assert caught.value.retry_after == pytest.approx(30, abs=2)


async def test_when_all_are_paused_whoever_answers_a_check_is_followed(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    for node in nodes[:2]:
        node.mood = status(500)
    for _ in range(3):
        with pytest.raises(SourceError):
            await pool.call("eth_blockNumber")
    assert states(pool) == ["paused", "paused"]

    nodes[1].mood = well

    assert await pool.call("eth_blockNumber") == "0x64"
    assert states(pool) == ["paused", "active"]


async def test_the_only_one_is_asked_again_though_it_is_paused(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    nodes[0].mood = status(500)
    for _ in range(5):
        with pytest.raises(ServerError):
            await pool.call("eth_blockNumber")
    assert states(pool) == ["paused"]

    nodes[0].mood = well

    assert await pool.call("eth_blockNumber") == "0x64"
    assert states(pool) == ["active"]


async def test_one_whose_process_is_gone_is_not_waited_for(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    pid = GenServer.whereis(f"{PROVIDERS}.127.0.0.1-1")
    assert pid is not None

    process.exit(pid, "kill")

    assert await pool.call("eth_blockNumber") == "0x64"
    await eventually(lambda: GenServer.whereis(f"{PROVIDERS}.127.0.0.1-1") not in (None, pid))


async def test_who_waits_when_the_process_dies_hears_it_and_asks_elsewhere(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes[:2])
    await pool.identity()
    before = nodes[0].asked["eth_blockNumber"]
    nodes[0].mood = hang
    asking = asyncio.create_task(pool.call("eth_blockNumber"))
    await eventually(lambda: nodes[0].asked["eth_blockNumber"] > before)
    pid = GenServer.whereis(f"{PROVIDERS}.127.0.0.1-1")
    assert pid is not None

    process.exit(pid, "kill")

    assert await asking == "0x64"


async def test_without_its_processes_a_pool_says_so(nodes: list[Node]) -> None:
    pool = Pool([ProviderSettings(nodes[0].url)])

    with pytest.raises(TransportError, match="its process is not there"):
        await pool.call("eth_blockNumber")


async def test_seek_asks_one_after_another_until_one_knows(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].mood = refusing(-32000, "header not found", "eth_getBlockByHash")
    nodes[2].blocks["0xab"] = {"number": "0x1"}

    assert await pool.seek("eth_getBlockByHash", "0xab", True) == {"number": "0x1"}
    assert await pool.seek("eth_getBlockByHash", "0xcd", True) is None


async def test_seek_goes_on_past_one_that_fails(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    nodes[0].mood = status(500)
    nodes[2].blocks["0xab"] = {"number": "0x1"}

    assert await pool.seek("eth_getBlockByHash", "0xab", True) == {"number": "0x1"}
    assert await pool.seek("eth_getBlockByHash", "0xcd", True) is None


async def test_seek_fails_when_nobody_answers(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    for node in nodes:
        node.mood = status(500)

    with pytest.raises(ServerError):
        await pool.seek("eth_getBlockByHash", "0xab", True)


async def test_everywhere_asks_all_that_are_healthy(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(*nodes)
    await pool.identity()
    await pool.pause("127.0.0.1-2")
    nodes[2].mood = status(500)

    first, last = await pool.everywhere([BALANCE, HEAD])

    assert first == [None, "0x64"]
    assert [type(one) for one in last] == [ServerError, ServerError]
    assert nodes[1].asked["eth_getBalance"] == 0


async def test_everywhere_fails_when_there_is_nobody(
    make_pool: MakePool, nodes: list[Node]
) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    await pool.pause("127.0.0.1-1")

    with pytest.raises(SourceError, match="every provider is paused by hand; resume one"):
        await pool.everywhere([HEAD])


async def test_nothing_is_asked_for_an_empty_batch(make_pool: MakePool, nodes: list[Node]) -> None:
    pool = await make_pool(nodes[0])
    await pool.identity()
    before = pool.requests

    assert await pool.batch([]) == []
    assert pool.requests == before


async def test_a_single_provider_that_is_heard_of_costs_no_looks(
    make_pool: MakePool, nodes: list[Node], clock: Clock
) -> None:
    pool = await make_pool(nodes[0], look_interval=1_000.0)
    await pool.identity()
    before = pool.requests

    for _ in range(30):
        clock.advance(500.0)
        await pool.call("eth_blockNumber")

    assert pool.requests == before + 30
