"""What the dashboard shows of things that are as a test puts them: tokens, alarms, strangers."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import pytest
from msgspec.structs import replace
from selenium.webdriver.common.keys import Keys

from beamish.observer.static import File
from transaction_tracker.api import Following
from transaction_tracker.api.dashboard import FILES
from transaction_tracker.domain import BlockRef, Event, Outcome
from transaction_tracker.domain.alert import Alert, FaultWatch, FaultWatches
from transaction_tracker.domain.details import Details, Execution, TokenUnit, Transfer
from transaction_tracker.domain.webhook_endpoint import WebhookSecret
from transaction_tracker.follower import Verdict
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.store import Step, Store, attempts, endpoints
from transaction_tracker.store.attempts import AttemptRecord
from transaction_tracker.tracker import TransactionTracker

from ..api.support import (  # noqa: TID252 - the one way to serve without a follower
    SOURCE,
    TEN,
    Client,
    Somewhere,
    make_token,
    mine,
    move,
    register,
    serving,
)
from .support import Browser

pytestmark = pytest.mark.browser

WRONG = "txt_000000000000_" + "A" * 43
HOSTILE = "<img src=x onerror=window.owned=1>"
TURNED = "\u202ereversed"
RIGHT_TO_LEFT = "\u05e9\u05e7\u05dc"
INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u2028\u2060\u2066\u3164\ufe0f\ufeff"
)

# The digits of an element as they are read on the screen, line by line and from left to right.
DIGITS_SEEN = """
const seen = [];
const root = document.querySelector(arguments[0]);
const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode;
  const block = text.parentElement.closest("div, p, li, dd, dt, h2, h3, td, pre, section");
  for (let at = 0; at < text.data.length; at += 1) {
    if (!/[0-9]/.test(text.data[at])) continue;
    const range = document.createRange();
    range.setStart(text, at);
    range.setEnd(text, at + 1);
    const { left, top } = range.getBoundingClientRect();
    seen.push({ digit: text.data[at], left, line: Math.round(top / 8), block });
  }
}
const read = (digits) => digits.map(({ digit }) => digit).join("");
const blocks = [...new Set(seen.map(({ block }) => block))];
return blocks.map((block) => {
  const digits = seen.filter((one) => one.block === block);
  const order = (one, other) => one.line - other.line || one.left - other.left;
  return [read(digits), read(digits.toSorted(order))];
});
"""


@dataclass(frozen=True)
class NamedSource:
    """One source of several, without processes."""

    name: str
    verdict: Verdict
    state: str = "running"
    open: int = 0
    tip: None = None

    @property
    def source(self) -> str:
        return f"somewhere:{self.name}"

    chain = source

    def following(self) -> Following:
        return Following(10, 1.0, verdict=self.verdict, now=600.0)

    def providers(self) -> list[ProviderStatus]:
        return []


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving() as running:
        yield running


def refused(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the paths of the requests that were answered 401, as the log has them."""
    records = [record for record in caplog.records if getattr(record, "status", None) == 401]
    return [record.path for record in records]  # type: ignore[attr-defined]


async def test_wrong_token_is_sent_once_and_valid_token_signs_in(
    browser: Browser, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "transaction_tracker.api")
    token = await make_token("read")
    await browser.open(client.url)
    await browser.until_text("#refusal", "This service requires a token")

    await browser.enter("#token", "two words")
    await browser.until_text("#refusal", "Nothing was sent")
    assert len(refused(caplog)) == 1
    await browser.run("document.querySelector('#token').value = ''")
    await browser.enter("#token", WRONG)
    await browser.until_text("#refusal", "unknown, expired or revoked")
    assert await browser.run("return sessionStorage.length") == 0
    await browser.enter("#token", token)
    await browser.until_text("#link", "Connected")
    await browser.until_text("#figures", "Ready")

    # One request without a token, one with the wrong token, and none while the user types.
    assert len(refused(caplog)) == 2
    assert token not in await browser.run(
        "return location.href + document.documentElement.outerHTML"
    )
    assert await browser.run("return localStorage.length + document.cookie.length") == 0
    assert "Dead letters" not in await browser.text("#figures")  # that is for admins


