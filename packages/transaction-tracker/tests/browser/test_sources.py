"""The switch between several sources on the dashboard."""

from collections.abc import AsyncIterator

import pytest

from ..api.support import Client, serving  # noqa: TID252
from ..several.conftest import (  # noqa: TID252 - three sources and their service
    Places,
    Running,
    places,
    service,
    session,
)
from ..tracker.support import submit  # noqa: TID252
from .support import Browser

pytestmark = pytest.mark.browser

__all__ = ["places", "service", "session"]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A service with one source."""
    async with serving() as running:
        yield running


async def test_switch_shows_the_transactions_of_one_source(
    browser: Browser,
    places: Places,
    service: Running,
) -> None:
    paid = f"eip155:31338:{submit(places.other).hash}"
    await service.client.post("/v1/transactions", [{"id": paid}, {"id": "PAY-1"}])
    await browser.open(f"{service.client.url}/#transactions")
    await browser.until_text("#rows", "PAY-1")
    await browser.until_text("#rows", "other")

    await browser.run(
        "const picker = document.querySelector('#source select');"
        "picker.value = 'other'; picker.dispatchEvent(new Event('change'))"
    )

    await browser.until("!document.querySelector('#rows').textContent.includes('PAY-1')")
    assert paid in await browser.text("#rows")
    await browser.run("location.hash = '#overview'")
    await browser.until_text("#figures", "of 1 tracked")


async def test_only_source_needs_no_switch(browser: Browser, client: Client) -> None:
    await browser.open(client.url)
    await browser.until_text("#link", "Connected")

    assert await browser.run("return document.querySelector('#source select') === null")
