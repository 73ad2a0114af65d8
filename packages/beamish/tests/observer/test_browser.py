"""The pages in a real browser: what they show, keys, actions, sign-in, and reconnection."""

import asyncio
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys

from beamish import DynamicSupervisor, GenServer, Pid, Registry, Supervisor, debug, process
from beamish.observer import Observer

from .conftest import Observe
from .support import REGISTRY, TOKEN, WORKERS, Employer, Worker, start_workers, until

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=window.owned=1>"
PAGES = ("overview", "processes", "tree", "supervisors", "registries", "crashes", "metrics")

CONTRAST = """
const luminance = (color) => {
  const parts = color.match(/[\\d.]+/g).slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = getComputedStyle(at).backgroundColor;
    if (!/, 0\\)$|transparent/.test(color)) return color;
  }
  return "rgb(255, 255, 255)";
};
const low = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || element.namespaceURI.endsWith("svg") || !element.checkVisibility()) continue;
  if (element.matches(".unseen, option, #skip")) continue;
  const [a, b] = [luminance(getComputedStyle(element).color), luminance(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) low.push(`${element.tagName} ${element.textContent}: ${ratio}`);
}
return low;
"""


def first() -> Pid:
    pid = process.whereis("first")
    assert pid is not None
    return pid


async def viewers(pid: Pid, count: int) -> None:
    """Wait until an observer has so many open streams."""
    await until(lambda: pid._process.server._app.viewers == count)


async def rows(browser: Any, column: int) -> list[str]:
    lines = "[...document.querySelectorAll('tbody tr')]"
    script = f"return {lines}.map((line) => line.cells[arguments[0]].innerText)"
    found: list[str] = await browser.run(script, column)
    return found


async def test_overview_shows_figures_and_draws_charts(observe: Observe, browser: Any) -> None:
    await start_workers(3)
    await browser.open(await observe())

    await browser.until_text("#link", "Live")
    await browser.until_text("#figures", str(len(process.processes())))
    await browser.until_text("table", "Worker")
    await browser.until("document.querySelectorAll('.chart polyline').length >= 3")
    label = await browser.run("return document.querySelector('.chart').getAttribute('aria-label')")

    assert label.startswith("Processes: now ")
    assert browser.console() == []


async def test_pages_say_which_charts_begin_when_they_are_opened(
    observe: Observe, browser: Any
) -> None:
    url = await observe()

    await browser.open(f"{url}#overview")
    await browser.until_text("#inside", "Messages are counted only while an overview is open")
    await browser.run("location.hash = 'metrics'")
    await browser.until_text("#inside", "since this page was opened, when its charts begin")


async def test_header_sorts_and_the_order_survives_a_reload(observe: Observe, browser: Any) -> None:
    for _ in range(9):
        await Worker.add("second", 1)
    url = await observe()
    await browser.open(f"{url}#processes?search=first")
    await browser.until("document.querySelectorAll('tbody tr').length === 1")
    await browser.open(f"{url}#processes")
    await browser.until("document.querySelectorAll('tbody tr').length > 5")

    await browser.click("th:nth-child(7) button")
    await browser.until("document.querySelector('th:nth-child(7)').ariaSort === 'descending'")
    await browser.until("document.querySelector('tbody tr').cells[1].innerText === 'second'")
    await browser.click("th:nth-child(7) button")
    await browser.until("document.querySelector('th:nth-child(7)').ariaSort === 'ascending'")
    await browser.run("location.reload()")
    await browser.until("document.querySelector('th:nth-child(7)')?.ariaSort === 'ascending'")
    counts = [int(count.replace(",", "")) for count in await rows(browser, 6)]

    assert counts == sorted(counts)


async def test_search_by_keyboard_and_open_a_row(observe: Observe, browser: Any) -> None:
    pids = await start_workers(30)
    await browser.open(f"{await observe()}#processes")
    await browser.until("document.querySelectorAll('tbody tr').length > 30")

    await browser.press("/", "order:17")
    await browser.until("document.querySelectorAll('tbody tr').length === 1")
    focused = await browser.run("return document.activeElement.id")
    await browser.press(Keys.TAB)
    await browser.run("document.activeElement.blur()")
    await browser.press("j", Keys.ENTER)
    await browser.until_text("#detail-title", f"order:17 {pids[17]!r}")
    address = await browser.run("return location.hash")
    await browser.press(Keys.ESCAPE)
    await browser.until("!document.querySelector('#detail').open")

    assert focused == "search"
    assert address == f"#processes?search=order%3A17&info={pids[17].serial}"
    assert await browser.run("return location.hash") == "#processes?search=order%3A17"


