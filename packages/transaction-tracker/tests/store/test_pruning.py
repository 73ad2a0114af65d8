"""Removal of old transactions and deliveries."""

import time
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select, update

from transaction_tracker.domain.webhook_endpoint import WebhookSecret
from transaction_tracker.store import endpoints, outbox, pruning, reading
from transaction_tracker.store.pruning import Pruned
from transaction_tracker.store.schema import events, transactions
from transaction_tracker.store.schema import outbox as deliveries

from .support import Run, commit, confirmed, mined, register, seen, tracked

LONG_AGO = 1_000.0
BEFORE = 2_000.0


def end(run: Run, *keys: str) -> None:
    """Store transactions that became final long ago."""
    register(run, *keys)
    for key in keys:
        first = mined(tracked(key))
        commit(run, events=(first, confirmed(first.tracked)))
    ended = update(transactions).where(transactions.c.id.in_(keys)).values(ended_at=LONG_AGO)
    run(lambda connection: connection.execute(ended).rowcount)


def amounts(run: Run) -> list[int]:
    """Return the number of transactions, events and deliveries."""
    tables = (transactions, events, deliveries)
    queries = [select(func.count()).select_from(table) for table in tables]
    return run(lambda connection: [connection.scalar(query) for query in queries])


def deliver_all(run: Run, endpoint: Any) -> None:
    while some := run(outbox.due, endpoint.id, limit=9).deliveries:
        for delivery in some:
            run(outbox.delivered, delivery, 200)


@pytest.fixture
def endpoint(run: Run) -> Any:
    return run(endpoints.add, "https://example.org", WebhookSecret.generate(), None)


def test_old_finished_transaction_is_removed_with_its_events(run: Run) -> None:
    end(run, "a", "b")

    assert run(pruning.prune, BEFORE) == Pruned(transactions=2, deliveries=0)
    assert amounts(run) == [0, 0, 0]


def test_open_or_recently_finished_transaction_is_kept(run: Run) -> None:
    end(run, "old")
    register(run, "open", "late")
    late = mined(tracked("late"))
    commit(run, events=(late, confirmed(late.tracked)))

    assert run(pruning.prune, BEFORE).transactions == 1
    assert run(reading.load, "old") is None
    assert run(reading.load, "late") == confirmed(late.tracked).tracked
    assert run(reading.load, "open") == tracked("open")


def test_at_most_limit_transactions_are_removed_per_call(run: Run) -> None:
    end(run, "a", "b", "c")

    assert [run(pruning.prune, BEFORE, limit=2).transactions for _ in range(3)] == [2, 1, 0]


def test_oldest_transactions_are_removed_first(run: Run) -> None:
    end(run, "young")
    end(run, "old")
    older = update(transactions).where(transactions.c.id == "old").values(ended_at=LONG_AGO - 1)
    run(lambda connection: connection.execute(older).rowcount)

    run(pruning.prune, BEFORE, limit=1)

    assert run(reading.load, "old") is None
    assert run(reading.load, "young") is not None


@pytest.mark.parametrize("limit", [0, 1_001])
def test_limit_that_would_delay_blocks_raises(run: Run, limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit must be 1 to 1000, got {limit}"):
        run(pruning.prune, BEFORE, limit=limit)


def test_transaction_with_a_pending_delivery_is_kept(run: Run, endpoint: Any) -> None:
    end(run, "tx")

    assert run(pruning.prune, BEFORE) == Pruned(0, 0)
    assert amounts(run) == [1, 2, 2]


def test_transaction_with_a_dead_letter_is_kept(run: Run, endpoint: Any) -> None:
    end(run, "tx")
    (delivery,) = run(outbox.due, endpoint.id, limit=1).deliveries
    run(outbox.dead, delivery, 500, "no")
    deliver_all(run, endpoint)

    assert run(pruning.prune, BEFORE).transactions == 0


def test_transaction_with_only_delivered_events_is_removed(run: Run, endpoint: Any) -> None:
    end(run, "tx")
    register(run, "other")
    commit(run, events=(seen(tracked("other")),))
    deliver_all(run, endpoint)

    assert run(pruning.prune, BEFORE) == Pruned(1, 0)
    assert amounts(run) == [1, 1, 1]


def test_old_delivered_deliveries_are_removed(run: Run, endpoint: Any) -> None:
    register(run, "tx")
    commit(run, events=(seen(tracked()),))
    deliver_all(run, endpoint)

    assert run(pruning.prune, time.time() + 9) == Pruned(0, 1)
    assert amounts(run) == [1, 1, 0]


def test_positions_of_removed_events_are_not_reused(run: Run) -> None:
    end(run, "a")
    run(pruning.prune, BEFORE)

    register(run, "b")

    assert commit(run, events=(seen(tracked("b")),)).position == 3


def test_removed_transaction_can_be_registered_again(run: Run) -> None:
    end(run, "tx")
    run(pruning.prune, BEFORE)

    assert register(run, "tx").rows == (replace(tracked(), version=0),)