async def test_token_is_kept_until_the_tab_closes_or_sign_out(
    browser: Browser, client: Client
) -> None:
    token = await make_token("admin")
    await browser.open(client.url)
    await browser.until_text("#door", "Sign in")
    await browser.enter("#token", token)
    await browser.until_text("#figures", "Dead letters")

    await browser.open(client.url)
    await browser.until_text("#link", "Connected")
    await browser.click("#forget")

    await browser.until_text("#refusal", "This service requires a token")
    assert await browser.run("return sessionStorage.length") == 0
    assert await browser.run("return document.querySelector('#inside').hidden") is True


async def test_revoked_token_is_not_sent_again(
    browser: Browser, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "transaction_tracker.api")
    holder, other = client.with_token(await make_token("admin")), await make_token("read")
    await browser.open(f"{client.url}/#abcdefgh")
    await browser.until_text("#door", "Sign in")
    await browser.enter("#token", holder.token or "")
    await browser.until_text("#detail", "abcdefgh is not tracked")
    assert refused(caplog) != []
    caplog.clear()
    token, _ = (await holder.get("/v1/tokens")).json["tokens"]

    await holder.ask("DELETE", f"/v1/tokens/{token['id']}")
    await browser.until_text("#refusal", "unknown, expired or revoked")
    # On a slow machine, each part of the page can have sent a request before the first refusal.
    paths = refused(caplog)
    assert paths
    assert len(set(paths)) == len(paths), paths
    # What was open does not hide the question, and is there again after it.
    await browser.enter("#token", other)
    await browser.until_text("#detail", "abcdefgh is not tracked")


async def test_token_without_the_scope_read_is_reported(browser: Browser, client: Client) -> None:
    token = await make_token("write")
    await browser.open(client.url)
    await browser.until_text("#door", "Sign in")

    await browser.enter("#token", token)

    await browser.until_text("#refusal", "valid, but lacks the scope read")


async def test_hostile_data_is_shown_as_text(
    browser: Browser, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Somewhere, "identify", lambda _self, text: text)
    items = [{"id": one, "metadata": {HOSTILE: TURNED}} for one in (HOSTILE, "'\"><script>", "%41")]
    assert (await client.post("/v1/transactions", json=items)).json["refused"] == 0
    await move(HOSTILE, state="superseded", superseded_by=f"{HOSTILE}2", error=f"{HOSTILE}3")

    await browser.open(f"{client.url}/#transactions")
    await browser.until("document.querySelector('#rows')?.rows.length === 3")
    rows = await browser.run(
        "return [...document.querySelectorAll('#rows a')].map(a => a.innerText)"
    )
    find = "[...document.querySelectorAll('#rows a')].find(a => a.innerText.startsWith('<img'))"
    await browser.run(f"{find}.click()")
    await browser.until_text("#detail .sentence", f"Last error: {HOSTILE}3")
    detail = await browser.text("#detail")
    await browser.open(f"{client.url}/#{HOSTILE}nowhere")
    await browser.until_text("#detail", f"{HOSTILE}nowhere is not tracked")

    assert sorted(rows) == sorted(one["id"] for one in items)
    assert f"{HOSTILE}2" in detail
    assert "\ufffdreversed" in detail
    assert "\u202e" not in detail
    assert await browser.run("return [window.owned, document.images.length]") == [None, 0]
    assert "404" in "".join(browser.console())  # the browser's own line about the last one


async def pay(key: str, symbol: str) -> None:
    """Store that a transaction is in block ten, and paid 1.5 of a token with a symbol."""
    unit = TokenUnit(6, symbol)
    transfer = Transfer(0, "erc20", "0xa1", "0xb2", "0xc3", value=1_500_000, unit=unit)
    before = await TransactionTracker.status(key)
    anchor, outcome = BlockRef(TEN.number, TEN.hash), Outcome(True, 21)
    after = replace(
        before, version=before.version + 1, state="mined", anchor=anchor, outcome=outcome
    )
    details = Details(execution=Execution(transfers=(transfer,)))
    await Store.commit(Step(SOURCE, (Event(before.state, after, details=details),)))