async def test_rows_stay_in_place_under_the_pointer(observe: Observe, browser: Any) -> None:
    await start_workers(2)
    await browser.open(f"{await observe()}#processes?search=order&sort=handled")
    await browser.until("document.querySelectorAll('tbody tr').length === 2")
    before = await rows(browser, 1)
    await browser.run("document.querySelector('tbody a').focus()")

    last = Registry.whereis(REGISTRY, before[-1])
    assert last is not None
    for _ in range(20):
        await Worker.add(last, 1)
    await DynamicSupervisor.start_child(
        WORKERS, Worker.child_spec(name=Registry.via(REGISTRY, "order:new"))
    )
    await browser.until("document.querySelectorAll('tbody tr')[1].cells[6].innerText === '20'")
    await browser.until_text(".tabular", "1 new; move the pointer out")
    held = await rows(browser, 1)
    await browser.run("document.activeElement.blur()")
    await browser.until("document.querySelectorAll('tbody tr').length === 3")

    assert held == before
    assert (await rows(browser, 1))[0] == before[-1]


async def test_empty_search_says_so(observe: Observe, browser: Any) -> None:
    await browser.open(f"{await observe()}#processes?search=nothing+like+it")

    await browser.until_text(".empty", "No process matches.")
    await browser.open(f"{await observe()}#crashes")
    await browser.until_text("#inside", "Nothing has crashed since the observer began to record.")


async def test_detail_shows_state_and_links_lead_on(observe: Observe, browser: Any) -> None:
    await browser.open(f"{await observe()}#processes?info=first")
    await browser.until_text("#detail-title", f"first {first()!r}")
    await browser.until_text("#detail", "Links (1)")

    await browser.click("#read-state")
    await browser.until_text("#detail", "'<hidden>'")
    text = await browser.text("#detail")
    pair = process.whereis("Test.Pair")
    assert pair is not None
    await browser.click(f"#detail a[data-pid='{pair.serial}']")
    await browser.until_text("#detail-title", "Test.Pair")
    await browser.until_text("#detail", "one_for_one")
    await browser.until_text("#detail table", "second")

    assert "hunter2" not in text
    assert "Kill" not in text


async def test_process_that_exits_is_reported_in_its_drawer(observe: Observe, browser: Any) -> None:
    pid = process.spawn(asyncio.Event().wait)
    await browser.open(f"{await observe()}#processes?info={pid.serial}")
    await browser.until_text("#detail", "Event.wait")

    process.exit(pid, "kill")

    await browser.until_text("#detail", "it has exited, or never was")


async def test_kill_needs_a_confirmation(observe: Observe, browser: Any) -> None:
    before = first()
    await browser.open(f"{await observe(allow_actions=True)}#processes?info={before.serial}")
    await browser.until_text("#detail", "Kill")

    await browser.click("[data-action=kill]")
    await browser.until_text("#confirm", "cannot clean up")
    await browser.press(Keys.ESCAPE)
    await browser.until("!document.querySelector('#confirm').open")
    assert first() is before
    await browser.click("[data-action=kill]")
    await browser.until_text("#confirm", f"Kill {before!r}?")
    await browser.click("#confirm-yes")
    await browser.until_text("#detail", f"{before!r}: killed")

    await until(lambda: process.whereis("first") not in (None, before))


async def test_suspend_changes_into_resume(observe: Observe, browser: Any) -> None:
    await browser.open(f"{await observe(allow_actions=True)}#processes?info=first")
    await browser.until_text("#detail", "Suspend")

    await browser.click("[data-action=suspend]")
    await browser.click("#confirm-yes")
    await browser.until_text(".actions", "Resume")
    status = (await debug.get_status("first")).status
    await browser.click("[data-action=resume]")
    await browser.click("#confirm-yes")
    await browser.until_text(".actions", "Suspend")

    assert status == "suspended"
    assert (await debug.get_status("first")).status == "running"


