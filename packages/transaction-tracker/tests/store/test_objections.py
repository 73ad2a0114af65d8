"""Objections of providers in the database: kept until withdrawn, or until the transaction ends."""

from dataclasses import replace
from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, Event, StandingObjection
from transaction_tracker.store import objections

from .support import Run, commit, confirmed, mined, register, seen, tracked, untracked

FIRST = StandingObjection(
    "tx", "one.test:443", "one.test-1 holds another block", False, BlockRef(10, "ten"), True
)
SECOND = replace(
    FIRST,
    provider="two.test:443",
    passes=True,
    succeeded=None,
    winner="w",
    confirmed_by=BlockRef(12, "twelve"),
)


def change(run: Run, withdrawn: Any = (), begun: Any = ()) -> None:
    run(lambda connection: objections.replace(connection, withdrawn, begun))


def stored(run: Run) -> set[StandingObjection]:
    return set(run(objections.load))


def test_objections_are_loaded_as_they_were_stored(run: Run) -> None:
    register(run, "tx")

    change(run, begun=(FIRST, SECOND))

    assert stored(run) == {FIRST, SECOND}


def test_a_withdrawn_objection_is_deleted(run: Run) -> None:
    register(run, "tx")
    change(run, begun=(FIRST, SECOND))

    change(run, withdrawn=(FIRST,))

    assert stored(run) == {SECOND}


def test_another_objection_of_a_provider_takes_the_place_of_its_former_one(run: Run) -> None:
    register(run, "tx")
    change(run, begun=(FIRST,))
    other = replace(FIRST, reason="one.test-1 has a receipt by which it reverted")

    change(run, begun=(other,))

    assert stored(run) == {other}


@pytest.mark.parametrize("end", [confirmed, untracked])
def test_objections_go_with_the_end_of_their_transaction(run: Run, end: Any) -> None:
    register(run, "tx", "other")
    change(run, begun=(FIRST, replace(FIRST, transaction="other")))

    commit(run, events=_events(end))

    assert run(_keys) == {"other"}


def test_many_objections_are_stored_and_deleted_at_once(run: Run) -> None:
    keys = [f"tx{number}" for number in range(500)]
    register(run, *keys)
    many = [replace(FIRST, transaction=key) for key in keys]

    change(run, begun=many)
    assert stored(run) == set(many)
    change(run, withdrawn=many)
    assert stored(run) == set()


def _keys(connection: Any) -> set[str]:
    query = objections.objections.select()
    return {row.transaction_id for row in connection.execute(query)}


def _events(end: Any) -> tuple[Event, ...]:
    first = seen(tracked("tx"))
    second = mined(first.tracked)
    return first, second, end(second.tracked)
