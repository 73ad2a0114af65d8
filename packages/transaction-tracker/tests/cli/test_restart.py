"""Commands that continue during a restart of the service."""

import asyncio
from pathlib import Path

import aiohttp

from transaction_tracker import TransactionTracker
from transaction_tracker.api import WEB, Web, WebOptions
from transaction_tracker.service import Settings, TransactionTrackerApplication
from txtrack_devnode import GWEI, DevelopmentNode

from .conftest import Command


def application(node: DevelopmentNode, folder: Path, port: int) -> TransactionTrackerApplication:
    settings = Settings(
        node.url,
        confirmations=2,
        database=folder / "service.db",
        poll_interval=0.02,
        web=WebOptions(port=port),
    )
    return TransactionTrackerApplication(settings)


async def somebody(url: str, gauge: str) -> None:
    """Wait until a gauge of the service says 1."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(50):
        while True:
            async with http.get(f"{url}/metrics") as response:
                if f"transaction_tracker_{gauge} 1.0" in await response.text():
                    return


def cheap(node: DevelopmentNode) -> str:
    accounts = node.chain.accounts
    fee = GWEI - GWEI // 20
    return node.chain.submit(accounts[0], accounts[-1], 1, max_fee=fee, priority_fee=0).hash


async def test_wait_continues_after_a_restart(
    command: Command, node: DevelopmentNode, tmp_path: Path
) -> None:
    tx = cheap(node)
    async with application(node, tmp_path, 0):
        url = await Web.url(WEB)
        await command("add", tx, "--url", url)
        waiting = asyncio.create_task(command("wait", tx, "--url", url, "--timeout", "20s"))
        await somebody(url, "waiters")
    node.chain.replace(tx, "cancelled")

    async with application(node, tmp_path, int(url.rpartition(":")[2])):
        waited = await waiting

    assert waited.status == 4


async def test_stream_resumes_after_a_restart_without_a_gap(
    command: Command, node: DevelopmentNode, tmp_path: Path
) -> None:
    tx = cheap(node)
    async with application(node, tmp_path, 0):
        url = await Web.url(WEB)
        follow = command("events", "--follow", "--limit", "3", "--json", "--url", url)
        following = asyncio.create_task(follow)
        await somebody(url, "streams")
        await TransactionTracker.start(tx)
        await TransactionTracker.wait(tx, until="pending", timeout=50)
    node.chain.replace(tx, "repriced")

    async with application(node, tmp_path, int(url.rpartition(":")[2])):
        ran = await following

    assert [event["version"] for event in ran.documents] == [1, 2, 3]
