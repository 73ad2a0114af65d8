"""What is removed when somebody asks for it, and what stays all the same."""

import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select, update

from transaction_tracker.store import endpoints, outbox, pruning, reading
from transaction_tracker.store.endpoints import Secret
from transaction_tracker.store.pruning import Pruned
from transaction_tracker.store.schema import events, transactions
from transaction_tracker.store.schema import outbox as deliveries

from .support import Run, commit, confirmed, mined, register, seen, tracked

LONG_AGO = 1_000.0
BEFORE = 2_000.0


def end(run: Run, *keys: str) -> None:
    """Let transactions end, long ago."""
    register(run, *keys)
    for key in keys:
        first = mined(tracked(key))
        commit(run, events=(first, confirmed(first.tracked)))
    ended = update(transactions).where(transactions.c.id.in_(keys)).values(ended_at=LONG_AGO)
    run(lambda connection: connection.execute(ended).rowcount)


def amounts(run: Run) -> list[int]:
    """Count transactions, events and deliveries."""
    tables = (transactions, events, deliveries)
    queries = [select(func.count()).select_from(table) for table in tables]
    return run(lambda connection: [connection.scalar(query) for query in queries])


def deliver_all(run: Run, endpoint: Any) -> None:
    while some := run(outbox.due, endpoint.id, limit=9).deliveries:
        for delivery in some:
            run(outbox.delivered, delivery, 200)


@pytest.fixture
def endpoint(run: Run) -> Any:
    return run(endpoints.add, "https://example.org", Secret.generate(), None)


def test_what_ended_long_ago_goes_with_its_events(run: Run) -> None:
    end(run, "a", "b")

    assert run(pruning.prune, BEFORE) == Pruned(transactions=2, deliveries=0)
    assert amounts(run) == [0, 0, 0]


def test_what_is_open_or_ended_lately_stays(run: Run) -> None:
    end(run, "old")
    register(run, "open", "late")
    late = mined(tracked("late"))
    commit(run, events=(late, confirmed(late.tracked)))

    assert run(pruning.prune, BEFORE).transactions == 1
    assert run(reading.load, "old") is None
    assert run(reading.load, "late") == confirmed(late.tracked).tracked
    assert run(reading.load, "open") == tracked("open")


def test_no_more_is_removed_in_one_call_than_was_said(run: Run) -> None:
    end(run, "a", "b", "c")

    assert [run(pruning.prune, BEFORE, limit=2).transactions for _ in range(3)] == [2, 1, 0]


def test_those_that_ended_first_go_first(run: Run) -> None:
    end(run, "young")
    end(run, "old")
    older = update(transactions).where(transactions.c.id == "old").values(ended_at=LONG_AGO - 1)
    run(lambda connection: connection.execute(older).rowcount)

    run(pruning.prune, BEFORE, limit=1)

    assert run(reading.load, "old") is None
    assert run(reading.load, "young") is not None


@pytest.mark.parametrize("limit", [0, 1_001])
def test_a_limit_that_blocks_would_wait_for_is_refused(run: Run, limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit must be 1 to 1000, got {limit}"):
        run(pruning.prune, BEFORE, limit=limit)


def test_what_an_endpoint_is_still_to_be_told_stays(run: Run, endpoint: Any) -> None:
    end(run, "tx")

    assert run(pruning.prune, BEFORE) == Pruned(0, 0)
    assert amounts(run) == [1, 2, 2]


def test_what_an_endpoint_was_told_in_vain_stays(run: Run, endpoint: Any) -> None:
    end(run, "tx")
    (delivery,) = run(outbox.due, endpoint.id, limit=1).deliveries
    run(outbox.dead, delivery, 500, "no")
    deliver_all(run, endpoint)

    assert run(pruning.prune, BEFORE).transactions == 0


def test_what_every_endpoint_was_told_goes(run: Run, endpoint: Any) -> None:
    end(run, "tx")
    register(run, "other")
    commit(run, events=(seen(tracked("other")),))
    deliver_all(run, endpoint)

    assert run(pruning.prune, BEFORE) == Pruned(1, 0)
    assert amounts(run) == [1, 1, 1]


def test_deliveries_that_arrived_long_ago_go(run: Run, endpoint: Any) -> None:
    register(run, "tx")
    commit(run, events=(seen(tracked()),))
    deliver_all(run, endpoint)

    assert run(pruning.prune, time.time() + 9) == Pruned(0, 1)
    assert amounts(run) == [1, 1, 0]


def test_places_of_events_that_are_gone_are_not_given_again(run: Run) -> None:
    end(run, "a")
    run(pruning.prune, BEFORE)

    register(run, "b")

    assert commit(run, events=(seen(tracked("b")),)).position == 3


def test_one_that_was_removed_can_be_registered_again(run: Run) -> None:
    end(run, "tx")
    run(pruning.prune, BEFORE)

    assert register(run, "tx").rows == (replace(tracked(), version=0),)