async def test_refused_action_says_why(observe: Observe, browser: Any) -> None:
    (pid,) = await start_workers(1)
    await browser.open(f"{await observe(allow_actions=True)}#processes?info={pid.serial}")
    await browser.until_text("#detail", "Restart")

    await browser.click("[data-action=restart]")
    await browser.click("#confirm-yes")

    await browser.until_text("#detail", "kill it, and its supervisor restarts it")
    assert "409" in "".join(browser.console())  # the browser's own line


async def test_trace_streams_until_it_is_stopped(observe: Observe, browser: Any) -> None:
    await browser.open(f"{await observe(allow_actions=True)}#processes?info=first")
    await browser.until_text("#detail", "Trace for 60 s")

    await browser.click("#trace")
    await browser.click("#confirm-yes")
    await until(lambda: first()._process.debugging)
    await Worker.add("first", 41)
    await browser.until_text(".traced", "handled add, which returned 42")
    await browser.click("#trace")
    await browser.until_text("#detail", "Stopped")

    await until(lambda: first()._process.debugging is None)


@pytest.mark.parametrize("kind", ["list", "drawing"])
async def test_tree_opens_and_closes_supervisors(observe: Observe, browser: Any, kind: str) -> None:
    await start_workers(40)
    await browser.open(f"{await observe()}#tree?as={kind}")
    await browser.until_text("#inside", "+ 10 more")
    sign = "[aria-label='Close Test.Workers']"
    await browser.until("document.querySelector(arguments[0])", sign)

    await browser.run("document.querySelector(arguments[0]).focus()", sign)
    await browser.press(Keys.ENTER)
    await browser.until("document.querySelector('[aria-label=\"Open Test.Workers\"]')")
    text = await browser.text("#inside")
    focused = await browser.run("return document.activeElement.getAttribute('aria-label')")
    await browser.run("location.reload()")
    await browser.until("document.querySelector('[aria-label=\"Open Test.Workers\"]')")
    await browser.press(Keys.TAB)

    assert "order:3" not in text
    assert "second" in text
    assert focused == "Open Test.Workers"


@pytest.mark.parametrize("kind", ["list", "drawing"])
async def test_restart_and_linked_process_are_seen_in_the_tree(
    observe: Observe, browser: Any, kind: str
) -> None:
    employer = await Supervisor.start_child("Test.Pair", Employer.child_spec(name="employer"))
    helper = await Employer.hire(employer)
    await browser.open(f"{await observe()}#tree?as={kind}")
    await browser.until("document.querySelector(arguments[0])", f"[data-pid='{helper.serial}']")
    dashed = "return document.querySelectorAll(arguments[0]).length"
    edges = await browser.run(dashed, ".drawing .dashed, .branches .linked-processes")
    before = await browser.text("#inside")

    GenServer.cast("first", "fail")
    await browser.until_text("#inside", "restarted")

    text = await browser.text("#inside")
    assert edges == 1
    assert "restarted" not in before
    assert text.count("restarted") == 1
    assert "1 of 5" in text


async def test_drawing_of_the_tree_begins_with_its_root(observe: Observe, browser: Any) -> None:
    await start_workers(20)
    await browser.open(f"{await observe()}#tree?as=drawing")
    await browser.until_text(".drawing", "Test.Top")

    tops = await browser.run(
        "return [...document.querySelectorAll('.drawing text')]"
        ".map(one => [Math.round(one.getBoundingClientRect().top), one.textContent])"
    )

    assert min(tops)[0] == next(top for top, text in tops if text == "Test.Top")


async def test_large_tree_is_a_list_by_default(observe: Observe, browser: Any) -> None:
    await start_workers(250)
    await browser.open(f"{await observe()}#tree?limit=500")

    await browser.until_text(".branches", "order:249")
    await browser.press("/", "order:249")
    await browser.until("document.querySelectorAll('.branches li').length === 3")


@pytest.mark.parametrize("kind", ["list", "drawing"])
async def test_search_of_the_tree_finds_what_is_not_shown(
    observe: Observe, browser: Any, kind: str
) -> None:
    pids = await start_workers(60)
    found = f"[data-pid='{pids[59].serial}']"
    await browser.open(f"{await observe()}#tree?as={kind}&open=0")
    await browser.until_text("#inside", "processes are shown")
    assert await browser.run("return document.querySelector(arguments[0])", found) is None

    await browser.press("/", "order:59")

    await browser.until("document.querySelector(arguments[0])", found)
    await browser.until_text("#inside", "1 process matches the search")
    shown = await browser.run("return document.querySelectorAll('#inside [data-pid]').length")
    assert shown == 3  # the match, its supervisor, and the root
    assert "search=order%3A59" in await browser.run("return location.hash")
    await browser.run("document.querySelector('#search').select()")
    await browser.press(Keys.DELETE)
    await browser.until_text("#inside", "processes are shown")
    assert browser.console() == []


