"""Hints at work: an application that asks for the head because a provider told of one."""

from pathlib import Path

from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.providers import HeadHint, ProviderSettings
from transaction_tracker.providers.hints import Hints
from txtrack_devnode import Chain, DevelopmentNode

from .support import eventually

NEVER = 3_000.0


async def test_a_hint_brings_the_next_block_long_before_its_time(tmp_path: Path) -> None:
    async with DevelopmentNode(chain=Chain(accounts=2)) as node:
        provider = ProviderSettings(node.url, ws_url=node.url.replace("http", "ws", 1))
        settings = Settings(
            providers=(provider,), poll_interval=NEVER, database=tmp_path / "test.db"
        )
        async with TransactionTrackerApplication(settings) as app:
            assert app.pool is not None
            pool = app.pool
            await eventually(lambda: pool.status()[0].heads and app.tip is not None)

            for _ in range(3):
                node.chain.mine()
                await eventually(lambda: app.tip.hash == node.chain.head.hash)


async def test_a_hint_to_nobody_is_dropped() -> None:
    Hints(None).give(HeadHint("a", 1, "0x1"), now=0.0)


async def test_a_hint_to_one_who_is_not_there_yet_is_dropped() -> None:
    Hints("nobody").give(HeadHint("a", 1, "0x1"), now=0.0)