@pytest.mark.parametrize("symbol", [f"{RIGHT_TO_LEFT} 7", f"{RIGHT_TO_LEFT} (999)", "USD 9 (9)"])
async def test_text_from_outside_does_not_move_the_digits_beside_it(
    browser: Browser, client: Client, symbol: str
) -> None:
    metadata = {RIGHT_TO_LEFT: 12, f"34 {RIGHT_TO_LEFT}": 56}
    await client.post("/v1/transactions", json=[{"id": "abcdefgh", "metadata": metadata}])
    await move("abcdefgh", error=f"{RIGHT_TO_LEFT} 17 {RIGHT_TO_LEFT}")
    await pay("abcdefgh", symbol)

    await browser.open(f"{client.url}/#transactions")
    await browser.until_text("#rows", "12")
    row = await browser.run(DIGITS_SEEN, "#rows")
    await browser.open(f"{client.url}/#abcdefgh")
    await browser.until_text("#detail", "1500000")
    found = [*row, *await browser.run(DIGITS_SEEN, "#detail")]

    assert ["123456", "123456"] in row
    assert [seen for _, seen in found] == [written for written, _ in found]


async def test_symbol_of_a_token_cannot_imitate_a_part_of_the_amount(
    browser: Browser, client: Client
) -> None:
    await register(client, "abcdefgh")
    await pay("abcdefgh", "000 (999)")

    await browser.open(f"{client.url}/#abcdefgh")
    await browser.until_text("#detail", "1500000")
    amount, symbol = await browser.run(
        "return ['.amount', '.symbol']"
        ".map(name => document.querySelector(`#detail ${name}`)?.innerText)"
    )
    frame = await browser.run(
        "const found = document.querySelector('#detail .symbol') ?? document.body;"
        "const style = getComputedStyle(found);"
        "return [style.borderLeftStyle, style.borderRightStyle, style.unicodeBidi]"
    )

    assert (amount, symbol) == ("1.5", "000 (999)")
    assert frame == ["dashed", "dashed", "isolate"]
    assert "in the smallest unit 1500000" in await browser.text("#detail .events")


async def test_invisible_characters_are_shown(browser: Browser, client: Client) -> None:
    names = [f"a{character}b" for character in INVISIBLE]
    await client.post("/v1/transactions", json=[{"id": "abcdefgh", "metadata": {"names": names}}])

    await browser.open(f"{client.url}/#abcdefgh")
    await browser.until_text("#detail pre", "names")

    shown = await browser.text("#detail pre")
    assert shown.count('"a\ufffdb"') == len(INVISIBLE), ascii(shown)


async def test_alarms_are_at_the_top_and_in_the_title(browser: Browser) -> None:
    verdict = Verdict("halted", f"block 11: the node's nonce is None {HOSTILE}")
    following = Following(10, 1.0, verdict=verdict, now=600.0)
    async with serving(following=lambda: following) as client:
        await register(client, "abcdefgh", "ijklmnop")
        await move("abcdefgh", error="RuntimeError('poison')")
        await Store.commit(Step(SOURCE, freezes=True))
        await browser.open(client.url)

        await browser.until_text("#alarms", "Deliveries are frozen")
        alarms = await browser.text("#alarms")
        figures = await browser.text("#figures")
        title = await browser.run("return document.title")

    assert "txtrack deliveries resume" in alarms
    assert "Source halted since" in alarms
    assert f"Block 11: the node's nonce is None {HOSTILE}" in alarms
    assert await browser.run("return [window.owned, document.images.length]") == [None, 0]
    assert "1 transaction is parked" in alarms
    assert "Not ready" in figures
    assert "Frozen" in figures
    assert "Deliveries are frozen" in title


async def test_lagging_source_is_an_amber_alarm_until_it_moves(browser: Browser) -> None:
    now = [Verdict("lagging", "no head has advanced beyond block 10")]
    async with serving(following=lambda: Following(10, 1.0, verdict=now[0], now=90.0)) as client:
        await browser.open(client.url)
        await browser.until_text("#alarms", "Source lagging since")
        tone = await browser.run("return document.querySelector('.alarm').dataset.tone")
        text = await browser.text("#alarms")
        figures = await browser.text("#figures")
        now[0] = Verdict("ok")
        await browser.until("document.querySelectorAll('#alarms .alarm').length === 0")

    assert tone == "warn"
    assert "No head has advanced beyond block 10" in text
    assert "Not ready" not in figures


