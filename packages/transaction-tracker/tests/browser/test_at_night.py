"""What an operator finds at 3 a.m.: is money stuck, where, since when, why, and what to press."""

from collections.abc import AsyncIterator

import pytest

from ..api.support import Client, make_token  # noqa: TID252 - see night.py
from .night import HONEST, LIAR, bad_night
from .support import Browser

pytestmark = pytest.mark.browser

ALARMS = """
return [...document.querySelectorAll('#alarms .alarm')].map((alarm) => ({
  title: alarm.querySelector('strong').innerText,
  text: alarm.innerText.replaceAll("\u00a0", " "),
  tone: alarm.dataset.tone,
  buttons: [...alarm.querySelectorAll('button')].map((button) => button.innerText),
  links: [...alarm.querySelectorAll('a')].map((link) => link.getAttribute('href')),
}));
"""


@pytest.fixture
async def night() -> AsyncIterator[Client]:
    async with bad_night() as client:
        yield client


async def sign_in(browser: Browser, client: Client) -> None:
    token = await make_token("admin")
    await browser.open(client.url)
    await browser.until_text("#door", "Sign in")
    await browser.enter("#token", token)
    await browser.until_text("#alarms", "active alerts")
    await browser.until_text("tbody", "waits3days")


async def test_first_screen_says_what_is_stuck_since_when_why_and_what_to_press(
    browser: Browser, night: Client
) -> None:
    browser.resize(1280, 800)
    await sign_in(browser, night)

    alarms = {alarm["title"]: alarm for alarm in await browser.run(ALARMS)}
    bottom = await browser.run(
        "return [...document.querySelectorAll('#alarms .alarm'), ...document.querySelectorAll("
        "'#figures, tbody tr')].map(one => Math.round(one.getBoundingClientRect().bottom))"
    )
    rows = await browser.run(
        "return [...document.querySelectorAll('tbody tr')]"
        ".map(row => row.innerText.replaceAll('\\u00a0', ' '))"
    )

    assert list(alarms) == [
        "Source halted",
        "Deliveries are stalled",
        "1 transaction is parked",
        "1 dead letter of ledger.example",
        "Endpoint hooks.shop.example is failing",
        "The disk is nearly full",
        "2 active alerts",
    ]
    halted, stalled, parked, dead, failing, disk, alerts = alarms.values()
    assert "(12 min ago)" in halted["text"]
    assert f"The end of minedtx1 is held back: {LIAR} has it with" in halted["text"]
    assert "pause one that is wrong or does not answer" in halted["text"]
    assert halted["links"] == ["#providers"]
    # Which provider is wrong, only a person can find out: an alarm has no button that pauses one.
    assert halted["buttons"] == []
    assert "(20 min ago)" in stalled["text"]
    assert "hooks.shop.example" in stalled["text"]
    assert "txtrack recheck" in parked["text"]
    assert dead["buttons"] == ["Redeliver dead letters"]
    assert "Last error: HTTP 503" in failing["text"]
    assert failing["buttons"] == ["Send a test"]
    assert "(2 h ago)" in disk["text"]
    assert "txtrack prune" in disk["text"]
    assert [one["tone"] for one in (halted, stalled)] == ["bad", "bad"]
    assert alerts["tone"] == "quiet"
    assert "3 d ago" in next(row for row in rows if "waits3days" in row)
    assert max(bottom) <= 800, bottom


async def test_other_pages_show_their_own_alarms(browser: Browser, night: Client) -> None:
    await sign_in(browser, night)

    shown = {}
    for page in ("providers", "endpoints", "alerts"):
        await browser.run("location.hash = arguments[0]", page)
        await browser.until("document.querySelector('#content tbody tr')")
        shown[page] = [alarm["title"] for alarm in await browser.run(ALARMS)]

    assert shown == {
        "providers": ["Source halted"],
        "endpoints": [
            "Deliveries are stalled",
            "1 dead letter of ledger.example",
            "Endpoint hooks.shop.example is failing",
        ],
        "alerts": ["The disk is nearly full", "2 active alerts"],
    }
    assert "4 more on the overview" not in await browser.text("#alarms")
    assert "5 more on the overview" in await browser.text("#alarms")


async def test_provider_on_another_chain_is_not_shown_as_healthy(
    browser: Browser, night: Client
) -> None:
    await sign_in(browser, night)
    await browser.run("location.hash = 'providers'")
    await browser.until_text("#provider-list", LIAR)

    badges = await browser.run(
        "return [...document.querySelectorAll('#provider-list tbody tr')].map(row =>"
        " [...row.querySelectorAll('.badge, .flag')].map(one => [one.innerText, one.dataset.tone]))"
    )
    text = await browser.text("#provider-list")

    assert badges == [
        [["active", "good"]],
        [
            ["healthy", "good"],
            ["on another branch", "bad"],
            ["holds an end back", "bad"],
        ],
    ]
    assert HONEST in text
    assert "another block at height 18,999,990" in text
    assert "12 rate limited, 3 not yet available" in text


async def test_critical_alerts_come_first(browser: Browser, night: Client) -> None:
    await sign_in(browser, night)
    await browser.run("location.hash = 'alerts'")
    await browser.until_text("#alert-list", "source.halted")

    kinds = await browser.run(
        "return [...document.querySelectorAll('#alert-list tbody tr')]"
        ".map(row => row.cells[1].innerText)"
    )

    assert kinds == ["source.halted", "disk.low"]


async def test_only_harmful_actions_are_confirmed_in_red(browser: Browser, night: Client) -> None:
    await sign_in(browser, night)
    await browser.run("location.hash = 'providers'")
    await browser.until_text("#provider-list", LIAR)

    harmful = []
    for label in ("Check", "Pause"):
        find = f"document.querySelector('#provider-list [data-action={label}]')"
        await browser.run(f"{find}.click()")
        await browser.until("document.querySelector('#confirm').open")
        harmful.append(
            await browser.run("return document.querySelector('#confirm-yes').dataset.tone")
        )
        await browser.run("document.querySelector('#confirm').close()")

    assert harmful == ["wait", "bad"]
