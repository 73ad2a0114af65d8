"""Confirmed transactions to watch, and bookmarks of feeds, on each database."""

import time

import pytest

from transaction_tracker.store import Step, reading, watched

from .support import SOURCE, Run, confirmed, mined, register, seen, tracked


def confirm(run: Run, *keys: str) -> None:
    register(run, *keys)
    events = []
    for key in keys:
        first = mined(tracked(key))
        events += [first, confirmed(first.tracked)]
    run(watched.commit_page, Step(SOURCE, tuple(events)), "p1")


def test_recently_confirmed_transactions_are_listed(run: Run) -> None:
    before = time.time()
    confirm(run, "a", "b")
    register(run, "open")

    found = run(watched.confirmed_since, before)

    assert {transaction.id for transaction in found} == {"a", "b"}
    assert all(before <= transaction.at <= time.time() for transaction in found)
    assert run(watched.confirmed_since, time.time() + 1) == []


def test_only_final_transactions_are_read(run: Run) -> None:
    confirm(run, "a")
    register(run, "open")

    (found,) = run(watched.load_ended, {"a", "open", "unknown"})

    assert (found.id, found.state, found.version) == ("a", "confirmed", 2)


def test_feed_has_no_bookmark_before_its_first_page(run: Run) -> None:
    assert run(watched.bookmark, SOURCE) is None


def test_page_moves_the_bookmark(run: Run) -> None:
    for place in ("p1", "p2", None, "p3"):
        run(watched.commit_page, Step(SOURCE), place)

        assert run(watched.bookmark, SOURCE) == place


def test_page_and_its_bookmark_are_written_together_or_not_at_all(run: Run) -> None:
    (row,) = register(run, "a").rows
    events = (seen(row),)

    def fail(connection: object) -> None:
        watched.commit_page(connection, Step(SOURCE, events), "p1")  # type: ignore[arg-type]
        raise LookupError("killed")

    with pytest.raises(LookupError):
        run(fail)

    assert run(watched.bookmark, SOURCE) is None
    loaded = run(reading.load, "a")
    assert loaded.state == "registered"