async def test_supervisors_show_restarts_used_of_those_allowed(
    observe: Observe, browser: Any
) -> None:
    await browser.open(f"{await observe()}#supervisors")
    await browser.until_text("table", "0 of 5 in 600")
    before = first()

    process.exit(before, "kill")

    await browser.until_text("tbody tr:first-child", "Test.Pair")
    await browser.until_text("tbody tr:first-child", "1 of 5 in 600")


async def test_registry_shows_its_entries(observe: Observe, browser: Any) -> None:
    await start_workers(12)
    await browser.open(f"{await observe()}#registries")
    await browser.until_text("table", REGISTRY)

    await browser.click("tbody a")
    await browser.until_text("#entries-title", f"Entries of {REGISTRY}")
    await browser.until(
        "document.querySelectorAll('section:nth-of-type(2) tbody tr').length === 12"
    )
    await browser.enter("#search", "order:11")
    await browser.until("document.querySelectorAll('section:nth-of-type(2) tbody tr').length === 1")


async def test_crash_appears_with_its_traceback(observe: Observe, browser: Any) -> None:
    await browser.open(f"{await observe()}#crashes")
    await browser.until_text("#inside", "Nothing has crashed")

    Worker.cast("first", HOSTILE)
    await browser.until_text("summary", f"ValueError: {HOSTILE}")
    await browser.click("summary")
    await browser.until_text("pre", "in handle_cast")

    assert await browser.run("return [window.owned, document.images.length]") == [None, 0]
    assert browser.console() == []


async def test_metrics_appear_while_they_are_watched(observe: Observe, browser: Any) -> None:
    await browser.open(f"{await observe()}#metrics")
    await browser.until_text("#inside", "No event has occurred")

    for _ in range(3):
        await Worker.add("first", 1)

    await browser.until_text("table", "beamish.call.stop")
    await browser.until_text(".charts", "Calls per second")
    # Two snapshots later, the charts show what has happened between them.
    await browser.until("document.querySelectorAll('.chart polyline').length >= 2")
    assert browser.console() == []


async def test_hostile_names_are_shown_as_text(observe: Observe, browser: Any) -> None:
    name = f"{HOSTILE}\u202ereversed"
    spec = Worker.child_spec(name=Registry.via(REGISTRY, name))
    pid = await DynamicSupervisor.start_child(WORKERS, spec)
    url = await observe()
    for page in (f"processes?info={pid.serial}", "tree?as=list", "tree?as=drawing"):
        await browser.open("about:blank")
        await browser.open(f"{url}#{page}")
        await browser.until("document.body.innerText.includes('<img')")
        assert "\u202e" not in await browser.text("body")

    assert await browser.run("return [window.owned, document.images.length]") == [None, 0]
    assert browser.console() == []


# -- The connection


async def test_page_reconnects_after_a_restart_of_the_observer(program: Pid, browser: Any) -> None:
    pid = await Observer.start(port=0)
    url = await Observer.url(pid) or ""
    port = int(url.rstrip("/").rpartition(":")[2])
    await browser.open(f"{url}#processes")
    await browser.until_text("#link", "Live")

    await Observer.stop(pid, "shutdown")
    await browser.until_text("#link", "Connection lost")
    stale = await browser.run("return 'stale' in document.querySelector('#inside').dataset")
    again = await Observer.start(port=port)
    await browser.until_text("#link", "Live")

    assert stale is True
    await browser.until("!('stale' in document.querySelector('#inside').dataset)")
    await Observer.stop(again, "shutdown")


async def test_paused_and_closed_pages_have_no_stream(program: Pid, browser: Any) -> None:
    pid = await Observer.start(port=0)
    await browser.open(f"{await Observer.url(pid)}#processes?info=first")
    await viewers(pid, 2)

    await browser.press(Keys.ESCAPE)
    await viewers(pid, 1)
    await browser.click("#pause")
    await viewers(pid, 0)
    await browser.until_text("#link", "Paused")
    await browser.click("#pause")
    await viewers(pid, 1)
    await browser.open("about:blank")
    await viewers(pid, 0)

    await Observer.stop(pid, "shutdown")