async def test_late_deliveries_stay_an_alarm_below_that_of_a_halted_source(
    browser: Browser,
) -> None:
    following = Following(10, 1.0, verdict=Verdict("halted", "block 11"), now=600.0)
    async with serving(following=lambda: following) as client:
        real = time.time
        await Store.run(
            lambda one: endpoints.add(one, "https://example.com/", WebhookSecret.generate(), None)
        )
        await register(client, "abcdefgh")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(time, "time", lambda: real() - 90)
            await move("abcdefgh", state="pending")
        await browser.open(client.url)
        await browser.until_text("#alarms", "Deliveries are behind since")

        tones = await browser.run(
            "return [...document.querySelectorAll('.alarm')].map(one => one.dataset.tone)"
        )
        title = await browser.run("return document.title")

    assert tones == ["bad", "warn"]
    assert title.startswith("Source halted")


async def test_halted_source_of_several_is_red(browser: Browser, client: Client) -> None:
    sources = (
        NamedSource("main", Verdict("ok")),
        NamedSource("other", Verdict("halted", "block 11")),
    )
    object.__setattr__(client.service, "sources", sources)
    await browser.open(client.url)

    await browser.until_text("#alarms", "Source other halted since")

    assert await browser.run("return document.querySelector('.alarm').dataset.tone") == "bad"


async def test_frozen_deliveries_wait_until_they_are_resumed(
    browser: Browser, client: Client
) -> None:
    endpoint = await Store.run(
        lambda one: endpoints.add(one, "https://example.com/", WebhookSecret.generate(), None)
    )
    await register(client, "abcdefgh")
    await move("abcdefgh", state="pending")
    await Store.run(partial(endpoints.set_failing, endpoint=endpoint.id, since=1e9))
    await Store.commit(Step(SOURCE, freezes=True))
    await browser.open(client.url)
    await browser.until_text("#alarms", "Deliveries are frozen")
    await browser.until_text("#alarms", "is failing since")

    assert "pending, until resumed" in await browser.text("#figures")
    assert "Next attempt" not in await browser.text("#alarms")


async def test_active_alerts_are_one_line_until_they_are_cleared(
    browser: Browser, client: Client
) -> None:
    known = [
        Alert("al_1", "disk.low", "disk", "warning", "it is full", 1.0, 2.0),
        Alert("al_2", "provider.down", HOSTILE, "critical", HOSTILE, 1.0, 3.0),
        Alert("al_3", "provider.down", "b-2", "critical", HOSTILE, 1.0, 3.0),
    ]
    watches = FaultWatches({alert.key: FaultWatch(0.0, 0.0, alert) for alert in known})
    client.service.alerts.evaluated(watches, ())
    await browser.open(client.url)

    await browser.until_text("#alarms", "3 active alerts")
    text = await browser.text("#alarms")
    tones = await browser.run(
        "return [...document.querySelectorAll('.alarm')].map(one => one.dataset.tone)"
    )
    client.service.alerts.evaluated(FaultWatches(), ())
    await browser.until("document.querySelectorAll('#alarms .alarm').length === 0")

    assert "disk.low, provider.down." in text
    assert "The disk is nearly full since" in text
    assert f"Provider {HOSTILE} is down since" in text
    assert "It is full" in text
    assert await browser.run("return [window.owned, document.images.length]") == [None, 0]
    assert "txtrack alerts --active" in text
    # The line that counts the alerts is not a further fault.
    assert tones == ["bad", "bad", "warn", "quiet"]


@pytest.mark.parametrize(
    ("seconds", "word", "tone"), [(90, "behind", "warn"), (400, "stalled", "bad")]
)
async def test_late_deliveries_are_amber_then_red(
    browser: Browser,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    word: str,
    tone: str,
) -> None:
    endpoint = await Store.run(
        lambda one: endpoints.add(one, "https://example.com/a-key", WebhookSecret.generate(), None)
    )
    await register(client, "abcdefgh")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - seconds)
    await move("abcdefgh", state="pending")
    monkeypatch.setattr(time, "time", real)
    made = AttemptRecord(endpoint.id, 1, 1, real(), 0.5, "server_error", 503, f"{HOSTILE} 503")
    await Store.run(lambda one: attempts.add(one, made, trim=True))
    await Store.run(lambda one: endpoints.set_failing(one, endpoint.id, real() - seconds))

    await browser.open(client.url)
    await browser.until_text("#alarms", f"Deliveries are {word} since")
    tones = await browser.run(
        "return Object.fromEntries([...document.querySelectorAll('#figures .card')]"
        ".map(card => [card.querySelector('dt').innerText, card.dataset.tone ?? null]))"
    )
    alarms = await browser.text("#alarms")
    figures = await browser.text("#figures")

    assert (tones["Deliveries"], tones["Outbox"]) == (tone, tone)
    assert word.capitalize() in figures
    assert "Endpoint example.com is failing since" in alarms
    assert f"Last error: {HOSTILE} 503. Last attempt: " in alarms
    assert "Next attempt: " in alarms
    assert f"txtrack webhook attempts {endpoint.id}" in alarms
    assert "a-key" not in alarms
    assert await browser.run("return [window.owned, document.images.length]") == [None, 0]


