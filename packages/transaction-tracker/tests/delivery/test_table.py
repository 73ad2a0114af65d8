"""Deliveries in the database: the same on each kind of database."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, select

from transaction_tracker.domain.webhook_endpoint import MAX_ENDPOINTS, WebhookSecret
from transaction_tracker.store import (
    Step,
    StoreError,
    chain,
    committing,
    endpoints,
    outbox,
    registering,
)
from transaction_tracker.store.database import Database
from transaction_tracker.store.schema.outbox import outbox as table

from .support import SOURCE, life, wanted
from .tables import Run, add, commit, due, names


def rows(run: Run) -> int:
    return run(
        lambda connection: connection.execute(select(func.count()).select_from(table)).scalar()
    )


def test_without_endpoints_nothing_is_written(run: Run) -> None:
    commit(run, *life("tx"))

    assert rows(run) == 0


def test_endpoint_gets_events_stored_after_it_was_added(run: Run) -> None:
    commit(run, *life("before"))
    endpoint = add(run)

    commit(run, *life("after", ["pending"]))

    (delivery,) = due(run, endpoint)
    event = delivery.entry.event
    assert (event.id, event.previous, event.tracked.state) == ("after:1", "registered", "pending")
    assert delivery.attempts == 0


def test_disabled_endpoint_gets_no_new_events_and_keeps_pending_ones(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("first", ["pending"]))
    run(endpoints.disable, endpoint.id, "by hand")

    commit(run, *life("second", ["pending"]))

    assert due(run, endpoint) == []
    run(endpoints.enable, endpoint.id)
    assert names(due(run, endpoint)) == ["first:1"]


def test_endpoint_gets_only_wanted_states(run: Run) -> None:
    everything, ends = add(run), add(run, ["confirmed", "failed"])

    commit(run, *life("tx"))

    assert run(outbox.counts, everything.id) == (3, 0)
    assert names(due(run, ends)) == ["tx:3"]


def test_events_wait_only_for_events_of_their_transaction(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("one"), *life("two"))

    assert names(due(run, endpoint)) == ["one:1", "two:1"]

    run(outbox.delivered, due(run, endpoint)[0], 200)

    assert names(due(run, endpoint)) == ["two:1", "one:2"]


def test_event_waits_for_an_event_of_an_earlier_commit(run: Run) -> None:
    endpoint = add(run)
    first, second, third = life("tx")
    commit(run, first)
    (delivery,) = due(run, endpoint)
    run(outbox.failed, delivery, time.time() + 60, 500, "HTTP 500")

    commit(run, second, third)

    batch = run(outbox.due, endpoint.id, 100)
    assert batch.deliveries == ()
    assert batch.next_due == pytest.approx(time.time() + 60, abs=10)


def test_failed_delivery_stores_the_error_and_the_count(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending"]))

    run(outbox.failed, due(run, endpoint)[0], time.time(), 503, "x" * 1_000)

    (delivery,) = due(run, endpoint)
    assert (delivery.attempts, delivery.status, delivery.error) == (1, 503, "x" * 300)


def test_dead_letter_releases_the_next_event_and_is_listed(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx"))

    run(outbox.dead, due(run, endpoint)[0], None, "no answer")

    assert names(due(run, endpoint)) == ["tx:2"]
    (letter,) = run(outbox.dead_letters, endpoint.id, 0, 10)
    assert (letter.entry.event.id, letter.error, letter.attempts) == ("tx:1", "no answer", 1)
    assert run(outbox.dead_letters, endpoint.id, letter.position, 10) == []


def test_deliveries_in_flight_are_not_due(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("one", ["pending"]), *life("two", ["pending"]))
    first, second = due(run, endpoint)

    assert due(run, endpoint, busy={first.position}) == [second]


def test_batch_limit_excludes_deliveries_in_flight(run: Run) -> None:
    endpoint = add(run)
    for number in range(5):
        commit(run, *life(f"tx{number}", ["pending"]))
    first = due(run, endpoint)[0]

    batch = run(outbox.due, endpoint.id, 2, busy={first.position})

    assert names(list(batch.deliveries)) == ["tx1:1", "tx2:1"]


def test_late_result_does_not_change_a_settled_delivery(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending"]))
    (delivery,) = due(run, endpoint)
    run(outbox.delivered, delivery, 200)

    run(outbox.failed, delivery, 0.0, 500, "late")
    run(outbox.dead, delivery, 500, "later")

    assert run(outbox.counts, endpoint.id) == (0, 0)


def test_frozen_deliveries_are_not_due_and_events_wait(run: Run) -> None:
    endpoint = add(run)
    run(chain.pause_deliveries)

    commit(run, *life("tx", ["pending"]))

    batch = run(outbox.due, endpoint.id, 100)
    assert (batch.frozen, batch.deliveries) == (True, ())
    run(chain.resume_deliveries)
    assert names(due(run, endpoint)) == ["tx:1"]


def test_response_410_disables_the_endpoint_and_keeps_deliveries(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx"))

    run(outbox.refused, due(run, endpoint)[0], 410, "HTTP 410")

    found = run(endpoints.load, endpoint.id)
    assert not found.enabled
    assert "410" in found.disabled_reason
    assert run(outbox.counts, endpoint.id) == (3, 0)


def test_backlog_counts_pending_deliveries_and_their_age(run: Run) -> None:
    assert run(outbox.backlog) == outbox.Backlog(0, None)
    assert run(outbox.backlog).age_seconds == 0
    endpoint = add(run)

    commit(run, *life("tx"))

    found = run(outbox.backlog)
    assert found.pending == 3
    assert 0 <= found.age_seconds < 60
    run(outbox.delivered, due(run, endpoint)[0], 200)
    assert run(outbox.backlog).pending == 2


def test_only_old_delivered_events_are_pruned(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx"))
    run(outbox.delivered, due(run, endpoint)[0], 200)
    run(outbox.dead, due(run, endpoint)[0], 500, "HTTP 500")

    assert run(outbox.prune, time.time() - 60, 10) == 0
    assert run(outbox.prune, time.time() + 60, 10) == 1

    assert run(outbox.counts, endpoint.id) == (1, 1)


def test_removed_endpoint_removes_its_deliveries(run: Run) -> None:
    endpoint, other = add(run), add(run)
    commit(run, *life("tx"))

    assert run(outbox.clear, endpoint.id, 2) == 2
    assert run(endpoints.remove, endpoint.id)

    assert run(endpoints.load, endpoint.id) is None
    assert not run(endpoints.remove, endpoint.id)
    assert run(outbox.due, endpoint.id, 10).endpoint is None
    assert rows(run) == 3
    assert run(endpoints.load_all) == [other]


def test_number_of_endpoints_is_limited(run: Run) -> None:
    for _ in range(MAX_ENDPOINTS):
        add(run)

    with pytest.raises(StoreError, match="remove one first"):
        add(run)


def test_added_and_changed_endpoint_is_stored(run: Run) -> None:
    endpoint = add(run, ["mined"])
    assert run(endpoints.load, endpoint.id) == endpoint

    changed = run(endpoints.change, endpoint.id, "https://example.org/", None)

    assert (changed.url, changed.states) == ("https://example.org/", None)
    assert changed.secret == endpoint.secret
    assert run(endpoints.change, "ep_other", "https://example.org/", None) is None


def test_old_secret_is_valid_until_the_overlap_ends(run: Run) -> None:
    endpoint, new = add(run), WebhookSecret.generate()

    rotated = run(endpoints.rotate, endpoint.id, new, 60.0)

    now = time.time()
    assert rotated.valid_secrets(now) == (new, endpoint.secret)
    assert rotated.valid_secrets(now + 61) == (new,)


@pytest.mark.parametrize("what", ["due", "settle", "enqueue"])
def test_queries_of_each_block_use_an_index(tmp_path: Path, what: str) -> None:
    """A backlog of a million deliveries at one endpoint must not delay blocks."""
    database = Database(tmp_path / "test.db").open()

    def plans(connection: Connection) -> list[str]:
        endpoint = endpoints.add(connection, "https://example.com/", WebhookSecret.generate(), None)
        registering.register(connection, wanted("tx", "other"))
        committing.commit(connection, Step(SOURCE, events=tuple(life("tx"))))
        (first,) = outbox.due(connection, endpoint.id, 10).deliveries
        with explained(connection) as found:
            match what:
                case "due":
                    outbox.due(connection, endpoint.id, 10)
                case "settle":
                    outbox.delivered(connection, first, 200)
                case "enqueue":
                    committing.commit(connection, Step(SOURCE, events=tuple(life("other"))))
        return found

    (found,) = database.run([plans])
    database.close()

    assert any("outbox" in plan for plan in found)
    for plan in found:
        assert "SCAN outbox" not in plan
        # By the transaction: looking through all that wait would grow with the backlog.
        assert what != "settle" or "outbox_due" not in plan


@contextmanager
def explained(connection: Connection) -> Iterator[list[str]]:
    """Return SQLite's query plan of each statement of a block."""
    statements: list[tuple[str, Any]] = []
    plans: list[str] = []

    def note(_c: Any, _u: Any, sql: str, parameters: Any, _x: Any, many: bool) -> None:
        if not many and sql.startswith(("SELECT", "UPDATE", "INSERT INTO outbox")):
            statements.append((sql, parameters))

    event.listen(connection, "before_cursor_execute", note)
    yield plans
    event.remove(connection, "before_cursor_execute", note)
    for sql, parameters in statements:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
        plans += [str(row) for row in rows]
