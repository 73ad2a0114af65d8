"""Redeliveries in the database."""

import time

from transaction_tracker.store import (
    outbox,
)

from .support import life
from .tables import Run, add, commit, due, names


def test_dead_letters_are_redelivered_in_order(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx"))
    for _ in range(2):
        run(outbox.dead, due(run, endpoint)[0], 500, "HTTP 500")
    assert names(due(run, endpoint)) == ["tx:3"]

    assert run(outbox.again_dead, endpoint.id, 10) == 2

    assert names(due(run, endpoint)) == ["tx:1"]
    assert run(outbox.again_dead, endpoint.id, 10) == 0


def test_dead_letters_are_redelivered_in_batches_the_oldest_first(run: Run) -> None:
    endpoint = add(run)
    for number in range(3):
        commit(run, *life(f"tx{number}", ["pending"]))
    for delivery in due(run, endpoint):
        run(outbox.dead, delivery, 500, "HTTP 500")

    assert run(outbox.again_dead, endpoint.id, 2) == 2

    assert names(due(run, endpoint)) == ["tx0:1", "tx1:1"]


def test_delivered_event_can_be_redelivered(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending"]))
    (delivery,) = due(run, endpoint)
    run(outbox.delivered, delivery, 200)

    assert run(outbox.again, endpoint.id, delivery.position) == 1

    assert names(due(run, endpoint)) == ["tx:1"]
    assert run(outbox.again, endpoint.id, 999) == 0
    assert run(outbox.again, "ep_other", delivery.position) == 0


def test_event_in_flight_waits_for_a_redelivered_earlier_event(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending", "mined"]))
    (first,) = due(run, endpoint)
    run(outbox.delivered, first, 200)
    (second,) = due(run, endpoint)

    run(outbox.again, endpoint.id, first.position)
    run(outbox.failed, second, 0.0, 500, "HTTP 500")

    assert names(due(run, endpoint)) == ["tx:1"]


def test_due_time_of_an_earlier_event_is_unchanged_by_a_later_delivery(run: Run) -> None:
    endpoint = add(run)
    commit(run, *life("tx", ["pending", "mined"]))
    (first,) = due(run, endpoint)
    run(outbox.delivered, first, 200)
    (second,) = due(run, endpoint)
    run(outbox.again, endpoint.id, first.position)
    (first,) = due(run, endpoint)
    run(outbox.failed, first, time.time() + 60, 500, "HTTP 500")

    run(outbox.delivered, second, 200)

    assert due(run, endpoint) == []


def test_redelivery_from_a_position_includes_events_never_delivered(run: Run) -> None:
    commit(run, *life("early"))
    endpoint = add(run)
    commit(run, *life("late"))
    run(outbox.delivered, due(run, endpoint)[0], 200)

    count, more = run(outbox.again_since, endpoint, 1, 3)
    assert (count, more) == (3, 4)
    count, more = run(outbox.again_since, endpoint, 4, 3)
    assert (count, more) == (2, None)

    assert names(due(run, endpoint)) == ["early:2", "late:1"]
    assert run(outbox.counts, endpoint.id) == (5, 0)


def test_redelivery_respects_the_states_that_an_endpoint_wants(run: Run) -> None:
    commit(run, *life("tx"))
    endpoint = add(run, ["confirmed"])

    assert run(outbox.again_since, endpoint, 0, 100) == (1, None)

    assert names(due(run, endpoint)) == ["tx:3"]