async def test_many_failing_endpoints_are_counted(browser: Browser, client: Client) -> None:
    for number in range(6):
        endpoint = await Store.run(
            lambda one: endpoints.add(one, "https://example.com/", WebhookSecret.generate(), None)
        )
        await Store.run(partial(endpoints.set_failing, endpoint=endpoint.id, since=1e9 + number))

    await browser.open(client.url)
    await browser.until_text("#alarms", "3 more endpoints failing")

    assert (await browser.text("#alarms")).count("is failing since") == 3


async def test_pages_and_filters_work_by_keyboard(browser: Browser, client: Client) -> None:
    await register(client, *(f"payment{number:03}" for number in range(60)))
    await mine("payment059")
    await browser.open(f"{client.url}/#transactions")
    rows = "document.querySelector('#rows')?.rows.length"
    await browser.until(f"{rows} === 50")

    await browser.run("document.querySelector('#next').focus()")
    await browser.press(Keys.ENTER)
    await browser.until(f"{rows} === 10")
    assert await browser.text("#place") == "Page 2"
    assert await browser.run("return document.querySelector('#next').disabled") is True
    await browser.run("document.querySelector('#previous').focus()")
    await browser.press(Keys.ENTER)
    await browser.until(f"{rows} === 50")
    await browser.run("document.querySelectorAll('.chip')[3].focus()")
    await browser.press(Keys.SPACE)
    await browser.until(f"{rows} === 1")
    await browser.press(*[Keys.TAB] * 11, Keys.ENTER)
    await browser.until_text("#detail", "payment059")

    assert await browser.run("return location.hash") == (
        "#transactions?state=mined&info=payment059"
    )
    assert browser.console() == []


async def test_search_finds_the_start_of_an_id_or_metadata(
    browser: Browser, client: Client
) -> None:
    items = [{"id": "abcdefgh", "metadata": {"order": "A-17"}}, {"id": "ijklmnop"}]
    await client.post("/v1/transactions", json=items)
    await browser.open(f"{client.url}/#transactions")
    await browser.until("document.querySelector('#rows')?.rows.length === 2")

    await browser.press("/", "a-17")
    await browser.until("document.querySelector('#rows').rows.length === 1")
    await browser.until_text("#rows", "abcdefgh")
    await browser.run("document.querySelector('#search').value = ''")
    await browser.press("IJKL")
    await browser.until_text("#rows", "ijklmnop")
    await browser.run("location.reload()")
    await browser.until_text("#rows", "ijklmnop")
    await browser.press("/", "x")
    await browser.until_text(".empty", "No transaction matches.")

    assert await browser.run("return location.hash") == "#transactions?search=IJKLx"


async def test_events_during_a_lost_stream_are_shown(browser: Browser, client: Client) -> None:
    await register(client, "abcdefgh", "ijklmnop")
    await browser.open(client.url)
    await browser.until_text("#link", "Connected")
    await browser.until_text("#figures", "of 2 tracked")
    await mine("abcdefgh")
    await browser.until_text("#changes", "abcdefgh")
    client.service.feed.close()
    await browser.until_text("#link", "Connection lost: the event stream ended")

    await mine("ijklmnop")
    client.service.feed.open()

    # It went on after the last one that it had: from now on would be without this one.
    await browser.until_text("#changes", "ijklmnop")
    assert await browser.run("return document.querySelectorAll('#changes li').length") == 2


async def test_events_lost_before_the_first_one_are_shown(browser: Browser, client: Client) -> None:
    await register(client, "abcdefgh")
    await browser.open(client.url)
    await browser.until_text("#link", "Connected")
    client.service.feed.close()
    await browser.until_text("#link", "Connection lost: the event stream ended")

    await mine("abcdefgh")
    client.service.feed.open()

    await browser.until_text("#changes", "abcdefgh")