async def test_refresh_is_remembered(observe: Observe, browser: Any) -> None:
    await browser.open(await observe())
    await browser.until_text("#link", "Live")

    await browser.run(
        "const every = document.querySelector('#every');"
        "every.value = '5'; every.dispatchEvent(new Event('change'))"
    )
    await browser.run("location.reload()")
    await browser.until_text("#link", "Live")

    assert await browser.run("return document.querySelector('#every').value") == "5"
    await browser.run("localStorage.clear()")


async def test_sign_in_and_out(observe: Observe, browser: Any) -> None:
    await browser.open(await observe(token=TOKEN))
    await browser.until_text("#door", "This service requires a token.")
    await browser.enter("#token", "not-the-right-token")
    await browser.until_text("#door", "The token is unknown, expired or revoked")
    await browser.enter("#token", TOKEN)
    await browser.until_text("#link", "Live")
    await browser.run("location.reload()")
    await browser.until_text("#link", "Live")

    await browser.click("#forget")

    await browser.until_text("#door", "This service requires a token.")
    assert await browser.run("return sessionStorage.length") == 0


# -- For everybody


@pytest.mark.parametrize("dark", [False, True])
async def test_every_text_has_enough_contrast(observe: Observe, browser: Any, dark: bool) -> None:
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    Worker.cast("first", "a bad request")
    url = await observe(allow_actions=True)
    await browser.open(url)

    for page in (*PAGES, "processes?info=second"):
        await browser.run("location.hash = arguments[0]", page)
        await browser.until_text("#link", "Live")
        await browser.until("document.querySelector('#inside').innerText.length > 40")
        assert await browser.run(CONTRAST) == [], page
    browser._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


async def test_everything_that_can_be_used_has_a_name(observe: Observe, browser: Any) -> None:
    url = await observe(allow_actions=True)
    await browser.open(url)
    used = ("button", "link", "textbox", "searchbox", "combobox", "img", "table", "navigation")

    for page in (*PAGES, "tree?as=list", "processes?info=second"):
        await browser.run("location.hash = arguments[0]", page)
        await browser.until_text("#link", "Live")
        await browser.until("document.querySelector('#inside').innerText.length > 40")
        nodes = browser._driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        nameless = [
            node
            for node in nodes
            if node.get("role", {}).get("value") in used
            and not node.get("ignored")
            and not node.get("name", {}).get("value")
        ]
        assert nameless == [], page


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
async def test_no_page_scrolls_sideways(
    observe: Observe, browser: Any, size: tuple[int, int]
) -> None:
    await start_workers(40)
    spec = Worker.child_spec(name=Registry.via(REGISTRY, "0x" + "a" * 64))
    pid = await DynamicSupervisor.start_child(WORKERS, spec)
    browser.resize(*size)
    await browser.open(await observe(allow_actions=True))
    GenServer.cast(pid, "fail")
    await until(lambda: not process.is_alive(pid))

    for page in (*PAGES, "tree?as=list", "tree?as=drawing", "processes?info=second"):
        await browser.run("location.hash = arguments[0]", page)
        await browser.until_text("#link", "Live")
        await browser.until("document.querySelector('#inside').innerText.length > 40")
        wide = await browser.run("return document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, page


async def test_skip_link_leads_past_the_navigation(observe: Observe, browser: Any) -> None:
    await browser.open(f"{await observe()}#processes")
    await browser.until_text("#link", "Live")

    await browser.press(Keys.TAB)
    await browser.until("document.activeElement.id === 'skip'")
    await browser.press(Keys.ENTER)

    await browser.until("document.activeElement.id === 'main'")
    assert await browser.run("return location.hash") == "#processes"


async def test_reduced_motion_has_no_transitions(observe: Observe, browser: Any) -> None:
    reduced = {"name": "prefers-reduced-motion", "value": "reduce"}
    browser._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [reduced]})
    await browser.open(await observe())
    await browser.until_text("#link", "Live")

    script = "return getComputedStyle(document.querySelector('#inside')).transitionProperty"
    assert await browser.run(script) == "none"
    browser._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
