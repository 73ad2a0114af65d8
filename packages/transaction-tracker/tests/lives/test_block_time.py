"""When the follower asks for the head of a chain with a block every 12 s."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from beamish import process
from transaction_tracker.providers import HeadHint
from transaction_tracker.tracker import FOLLOWER

from ..simulated import simulate  # noqa: TID252
from .life import Life
from .world import network, simulated_clock

BLOCK_SECONDS = 12.0
POLL_SECONDS = 1.0


def followed(folder: Path, main: Callable[[Life], Awaitable[None]]) -> None:
    """Run ``main`` with an application that has seen enough blocks to expect the next one."""

    async def run() -> None:
        async with simulated_clock():
            life = Life(0, folder / "lives.db")
            with network(*life.nodes):
                async with life.app:
                    for _ in range(10):
                        await asyncio.sleep(BLOCK_SECONDS)
                        life.chain.mine(1)
                    await main(life)

    simulate(run, 0)


async def seconds_until_applied(life: Life) -> float:
    """Mine a block; return the seconds until it is applied."""
    started = _now()
    head = life.chain.mine(1)[-1]
    while life.app.tip is None or life.app.tip.hash != head.hash:
        await asyncio.sleep(0.01)
    return _now() - started


def test_block_at_its_time_is_applied_within_two_intervals(tmp_path: Path) -> None:
    """A response takes up to 0.2 s, and a block needs several requests."""

    async def main(life: Life) -> None:
        due = _now()
        delays = []
        for _ in range(60):
            due += BLOCK_SECONDS
            await asyncio.sleep(due - _now())
            delays.append(await seconds_until_applied(life))
        assert max(delays) <= 2 * POLL_SECONDS

    followed(tmp_path, main)


@pytest.mark.parametrize("has_hint", [True, False])
def test_hint_makes_a_block_before_its_time_found_soon(tmp_path: Path, has_hint: bool) -> None:
    """Also if the node announces the block before it has it."""

    async def main(life: Life) -> None:
        await asyncio.sleep(BLOCK_SECONDS / 3)
        if has_hint:
            process.send(FOLLOWER, HeadHint("one", 11, "0x" + "1" * 64))
            await asyncio.sleep(POLL_SECONDS / 2)
        delay = await seconds_until_applied(life)
        assert (delay <= 2 * POLL_SECONDS) is has_hint

    followed(tmp_path, main)


def _now() -> float:
    return asyncio.get_running_loop().time()
