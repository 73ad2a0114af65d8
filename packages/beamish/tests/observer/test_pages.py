"""Pages that an application adds to the observer."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from beamish import Pid
from beamish._snapshots.encode import encoded
from beamish.observer import ObserverApp, Page, PageContent, Table

from .conftest import Observe
from .support import Worker, ask, start_workers, streaming

HOSTILE = "<img src=x onerror=window.owned=1>"


def orders(pids: list[Pid]) -> Callable[[], PageContent]:
    """Return a function that reads a page with a row for each process."""
    return lambda: PageContent(
        figures={"Orders": len(pids), "Shop": "open"},
        tables=[
            Table(
                "Orders",
                ("Order", "Process", "Paid", "Total", "Note"),
                [(f"order:{n}", pid, n % 2 == 0, n * 1.5, None) for n, pid in enumerate(pids)],
            )
        ],
    )


async def test_page_of_the_application_is_read_with_search_and_limit(observe: Observe) -> None:
    pids = await start_workers(12)
    url = await observe(pages=[Page("orders", "Orders", orders(pids))])

    session = (await ask(url, "api/session")).json
    whole = (await ask(url, "api/page?page=orders")).json
    some = (await ask(url, "api/page?page=orders&search=ORDER:1&limit=2")).json

    assert session["pages"] == [{"name": "orders", "title": "Orders"}]
    assert whole["figures"] == [["Orders", 12], ["Shop", "open"]]
    (table,) = whole["tables"]
    assert table["rows"][3] == ["order:3", {"pid": pids[3].serial}, "no", 4.5, None]
    (part,) = some["tables"]
    assert [row[0] for row in part["rows"]] == ["order:1", "order:10"]
    assert (part["matching"], part["total"]) == (3, 12)


async def test_unknown_page_lists_the_known_ones(observe: Observe) -> None:
    url = await observe(pages=[Page("orders", "Orders", PageContent)])

    found = await ask(url, "api/page?page=customers")

    assert found.status == 404
    assert found.json["error"] == "unknown page 'customers'; use orders"


async def test_page_that_waits_is_streamed(observe: Observe) -> None:
    async def read() -> PageContent:
        await asyncio.sleep(0)
        return PageContent({"Total": float("inf"), "Large": 2**60, "Other": object})

    url = await observe(pages=[Page("totals", "Totals", read)])
    async with streaming(url, "events?view=page&page=totals&every=1") as stream:
        event, found = await stream.next()

    assert event == "snapshot"
    assert dict(found["figures"]) == {
        "Total": "inf",
        "Large": str(2**60),
        "Other": "<class 'object'>",
    }


async def test_page_that_raises_does_not_end_the_observer(
    observe: Observe, caplog: pytest.LogCaptureFixture
) -> None:
    def read() -> PageContent:
        raise RuntimeError("no orders")

    url = await observe(pages=[Page("orders", "Orders", read)])
    async with streaming(url, "events?view=page&page=orders&every=1") as stream:
        event, found = await stream.next()

    assert (event, found) == ("gone", {"error": "the view could not be read; the log says why"})
    assert "no orders" in caplog.text
    assert (await ask(url, "api/session")).status == 200


@pytest.mark.browser
async def test_page_that_could_not_be_read_is_read_again(observe: Observe, browser: Any) -> None:
    async def read() -> PageContent:
        return PageContent({"Number": await Worker.add("orders", 7)})

    await browser.open(f"{await observe(pages=[Page('orders', 'Orders', read)])}#orders")
    await browser.until_text("#link", "no process 'orders'")
    await Worker.start(name="orders")

    await browser.until_text("#figures", "7")
    await browser.until_text("#link", "Live")


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        (lambda: [Page("Orders", "Orders", PageContent)], "the name of a page must be"),
        (lambda: [Page("", "Orders", PageContent)], "the name of a page must be"),
        (lambda: [Page("orders", "", PageContent)], "the title of a page must have"),
        (lambda: [Page("tree", "Tree", PageContent)], "another page has the name 'tree'"),
        (lambda: [Page("a", "A", PageContent)] * 2, "another page has the name 'a'"),
        (lambda: [Page(f"a{n}", "A", PageContent) for n in range(21)], "can have 20 pages"),
    ],
)
def test_invalid_page_is_refused(pages: Callable[[], Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ObserverApp(pages=pages())


def test_page_of_another_class_is_refused() -> None:
    with pytest.raises(TypeError, match="must be of the class Page"):
        ObserverApp(pages=["orders"])  # type: ignore[list-item]


def test_content_becomes_json() -> None:
    assert encoded(Table("a", ["b"], [])) == b'{"title":"a","columns":["b"],"rows":[]}'


@pytest.mark.browser
async def test_page_is_shown_and_leads_to_processes(observe: Observe, browser: Any) -> None:
    pids = await start_workers(12)
    rows = [(f"order:{n}", pid, HOSTILE) for n, pid in enumerate(pids)]
    content = PageContent({"Orders": 12}, [Table("Orders", ("Order", "Process", "Note"), rows)])
    await browser.open(await observe(pages=[Page("orders", "My orders", lambda: content)]))
    await browser.until_text("#pages", "My orders")

    await browser.run("[...document.querySelectorAll('#pages a')].at(-1).click()")
    await browser.until_text("#figures", "12")
    await browser.until("document.querySelectorAll('tbody tr').length === 12")
    await browser.press("/", "order:7")
    await browser.until("document.querySelectorAll('tbody tr').length === 1")
    await browser.click("tbody a")
    await browser.until_text("#detail-title", "order:7")

    assert await browser.run("return location.hash") == (
        f"#orders?search=order%3A7&info={pids[7].serial}"
    )
    assert await browser.run("return [window.owned, document.images.length]") == [None, 0]
    assert Worker.__name__ in await browser.text("#detail")
