"""Failover between two real nodes with the same chain."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from beamish.testing import StartSupervised
from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.providers import Pool, ProviderSettings
from transaction_tracker.sources import WrongChainError
from transaction_tracker.sources.ethereum import EthereumSource

from ..clock import Clock  # noqa: TID252 - for all tests of the package
from .anvil import Twin, twin
from .support import eventually, history, reach

pytestmark = pytest.mark.anvil

GENESIS = 1_900_000_000


@pytest.fixture
async def twins() -> AsyncIterator[tuple[Twin, Twin]]:
    async with twin(GENESIS) as first, twin(GENESIS) as second:
        yield first, second


def settings(*nodes: Twin) -> list[ProviderSettings]:
    return [ProviderSettings(node.url, deadline=100.0) for node in nodes]


def states(pool: Pool) -> list[str]:
    return [status.state for status in pool.status()]


MakePool = Callable[..., Awaitable[Pool]]


@pytest.fixture
def make_pool(start_supervised: StartSupervised) -> MakePool:
    async def make(*nodes: Twin, probe_interval: float = 60.0) -> Pool:
        pool = Pool(settings(*nodes), chain_id=31337, probe_interval=probe_interval)
        await start_supervised(pool.child_spec())
        await pool.identity()
        return pool

    return make


async def grow(nodes: tuple[Twin, ...], *heights: int) -> None:
    for height in heights:
        for node in nodes:
            await node.mine_at(GENESIS + 12 * height)


async def test_pool_switches_to_the_other_node_when_one_dies(
    make_pool: MakePool, twins: tuple[Twin, Twin]
) -> None:
    first, second = twins
    keys = [await node.pay(0, 1) for node in twins]
    await grow(twins, 1, 2)
    source = EthereumSource(await make_pool(*twins), chain_id=31337)
    await source.check()
    before = await source.head()

    await first.die()
    after = await source.head()

    assert keys[0] == keys[1]
    assert after.link == before.link
    assert (await source.block(before.link.ref)).link == before.link
    assert second.url != first.url


async def test_hanging_node_is_left_and_resumed_by_an_operator(
    make_pool: MakePool, twins: tuple[Twin, Twin], clock: Clock
) -> None:
    first, _ = twins
    await grow(twins, 1)
    pool = await make_pool(*twins, probe_interval=1e6)
    await pool.call("eth_blockNumber")

    first.hang()
    sent = pool.status()[0].requests
    calls = [asyncio.create_task(pool.call("eth_blockNumber")) for _ in range(3)]
    # All of them, so that their deadlines pass together: failures a minute apart cause no pause.
    await eventually(lambda: pool.status()[0].requests == sent + 3)
    # Only until the hanging requests have failed: from then on, the other node has real time.
    await clock.advance_awake(lambda: pool.status()[0].errors == {"transport": 3})
    assert await asyncio.gather(*calls) == ["0x1"] * 3
    assert await pool.call("eth_blockNumber") == "0x1"
    assert states(pool) == ["paused", "active"]

    first.wake()
    assert (await pool.resume("127.0.0.1-1")).state == "healthy"
    assert await pool.call("eth_blockNumber") == "0x1"
    assert states(pool) == ["healthy", "active"]


async def test_lagging_node_is_left(make_pool: MakePool, twins: tuple[Twin, Twin]) -> None:
    _, second = twins
    await grow(twins, 1)
    pool = await make_pool(*twins, probe_interval=0.05)
    await pool.call("eth_blockNumber")

    await grow((second,), 2, 3, 4, 5)
    await eventually(lambda: pool.status()[1].head == 5)
    await pool.call("eth_blockNumber")

    assert await pool.call("eth_blockNumber") == "0x5"
    assert states(pool) == ["healthy", "active"]


async def test_node_with_another_genesis_is_refused(
    make_pool: MakePool, twins: tuple[Twin, Twin]
) -> None:
    async with twin(GENESIS + 1) as stranger:
        pool = await make_pool(*twins, stranger)

        assert states(pool) == ["healthy", "healthy", "refused"]


async def test_wrong_chain_id_of_all_nodes_raises(
    start_supervised: StartSupervised, twins: tuple[Twin, Twin]
) -> None:
    pool = Pool(settings(*twins), chain_id=1)
    await start_supervised(pool.child_spec())

    with pytest.raises(WrongChainError, match=r"is on chain 31337, expected 1;"):
        await EthereumSource(pool, chain_id=1).check()


# -- With the whole application


@pytest.fixture
async def app(
    twins: tuple[Twin, Twin], tmp_path: Path
) -> AsyncIterator[TransactionTrackerApplication]:
    chosen = Settings(
        providers=tuple(settings(*twins)),
        chain_id=31337,
        confirmations=3,
        database=tmp_path / "test.db",
        poll_interval=0.02,
    )
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(TransactionTrackerApplication(chosen))


async def test_death_of_a_node_before_finality_changes_no_state(
    app: TransactionTrackerApplication, twins: tuple[Twin, Twin]
) -> None:
    first, second = twins
    key = await first.pay(0, 1)
    assert await second.pay(0, 1) == key
    await TransactionTracker.start(key)
    await reach(key, "pending")
    await grow(twins, 1)
    await reach(key, "mined")

    await first.die()
    await grow((second,), 2, 3)

    await reach(key, "confirmed")
    assert await history(key) == ["pending", "mined", "confirmed"]


async def test_switch_to_another_branch_is_a_reorganisation(
    app: TransactionTrackerApplication, twins: tuple[Twin, Twin]
) -> None:
    first, second = twins
    await grow(twins, 1)
    key = await first.pay(0, 1)
    await TransactionTracker.start(key)
    await reach(key, "pending")
    await first.mine_at(GENESIS + 24)
    mined = await reach(key, "mined")

    await first.die()
    await second.mine_at(GENESIS + 25)
    assert await second.pay(0, 1) == key
    await grow((second,), 3, 4, 5)

    confirmed = await reach(key, "confirmed")
    assert mined.anchor is not None
    assert confirmed.anchor is not None
    assert confirmed.anchor.hash != mined.anchor.hash
    assert confirmed.anchor.number == 3