@pytest.mark.parametrize("rest", ["%2Frecheck", "%2Fwait", "/wait", "a" * 17_000])
async def test_invalid_fragment_does_not_affect_the_page(
    browser: Browser, client: Client, rest: str
) -> None:
    await register(client, "abcdefgh")

    await browser.open(f"{client.url}/#abcdefgh{rest}")

    await browser.until_text("#detail", "This is not a valid transaction id.")
    await browser.until_text("#link", "Connected")
    await browser.run("location.hash = 'abcdefgh'")
    await browser.until_text("#detail", "the source has not answered about it yet")
    assert browser.console() == []  # nothing was asked, so nothing was refused


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("Response.json({}, {status: 200})", "cannot be displayed"),
        ("Response.json({detail: 'it teaps'}, {status: 418})", "it teaps"),
    ],
)
async def test_error_of_one_transaction_does_not_affect_the_page(
    browser: Browser, client: Client, answer: str, shown: str
) -> None:
    await register(client, "abcdefgh")
    await browser.open(f"{client.url}/#transactions")
    await browser.until_text("#rows", "abcdefgh")
    await browser.until_text("#link", "Connected")
    await browser.run(
        "const real = fetch; window.streams = 0; window.fetch = (path, options) => {"
        " if (path === 'v1/stream') window.streams += 1;"
        f" return path.endsWith('abcdefgh') ? Promise.resolve({answer}) : real(path, options)}}"
    )

    await browser.run("location.hash = 'abcdefgh'")

    await browser.until_text("#detail", shown)
    # The stream is still open: if it had failed, the page would reconnect within 1.25 s.
    await asyncio.sleep(1.5)
    assert await browser.run("return window.streams") == 0
    assert await browser.text("#link") == "Connected"


HIDE = "Object.defineProperty(document, 'hidden', {get: () => !window.seen, configurable: true});"
TOLD = "document.dispatchEvent(new Event('visibilitychange'));"


def impatient(monkeypatch: pytest.MonkeyPatch, before: str = "") -> None:
    """Serve a page that pauses at once when nobody looks."""
    content, kind = FILES["/assets/main.js"]
    quick = content.replace(b"HIDDEN_MS = 60_000", b"HIDDEN_MS = 50")
    assert quick != content
    monkeypatch.setitem(FILES, "/assets/main.js", File(before.encode() + quick, kind))


async def test_hidden_page_pauses_while_the_service_is_down(
    browser: Browser, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    await browser.open(client.url)
    await browser.until_text("#link", "Connected")
    client.service.feed.close()
    await browser.until_text("#link", "Connection lost")

    await browser.run(HIDE + TOLD)

    await browser.until_text("#link", "Paused while the tab is hidden")
    client.service.feed.open()
    await browser.run("window.seen = true;" + TOLD)
    await browser.until_text("#link", "Connected")


async def test_page_opened_in_the_background_pauses(
    browser: Browser, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch, HIDE)

    await browser.open(client.url)

    await browser.until_text("#link", "Paused while the tab is hidden")
    await browser.run("window.seen = true;" + TOLD)
    await browser.until_text("#link", "Connected")


async def test_page_without_a_stream_polls(browser: Browser) -> None:
    async with serving(max_streams=1) as client:
        await register(client, "abcdefgh")
        async with client.session.get(f"{client.url}/v1/stream"):
            await browser.open(f"{client.url}/#transactions")

            await browser.until_text("#link", "without live updates")
            await browser.until_text("#rows", "abcdefgh")
            await browser.run("location.hash = 'overview'")
            await browser.until_text("#figures", "Ready")


async def test_page_fits_a_phone(browser: Browser, client: Client) -> None:
    browser.resize(360, 740)
    await register(client, "a" * 64)
    await move("a" * 64, state="pending", flags=frozenset({"stuck", "underpriced", "nonce_gap"}))
    await browser.open(client.url)
    await browser.until_text("#figures", "Ready")
    overview = await browser.run("return document.documentElement.scrollWidth")
    await browser.run("location.hash = 'transactions'")
    await browser.until_text("#rows", "pending")
    await browser.click("#rows a")
    await browser.until_text("#detail", "a" * 64)

    assert overview == 360
    assert await browser.run("return document.querySelector('#detail').scrollWidth") <= 360
