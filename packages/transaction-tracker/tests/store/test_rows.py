"""Each transaction is loaded from each database as it was stored."""

from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import Connection

from transaction_tracker.domain import (
    FLAGS,
    REASONS,
    STATES,
    TAGS,
    BlockRef,
    Event,
    FeeScope,
    Flag,
    Outcome,
    Sighting,
    Tracked,
)
from transaction_tracker.store import bulk, feed, reading, rows
from transaction_tracker.store.database import Database
from transaction_tracker.store.schema import transactions

from .support import Run, commit, open_ones, register, tracked

# Ids have the form of their source; only errors can be any text.
NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=100)
TIME = st.floats(0, 1e11)
HEIGHT = st.integers(0, 2**63 - 1)
AMOUNT = st.integers(0, 2**512)
TRACKED = st.builds(
    Tracked,
    id=NAME,
    required=st.integers(1, 10**6) | st.sampled_from(TAGS),
    state=st.sampled_from(STATES),
    version=st.integers(0, 2**31 - 1),
    slots=st.lists(NAME, max_size=3).map(tuple),
    content=st.none() | st.text("0123456789abcdef", max_size=64),
    anchor=st.none() | st.builds(BlockRef, HEIGHT, NAME),
    outcome=st.none()
    | st.builds(
        Outcome,
        st.booleans(),
        st.none() | AMOUNT,
        st.none() | NAME,
        st.sampled_from(get_args(FeeScope)),
    ),
    superseded_by=st.none() | NAME,
    reason=st.none() | st.sampled_from(REASONS),
    error=st.none() | NAME,
    deadline=st.none() | TIME,
    waiting_since=st.none() | TIME,
    missing_since=st.none() | st.builds(Sighting, HEIGHT, TIME),
    max_fee=st.none() | AMOUNT,
    flags=st.frozensets(st.sampled_from(FLAGS)),
)

COLUMNS = (*rows.TRACKED_COLUMNS, "created_at", "updated_at")


# The database is emptied after each example.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(TRACKED, min_size=1, max_size=20, unique_by=lambda transaction: transaction.id))
def test_each_transaction_is_loaded_as_stored(database: Database, given: list[Tracked]) -> None:
    def there_and_back(connection: Connection) -> dict[str, Tracked]:
        values = [(*rows.tracked_values(transaction), 0.0, 0.0) for transaction in given]
        bulk.insert(connection, transactions, COLUMNS, values)
        found = reading.load_some(connection, [transaction.id for transaction in given])
        connection.execute(transactions.delete())
        return {transaction.id: transaction for transaction in found}

    (found,) = database.run([there_and_back])

    assert found == {transaction.id: transaction for transaction in given}


def test_transition_brings_and_removes_rare_values(run: Run) -> None:
    missing = Sighting(7, 1.5)
    odd = replace(
        tracked("odd"),
        outcome=Outcome(False, None, "out of gas"),
        superseded_by="other",
        reason="replaced",
        error="no answer",
        missing_since=missing,
        hash="taker",
        required_by="setting",
    )
    plain = tracked("plain")
    for transaction in (odd, plain):
        register(run, transaction.id)
    # Each in a step with one of the other kind.
    for version, (first, second) in enumerate(((odd, plain), (plain, odd), (odd, plain)), start=1):
        after = (
            replace(first, id="odd", version=version),
            replace(second, id="plain", version=version),
        )
        commit(run, events=tuple(Event("registered", each) for each in after))

        assert {each.id: each for each in open_ones(run)} == {each.id: each for each in after}


def test_mined_transaction_without_a_status_is_loaded_as_stored(run: Run) -> None:
    register(run, "tx")
    before = replace(
        tracked(),
        state="mined",
        version=1,
        anchor=BlockRef(10, "ten"),
        flags=frozenset(("status_unknown",)),
    )

    commit(run, events=(Event("registered", before),))

    (after,) = open_ones(run)
    assert after == before
    (entry,) = run(feed.entries, after=0, limit=9)
    assert (entry.event.tracked.outcome, entry.event.tracked.flags) == (None, before.flags)


@pytest.mark.parametrize("scope", get_args(FeeScope))
def test_event_has_the_scope_of_its_fee(run: Run, scope: FeeScope) -> None:
    outcome = Outcome(succeeded=True, fee=21, fee_scope=scope)
    register(run, "tx")
    after = replace(tracked(), state="mined", version=1, outcome=outcome)

    commit(run, events=(Event("registered", after),))

    (entry,) = run(feed.entries, after=0, limit=9)
    assert entry.event.tracked.outcome == outcome


@given(st.text())
def test_any_text_is_cleaned_for_the_database(text: str) -> None:
    cleaned = rows.clean(text)

    assert cleaned is not None
    assert "\0" not in cleaned
    assert cleaned.encode().decode() == cleaned
    assert len(cleaned) <= len(text)
    assert rows.clean(cleaned) == cleaned


def test_equal_values_of_many_rows_are_shared() -> None:
    def row(key: str) -> tuple[Any, ...]:
        flags: frozenset[Flag] = frozenset(get_args(Flag))
        block = BlockRef(7, "".join(["sev", "en"]))
        tracked = Tracked(key, 1_000, "mined", reason="repriced", anchor=block, flags=flags)
        return (*rows.tracked_values(tracked), "".join(["ethereum", ":1"]))

    first, second = rows.read_tracked([row("a"), row("b")])

    assert first.anchor is second.anchor
    assert first.flags is second.flags
    assert first.required is second.required
    assert first.state is second.state
    assert first.source is second.source
