"""The dashboard's pages for operators: endpoints, providers, alerts, actions by scope, filters."""

from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from sqlalchemy import update

from transaction_tracker.domain.alert import Alert, FaultWatch, FaultWatches
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint, WebhookSecret
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.store import Step, Store, attempts, endpoints
from transaction_tracker.store.attempts import AttemptRecord
from transaction_tracker.store.schema import outbox
from transaction_tracker.tracker import TransactionTracker

from ..api.support import (  # noqa: TID252 - the one way to serve without a follower
    SOURCE,
    Client,
    make_token,
    mine,
    move,
    register,
    serving,
)
from .support import Browser

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.owned=1>"
PAGES = ("overview", "transactions", "endpoints", "providers", "alerts")
ACTIVE = ProviderStatus(
    *("node.example.org-1", "active", 1, 19_000_000, 2.0, 0, "same", 0.031, 0.12),
    *({"rate_limit": 12}, 0.02, 4_000, None, False, True, None),
)
FAILING = ProviderStatus(
    *("rpc.other.example-2", "paused", 1, 18_999_990, 90.0, 10, "same", 0.5, 2.1),
    *({"server": 40}, 0.9, 400, 1.9e9, False, None, f"HTTP 503 {HOSTILE}"),
)


class Providers:
    """Two providers, of which one fails; each request to change them is kept."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.known = {status.name: status for status in (ACTIVE, FAILING)}

    def status(self) -> list[ProviderStatus]:
        return list(self.known.values())

    async def pause(self, name: str) -> ProviderStatus:
        return self._change(name, "pause", state="paused", by_hand=True)

    async def resume(self, name: str) -> ProviderStatus:
        return self._change(name, "resume", state="healthy", by_hand=False)

    async def check(self, name: str) -> ProviderStatus:
        return self._change(name, "check")

    def _change(self, name: str, action: str, **changes: Any) -> ProviderStatus:
        self.asked.append(f"{action} {name}")
        self.known[name] = replace(self.known[name], **changes)
        return self.known[name]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving(explorer_url="https://explorer.example/tx/{id}") as running:
        object.__setattr__(running.service, "providers", Providers())
        yield running


async def sign_in(browser: Browser, client: Client, place: str, *scopes: Any) -> Client:
    """Open a page with a token of the scopes."""
    holder = client.with_token(await make_token(*scopes))
    await browser.open(f"{client.url}/{place}")
    await browser.until_text("#door", "Sign in")
    await browser.enter("#token", holder.token or "")
    await browser.until_text("#link", "Connected")
    return holder


async def add_endpoint(url: str = "https://shop.example/hook") -> WebhookEndpoint:
    return await Store.run(lambda one: endpoints.add(one, url, WebhookSecret.generate(), None))


async def bury(endpoint: WebhookEndpoint) -> None:
    """Make all deliveries of an endpoint dead letters."""
    dead = {"state": "dead", "due_at": None, "attempts": 12, "error": f"HTTP 500 {HOSTILE}"}
    query = update(outbox).where(outbox.c.endpoint_id == endpoint.id).values(**dead, settled_at=1e9)
    await Store.run(lambda connection: connection.execute(query))


async def confirm(browser: Browser, action: str) -> None:
    """Press a button and confirm its question."""
    await browser.until("document.querySelector(arguments[0])", f"[data-action='{action}']")
    await browser.run("document.querySelector(arguments[0]).click()", f"[data-action='{action}']")
    await browser.until("document.querySelector('#confirm').open")
    await browser.click("#confirm-yes")


async def test_endpoint_shows_attempts_and_dead_letters(browser: Browser, client: Client) -> None:
    endpoint = await add_endpoint()
    await register(client, "abcdefgh")
    await move("abcdefgh", state="pending")
    await bury(endpoint)
    made = AttemptRecord(endpoint.id, 1, 1, 1e9, 0.5, "server_error", 503, "HTTP 503", HOSTILE)
    await Store.run(lambda one: attempts.add(one, made, trim=True))
    await sign_in(browser, client, "#endpoints", "admin")

    await browser.until_text("tbody tr", "https://shop.example/hook")
    await browser.until_text("#alarms", "1 dead letter")
    await browser.click("tbody a")
    await browser.until_text("#detail", "server error")
    text = await browser.text("#detail")
    await confirm(browser, "Redeliver dead letters")
    await browser.until_text("#detail-message", "1 events are redelivered.")
    await browser.until("!document.querySelector('#detail').innerText.includes('HTTP 500')")

    assert f"HTTP 500 {HOSTILE}" in text
    assert "status 503" in text
    assert HOSTILE in text.partition("HTTP 503")[2]
    assert await browser.run("return location.hash") == f"#endpoints?endpoint={endpoint.id}"
    assert await browser.run("return [window.owned, document.images.length]") == [None, 0]


async def test_disabled_endpoint_is_enabled_from_its_alarm(
    browser: Browser, client: Client
) -> None:
    endpoint = await add_endpoint()
    await Store.run(partial(endpoints.disable, endpoint=endpoint.id, reason="responded with 410"))
    await sign_in(browser, client, "", "admin")
    await browser.until_text("#alarms", "responded with 410")

    await browser.run("document.querySelector('[data-action=Enable]').click()")
    await browser.until_text("#confirm", "Enable the endpoint?")
    await browser.press(Keys.ESCAPE)
    await browser.until("!document.querySelector('#confirm').open")
    still = await Store.run(partial(endpoints.load, endpoint=endpoint.id))
    await confirm(browser, "Enable")
    await browser.until_text("#message", "The endpoint is enabled.")
    await browser.until("document.querySelectorAll('.alarm').length === 0")

    assert still is not None
    assert not still.enabled


async def test_frozen_deliveries_are_resumed(browser: Browser, client: Client) -> None:
    await Store.commit(Step(SOURCE, freezes=True))
    await sign_in(browser, client, "", "admin")
    await browser.until_text("#alarms", "Deliveries are frozen")

    await confirm(browser, "Resume deliveries")

    await browser.until_text("#message", "Deliveries are resumed.")
    await browser.until_text("#figures", "Flowing")
    assert await Store.frozen() is None


async def test_read_token_sees_commands_and_no_buttons(browser: Browser, client: Client) -> None:
    endpoint = await add_endpoint()
    await Store.run(partial(endpoints.disable, endpoint=endpoint.id, reason="responded with 410"))
    await register(client, "abcdefgh")
    await move("abcdefgh", error="RuntimeError('poison')")
    await Store.commit(Step(SOURCE, freezes=True))
    await sign_in(browser, client, "", "read")
    await browser.until_text("#alarms", "txtrack deliveries resume")
    await browser.until_text("#alarms", "1 transaction is parked")
    pages = await browser.run("return document.querySelector('#pages').innerText.split('\\n')")
    await browser.run("location.hash = 'overview?info=abcdefgh'")
    await browser.until_text("#detail", "Parked in state registered")

    text = await browser.text("#detail")
    await browser.run("location.hash = 'endpoints'")
    await browser.until_text("#content", "needs a token with the scope admin")
    await browser.run("location.hash = 'providers'")
    await browser.until_text("#provider-list", "rpc.other.example-2")

    assert await browser.run("return document.querySelectorAll('[data-action]').length") == 0
    assert "txtrack recheck abcdefgh" in text
    assert pages == ["Overview", "Transactions", "Providers", "Alerts"]
    assert "Endpoint" not in await browser.text("#alarms")
    # Nothing was requested that the token does not allow.
    assert not [line for line in browser.console() if "403" in line]


async def test_page_without_tokens_shows_all_and_changes_nothing(
    browser: Browser, client: Client
) -> None:
    await add_endpoint()
    await Store.commit(Step(SOURCE, freezes=True))
    await browser.open(f"{client.url}/#endpoints")

    await browser.until_text("tbody tr", "https://shop.example/hook")
    await browser.until_text("#alarms", "txtrack deliveries resume")

    assert await browser.run("return document.querySelectorAll('[data-action]').length") == 0


async def test_parked_transaction_is_rechecked(browser: Browser, client: Client) -> None:
    await register(client, "abcdefgh")
    await move("abcdefgh", error="RuntimeError('poison')")
    await sign_in(browser, client, "", "read", "write")
    await browser.until_text("#content tbody", "RuntimeError('poison')")
    await browser.click("#content tbody a")

    await browser.until_text("#detail", "Recheck")
    link = await browser.run("return document.querySelector('#detail a[target]').href")
    await confirm(browser, "Recheck")
    await browser.until_text("#detail-message", "The check is scheduled.")

    assert link == "https://explorer.example/tx/abcdefgh"
    assert (await TransactionTracker.status("abcdefgh")).state == "registered"


async def test_refused_action_says_why(browser: Browser, client: Client) -> None:
    holder = await sign_in(browser, client, "#overview?info=abcdefgh", "read", "write")
    await browser.until_text("#detail", "abcdefgh is not tracked")
    await holder.post("/v1/transactions", json={"id": "abcdefgh"})
    await browser.until_text("#detail", "Untrack")
    await browser.run(
        "window.fetch = () => Promise.resolve(Response.json({detail: 'it teaps'}, {status: 418}))"
    )

    await confirm(browser, "Untrack")

    await browser.until_text("#detail-message", "Untrack: it teaps")


async def test_provider_is_resumed(browser: Browser, client: Client) -> None:
    await sign_in(browser, client, "#providers", "admin")
    await browser.until_text("#provider-list", f"last: HTTP 503 {HOSTILE}")

    await confirm(browser, "Resume")

    await browser.until_text("#message", "rpc.other.example-2 is healthy.")
    await browser.until("document.querySelectorAll(\"[data-action='Pause']\").length === 2")
    assert client.service.providers.asked == ["resume rpc.other.example-2"]  # type: ignore[union-attr]


async def test_alerts_are_listed(browser: Browser, client: Client) -> None:
    alert = Alert("al_1", "disk.low", "disk", "critical", f"it is full {HOSTILE}", 1.0, 2.0)
    client.service.alerts.evaluated(FaultWatches({alert.key: FaultWatch(0.0, 0.0, alert)}), ())
    await browser.open(f"{client.url}/#alerts")

    await browser.until_text("#alert-list tr", f"it is full {HOSTILE}")
    await browser.until_text("#alert-list .badge", "critical")


async def test_filters_survive_a_reload(browser: Browser, client: Client) -> None:
    await register(client, "aaaaaaaa", "bbbbbbbb", "cccccccc")
    await mine("bbbbbbbb")
    await move("cccccccc", state="pending", flags=frozenset({"stuck"}))
    await browser.open(f"{client.url}/#transactions")
    rows = "document.querySelector('#rows')?.rows.length"
    await browser.until(f"{rows} === 3")

    await browser.run("document.querySelectorAll('.chip')[1].click()")
    await browser.until(f"{rows} === 1")
    await browser.run(
        "const flag = document.querySelector('#choice-flag');"
        "flag.value = 'stuck'; flag.dispatchEvent(new Event('change'))"
    )
    await browser.until("location.hash === '#transactions?state=pending&flag=stuck'")
    await browser.run("location.reload()")
    await browser.until_text("#rows", "cccccccc")
    await browser.until("document.querySelector('.chip[aria-pressed=true]')")
    await browser.run("document.querySelector('#choice-attention').value = 'true'")

    assert await browser.run(f"return {rows}") == 1
    assert await browser.run("return document.querySelector('#choice-flag').value") == "stuck"


async def test_rows_stay_in_place_under_the_pointer(browser: Browser, client: Client) -> None:
    await register(client, "aaaaaaaa")
    await browser.open(f"{client.url}/#transactions")
    await browser.until_text("#rows", "aaaaaaaa")
    await browser.run("document.querySelector('#rows a').focus()")

    await register(client, "bbbbbbbb")
    await mine("aaaaaaaa")
    await browser.until_text("#rows", "mined")
    await browser.until_text(".tabular", "1 new")
    held = await browser.run("return document.querySelector('#rows').rows.length")
    await browser.run("document.activeElement.blur()")
    await browser.until("document.querySelector('#rows').rows.length === 2")

    assert held == 1
    assert (await browser.text("#rows tr")).find("bbbbbbbb") > 0


async def test_observer_has_the_same_sign_in(browser: Browser, client: Client) -> None:
    await sign_in(browser, client, "", "admin")
    await browser.run("[...document.querySelectorAll('#pages a')].at(-1).click()")

    await browser.until_text("#figures", "Processes")
    await browser.until_text("#link", "Live")
    assert await browser.run("return location.pathname") == "/observer/"


@pytest.mark.parametrize("width", [400, 1280])
async def test_no_page_scrolls_sideways(browser: Browser, client: Client, width: int) -> None:
    endpoint = await add_endpoint(
        "https://a-very-long-name-of-a-shop.example/webhooks/payments/all"
    )
    await Store.run(partial(endpoints.set_failing, endpoint=endpoint.id, since=1e9))
    await register(client, "a" * 64)
    await move("a" * 64, state="pending", flags=frozenset({"stuck", "underpriced", "nonce_gap"}))
    await bury(endpoint)
    await Store.commit(Step(SOURCE, freezes=True))
    browser.resize(width, 900)
    await sign_in(browser, client, "", "admin")
    await browser.until_text("#alarms", "is failing since")

    for page in (*PAGES, f"endpoints?endpoint={endpoint.id}", f"transactions?info={'a' * 64}"):
        await browser.run("location.hash = arguments[0]", page)
        await browser.until("document.querySelector('#content').innerText.length > 20")
        if "?" in page:
            await browser.until("document.querySelector('#detail').open")
        wide = await browser.run("return document.documentElement.scrollWidth - innerWidth")
        inner = await browser.run(
            "const {scrollWidth, clientWidth} = document.querySelector('#detail');"
            "return scrollWidth - clientWidth"
        )
        assert (wide <= 0, inner <= 0) == (True, True), page


async def test_everything_that_can_be_used_has_a_name(browser: Browser, client: Client) -> None:
    endpoint = await add_endpoint()
    await register(client, "abcdefgh")
    await sign_in(browser, client, "", "admin")
    used = ("button", "link", "textbox", "searchbox", "combobox", "img", "table", "navigation")

    for page in (*PAGES, f"endpoints?endpoint={endpoint.id}", "transactions?info=abcdefgh"):
        await browser.run("location.hash = arguments[0]", page)
        await browser.until("document.querySelector('#content').innerText.length > 20")
        nodes = browser._driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        nameless = [
            node
            for node in nodes
            if node.get("role", {}).get("value") in used
            and not node.get("ignored")
            and not node.get("name", {}).get("value")
        ]
        assert nameless == [], page


async def test_skip_link_leads_past_the_navigation(browser: Browser, client: Client) -> None:
    await browser.open(f"{client.url}/#transactions")
    await browser.until_text("#link", "Connected")

    await browser.press(Keys.TAB)
    await browser.until("document.activeElement.id === 'skip'")
    await browser.press(Keys.ENTER)

    await browser.until("document.activeElement.id === 'main'")
    assert await browser.run("return location.hash") == "#transactions"
