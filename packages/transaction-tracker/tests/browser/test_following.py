"""The dashboard of a service that follows a chain: what changes is seen without a reload."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from selenium.webdriver.common.keys import Keys

from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.api import WEB, Web, WebOptions
from txtrack_devnode import Chain, DevelopmentNode

from ..listening import free_port, listening  # noqa: TID252 - for all tests of the package
from .support import Browser

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.owned=1">'


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=4)) as running:
        yield running


@asynccontextmanager
async def serving(node: DevelopmentNode, folder: Path, port: int = 0) -> AsyncIterator[str]:
    settings = Settings(
        node.url,
        confirmations=3,
        database=folder / "test.db",
        poll_interval=0.01,
        web=WebOptions(port=port, shutdown_seconds=1.0),
    )
    async with TransactionTrackerApplication(settings):
        yield await Web.url(WEB)


async def register(url: str, transaction: str, **metadata: object) -> None:
    item = {"id": transaction, "metadata": metadata}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/v1/transactions", json=item) as reply,
    ):
        assert reply.status == 200


def pay(node: DevelopmentNode, **options: str) -> str:
    accounts = node.chain.accounts
    return node.chain.submit(accounts[0], accounts[-1], 1, reverts=options.get("reverts")).hash


async def test_page_shows_a_transaction_until_it_is_final(
    browser: Browser, node: DevelopmentNode, tmp_path: Path
) -> None:
    async with serving(node, tmp_path) as url:
        await browser.open(url)
        await browser.until_text("#link", "Connected")
        await browser.until_text("#figures", "Ready")
        await browser.until_text("#figures", "Head")
        await browser.run("window.unloaded = false")
        payment = pay(node)
        await register(url, payment, order=7)

        await browser.until_text("#changes", payment)
        await browser.run("location.hash = 'transactions'")
        await browser.until_text("#rows tr", "pending")
        await node.mine(2)
        await browser.until_text("#rows tr", "2 of 3")
        await browser.click("#rows a")
        await browser.until_text("#detail", "In block 1; it has 2 of 3 confirmations, 1 missing.")
        shown = await browser.text("#detail")
        await node.mine(1)
        await browser.until_text("#detail", "Final: it succeeded.")
        await browser.press(Keys.ESCAPE)
        await browser.until(
            "!document.querySelector('#detail').open && location.hash === '#transactions'"
        )
        await browser.until_text("#rows .badge", "confirmed")
        await browser.run("location.hash = 'providers'")
        await browser.until_text("#provider-list", "127.0.0.1")

        assert payment in shown
        assert '"order": 7' in shown
        assert await browser.run("return window.unloaded") is False
        assert browser.console() == []


async def test_failure_shows_its_reason_as_text(
    browser: Browser, node: DevelopmentNode, tmp_path: Path
) -> None:
    async with serving(node, tmp_path) as url:
        payment = pay(node, reverts=HOSTILE)
        await register(url, payment, note=HOSTILE)
        await node.mine(3)

        await browser.open(f"{url}/#{payment}")

        await browser.until_text("#detail", "Final: it did not succeed")
        assert (await browser.text("#detail")).count(HOSTILE) >= 2
        assert HOSTILE in await browser.text("#rows")
        assert await browser.run("return [window.owned, document.images.length]") == [None, 0]
        assert browser.console() == []


async def test_page_reconnects_to_a_restarted_service(
    browser: Browser, node: DevelopmentNode, tmp_path: Path
) -> None:
    port = free_port()
    async with serving(node, tmp_path, port) as url:
        await browser.open(f"{url}/#transactions")
        await browser.until_text("#link", "Connected")
        await register(url, payment := pay(node))
        await browser.until_text("#rows", payment)
        await browser.run("window.unloaded = false")

    await browser.until_text("#link", "Connection lost")
    assert "Retrying in" in await browser.text("#link")
    assert await browser.run("return document.querySelector('#inside').dataset.stale") == ""
    async with serving(node, tmp_path, port):
        await browser.until_text("#link", "Connected")
        await node.mine(3)
        await browser.until_text("#rows .badge", "confirmed")
        await browser.until("document.querySelector('#inside').dataset.stale === undefined")

        assert await browser.run("return window.unloaded") is False


async def test_page_backs_off_while_the_service_is_down(
    browser: Browser, node: DevelopmentNode, tmp_path: Path
) -> None:
    async with serving(node, tmp_path) as url:
        await browser.open(url)
        await browser.until_text("#link", "Connected")
    port = int(url.rpartition(":")[2])
    knocks = 0

    async def knock(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal knocks
        knocks += 1
        writer.close()

    async with listening(knock, port=port):
        wait = r"document.querySelector('#link').innerText.match(/Retrying in ([3-9]|\d\d)\D/)"
        await browser.until(wait)

    # After about 1 s, 2 s, 4 s; Chromium itself asks again when a connection was closed at once.
    assert 1 <= knocks <= 8
