"""Feeds and pushes: hints for which the source is asked at once."""

import asyncio
from pathlib import Path

import pytest

from beamish import NoProcessError, debug
from transaction_tracker.domain import InvalidTransactionError
from transaction_tracker.follower import Poller
from transaction_tracker.sources.polled import Page
from transaction_tracker.tracker import FOLLOWER, TransactionTracker

from .support import (
    CONFIRMED,
    FAILED,
    PENDING,
    REVERSED,
    FakeSource,
    becomes,
    eventually,
    following,
    history,
    reach,
)

RARELY = {"first_delay": 1_000.0, "longest_delay": 1_000.0}


def quiet_source(**options: object) -> FakeSource:
    """Return a source that is asked once and, without a hint, not again during a test."""
    delays = {"watch_first_delay": 1_000.0, "watch_longest_delay": 1_000.0}
    return FakeSource(**(RARELY | delays | options))


def with_feed(**options: object) -> FakeSource:
    source = quiet_source(**options)
    source.has_feed = True
    source.pages[None] = Page((), None, more=False)
    return source


async def test_push_makes_the_source_be_asked_at_once() -> None:
    source = quiet_source()

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "pending")
        await eventually(lambda: source.asked["t1"] == 1)
        source.set_replies("t1", CONFIRMED)
        Poller.report("t1")

        await reach("t1", "confirmed")


async def test_push_about_an_unknown_transaction_has_no_effect() -> None:
    source = quiet_source()

    async with following(source):
        Poller.report("t1")
        await TransactionTracker.start("t2")
        await reach("t2", "pending")

        assert "t1" not in source.asked
        with pytest.raises(InvalidTransactionError):
            Poller.report("../admin")


async def test_pushes_about_unknown_transactions_are_not_kept() -> None:
    source = quiet_source(in_flight=1)
    source.held["t1"] = asyncio.Event()

    async with following(source):
        await TransactionTracker.start("t1")
        await eventually(lambda: source.asked["t1"] == 1)
        for number in range(100):
            Poller.report(f"t{number}")

        assert len((await debug.get_state(FOLLOWER))["_sweep"]) == 1
        source.held["t1"].set()


def test_push_needs_an_application() -> None:
    async def push() -> None:
        Poller.report("t1")

    with pytest.raises(NoProcessError):
        asyncio.run(push())


async def test_push_during_a_look_up_causes_another_look_up() -> None:
    source = quiet_source()
    source.held["t1"] = asyncio.Event()
    source.set_replies("t1", PENDING, CONFIRMED)

    async with following(source):
        await TransactionTracker.start("t1")
        await eventually(lambda: source.asked["t1"] == 1)
        Poller.report("t1")
        source.held["t1"].set()

        await reach("t1", "confirmed")
        assert source.asked["t1"] == 2


async def test_thousand_pushes_cause_few_look_ups() -> None:
    source = quiet_source()

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "pending")
        before = source.asked["t1"]
        for _ in range(1_000):
            Poller.report("t1")
        await TransactionTracker.start("t2")
        await reach("t2", "pending")

        assert source.asked["t1"] <= before + 2


async def test_push_about_a_confirmed_transaction_finds_its_reversal() -> None:
    source = quiet_source(watch_for=86_400, agree=1)
    source.set_replies("t1", CONFIRMED)

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "confirmed")
        source.set_replies("t1", REVERSED)
        Poller.report("t1")

        await becomes("t1", "reversed")


async def test_good_states_of_a_feed_are_facts() -> None:
    source = with_feed()
    source.set_replies("t1", None)

    async with following(source):
        await TransactionTracker.start("t1")
        await eventually(lambda: source.asked["t1"] == 1)
        entries = (("t1", PENDING), ("t2", CONFIRMED), ("t1", CONFIRMED))
        source.pages = {None: Page(entries, "p1", more=True), "p1": Page((), "p1", more=False)}

        await reach("t1", "confirmed")
        assert await history("t1") == ["pending", "confirmed"]
        assert source.asked["t1"] == 1
        assert "t2" not in source.asked


async def test_bad_states_of_a_feed_are_looked_up() -> None:
    source = with_feed(agree=1)
    source.set_replies("t1", PENDING, PENDING, FAILED)

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "pending")
        source.pages = {
            None: Page((("t1", FAILED),), "p1", more=False),
            "p1": Page((), "p1", more=False),
        }
        await eventually(lambda: source.asked["t1"] == 2)
        assert (await TransactionTracker.status("t1")).state == "pending"

        source.pages["p1"] = Page((("t1", None),), "p2", more=False)
        source.pages["p2"] = Page((), "p2", more=False)
        assert (await reach("t1", "terminal")).state == "failed"


async def test_reversal_on_the_page_of_its_confirmation_is_handled() -> None:
    source = with_feed(watch_for=86_400, agree=1)
    source.set_replies("t1", PENDING, REVERSED)

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "pending")
        source.pages = {
            None: Page((("t1", CONFIRMED), ("t1", REVERSED)), "p1", more=False),
            "p1": Page((), "p1", more=False),
        }

        await becomes("t1", "reversed")
        assert await history("t1") == ["pending", "confirmed", "reversed"]


async def test_feed_continues_at_its_place_after_a_restart(tmp_path: Path) -> None:
    source = with_feed()
    source.pages = {
        None: Page((), "p1", more=False),
        "p1": Page((), "p2", more=False),
        "p2": Page((), "p2", more=False),
    }
    async with following(source, tmp_path / "test.db"):
        await eventually(lambda: source.pages_read.count("p2") >= 2)

    source.pages_read.clear()
    async with following(source, tmp_path / "test.db"):
        await eventually(lambda: source.pages_read)

    assert set(source.pages_read) == {"p2"}


async def test_all_transactions_are_looked_up_after_a_lost_place() -> None:
    source = with_feed()
    source.pages = {None: Page((), "p1", more=False), "p1": Page((), "p1", more=False)}

    async with following(source):
        for number in range(10):
            await TransactionTracker.start(f"t{number}")
            await reach(f"t{number}", "pending")
        await eventually(lambda: "p1" in source.pages_read)
        source.default_reply = CONFIRMED
        source.pages = {None: Page((), "p9", more=False), "p9": Page((), "p9", more=False)}

        for number in range(10):
            await reach(f"t{number}", "confirmed")
        await eventually(lambda: source.pages_read[-1] == "p9")


async def test_feed_that_loses_each_place_causes_one_look_up_per_transaction() -> None:
    source = with_feed()
    source.pages = {None: Page((), "p1", more=False)}

    async with following(source):
        await TransactionTracker.start("t1")
        await reach("t1", "pending")
        before = len(source.pages_read)
        await eventually(lambda: len(source.pages_read) >= before + 8)

        assert source.asked["t1"] <= 2


async def test_feed_without_an_end_is_read_for_a_limited_number_of_pages() -> None:
    source = with_feed(feed_interval=1_000.0)
    source.pages = {None: Page((), "0", more=True)} | {
        str(number): Page((), str(number + 1), more=True) for number in range(1_000)
    }

    async with following(source):
        await eventually(lambda: len(source.pages_read) >= 20)
        await TransactionTracker.start("t1")
        await reach("t1", "pending")

        assert len(source.pages_read) == 20
