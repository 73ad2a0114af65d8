"""The setting ``block_time``."""

from transaction_tracker import ProviderSettings, Settings, TransactionTrackerApplication
from transaction_tracker.sources.ethereum import SecretUrl
from transaction_tracker.sources.ethereum.url import WEBSOCKET
from txtrack_devnode import DevelopmentNode

from .support import eventually


async def test_subscription_without_a_head_for_three_block_times_is_reopened(
    node: DevelopmentNode, settings: Settings
) -> None:
    ws_url = SecretUrl(node.url.replace("http", "ws"), WEBSOCKET)
    providers = (ProviderSettings(SecretUrl(node.url), ws_url=ws_url),)

    async with TransactionTrackerApplication(
        settings.replace(rpc_url=None, providers=providers, block_time=0.02)
    ):
        await eventually(lambda: node.counters["eth_subscribe"] > 1)
