"""Hints in an application: it asks for the head when a provider announces one."""

from pathlib import Path

from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.providers import HeadHint, ProviderSettings
from transaction_tracker.providers.hints import HintSender
from txtrack_devnode import Chain, DevelopmentNode

from .support import eventually

LONG_INTERVAL = 3_000.0


async def test_hint_brings_the_next_block_long_before_the_poll_interval(tmp_path: Path) -> None:
    async with DevelopmentNode(chain=Chain(accounts=2)) as node:
        provider = ProviderSettings(node.url, ws_url=node.url.replace("http", "ws", 1))
        settings = Settings(
            providers=(provider,), poll_interval=LONG_INTERVAL, database=tmp_path / "test.db"
        )
        async with TransactionTrackerApplication(settings) as app:
            assert app.pool is not None
            pool = app.pool
            await eventually(lambda: pool.status()[0].heads and app.tip is not None)

            for _ in range(3):
                node.chain.mine()
                await eventually(lambda: app.tip.hash == node.chain.head.hash)


async def test_hint_without_a_receiver_is_dropped() -> None:
    HintSender(None).send(HeadHint("a", 1, "0x1"), now=0.0)


async def test_hint_to_a_receiver_that_is_not_running_is_dropped() -> None:
    HintSender("unknown").send(HeadHint("a", 1, "0x1"), now=0.0)
