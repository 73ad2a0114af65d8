"""What the store writes and reads, on a real database and without its process."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.domain import STATES, BlockRef, Event, Link, Outcome, Tracked
from transaction_tracker.store import Step, StoreError
from transaction_tracker.store import work as works
from transaction_tracker.store.database import Database

from .support import ELEVEN, SOURCE, TEN, confirmed, mined, seen, tracked

Run = Callable[..., Any]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "test.db")
    yield database
    database.close()


@pytest.fixture
def run(database: Database) -> Run:
    """Do one piece of work in a transaction of its own."""

    def run(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        (result,) = database.run([lambda connection: work(connection, *args, **kwargs)])
        if isinstance(result, StoreError):
            raise result
        return result

    run(works.claim, SOURCE)
    return run


def commit(run: Run, **fields: Any) -> Any:
    return run(works.commit, Step(SOURCE, keep=100, **fields))


def test_a_registered_transaction_is_there_and_open(run: Run) -> None:
    stored = run(works.register, ["tx"], required=3)

    assert stored.rows == (Tracked("tx", 3),)
    assert run(works.load, "tx") == Tracked("tx", 3)
    assert run(works.load_open).rows == (Tracked("tx", 3),)


def test_registering_again_changes_nothing(run: Run) -> None:
    run(works.register, ["tx"], required=3)
    pending = seen(tracked())
    commit(run, events=(pending,))

    assert run(works.register, ["tx", "tx"], required=9).rows == (pending.tracked,)


def test_thousands_are_registered_at_once(run: Run) -> None:
    names = [f"tx{number}" for number in range(2_500)]
    run(works.register, names[:1_200], required=3)

    assert len(run(works.register, names, required=3).rows) == 2_500
    assert len(run(works.load_open).rows) == 2_500


def test_an_unknown_transaction_is_none(run: Run) -> None:
    assert run(works.load, "tx") is None


@pytest.mark.parametrize("state", STATES)
def test_every_field_comes_back_as_it_was(run: Run, state: Any) -> None:
    run(works.register, ["tx"], required=3)
    full = Tracked(
        "tx",
        required=3,
        state=state,
        version=1,
        slot="slot",
        content="content",
        anchor=BlockRef(10, "ten"),
        outcome=Outcome(succeeded=False, fee=2**200, error="no money"),
        superseded_by="other",
        reason="repriced",
    )

    commit(run, events=(Event("registered", full),))

    assert run(works.load, "tx") == full


def test_an_outcome_may_have_no_fee(run: Run) -> None:
    run(works.register, ["tx"], required=3)
    event = mined(tracked())
    without = replace(event.tracked, outcome=Outcome(succeeded=True, fee=None))

    commit(run, events=(Event("registered", without),))

    assert run(works.load, "tx") == without


def test_one_step_writes_transitions_events_block_and_cursor(run: Run) -> None:
    run(works.register, ["tx"], required=3)

    stored = commit(run, events=(mined(tracked()),), applied=TEN)

    assert stored.tip == TEN.ref
    assert run(works.load, "tx").state == "mined"
    assert run(works.load_events, "tx") == [(1, "mined")]
    assert run(works.load_links, SOURCE) == [TEN]
    assert run(works.claim, SOURCE).tip == TEN.ref


def test_two_transitions_of_one_transaction_fit_in_one_step(run: Run) -> None:
    run(works.register, ["tx"], required=1)
    first = mined(tracked())

    stored = commit(run, events=(first, confirmed(first.tracked)), applied=TEN)

    assert [row.state for row in stored.rows] == ["confirmed"]
    assert run(works.load_events, "tx") == [(1, "mined"), (2, "confirmed")]


def test_an_ended_transaction_is_not_open_any_more(run: Run) -> None:
    run(works.register, ["tx", "other"], required=1)
    first = mined(tracked())

    commit(run, events=(first, confirmed(first.tracked)))

    assert [row.id for row in run(works.load_open).rows] == ["other"]


def test_an_undone_block_leaves_the_chain(run: Run) -> None:
    commit(run, applied=TEN)
    commit(run, applied=ELEVEN)

    stored = commit(run, undone=ELEVEN)

    assert stored.tip == TEN.ref
    assert run(works.load_links, SOURCE) == [TEN]
    assert run(works.claim, SOURCE).tip == TEN.ref


def test_blocks_deeper_than_are_kept_go(run: Run) -> None:
    for link in (TEN, ELEVEN, Link(12, "twelve", "eleven")):
        run(works.commit, Step(SOURCE, applied=link, keep=2))

    assert [link.number for link in run(works.load_links, SOURCE)] == [11, 12]


def test_all_blocks_can_be_forgotten(run: Run) -> None:
    commit(run, applied=TEN)

    commit(run, forgets=True)

    assert run(works.load_links, SOURCE) == []
    assert run(works.claim, SOURCE).tip is None


def test_a_transition_from_a_state_that_is_not_there_is_not_written(run: Run) -> None:
    run(works.register, ["tx", "other"], required=3)
    first = seen(tracked())
    commit(run, events=(first,))

    stored = commit(run, events=(mined(tracked()), mined(tracked("other"))), applied=TEN)

    assert set(stored.rows) == {first.tracked, mined(tracked("other")).tracked}
    assert [event.tracked.id for event in stored.events] == ["other"]
    assert run(works.load, "tx") == first.tracked
    assert run(works.load_events, "tx") == [(1, "pending")]
    assert run(works.load_links, SOURCE) == [TEN]


def test_what_follows_a_transition_that_is_not_written_is_not_written_either(run: Run) -> None:
    run(works.register, ["tx"], required=1)
    commit(run, events=(seen(tracked()),))
    stale = mined(tracked())

    stored = commit(run, events=(stale, confirmed(stale.tracked)))

    assert stored.events == ()
    assert run(works.load, "tx").state == "pending"


def test_the_same_event_is_never_there_twice(run: Run) -> None:
    run(works.register, ["tx"], required=3)
    event = mined(tracked())
    commit(run, events=(event,))

    assert commit(run, events=(event,)).events == ()
    assert run(works.load_events, "tx") == [(1, "mined")]


def test_a_step_that_fails_writes_nothing_at_all(run: Run) -> None:
    run(works.register, ["tx"], required=3)
    commit(run, applied=TEN)

    with pytest.raises(Exception, match="UNIQUE"):
        commit(run, events=(mined(tracked()),), applied=TEN)

    assert run(works.load, "tx") == tracked()
    assert run(works.load_events, "tx") == []


def test_a_parked_transaction_keeps_its_state_and_its_error(run: Run) -> None:
    run(works.register, ["tx"], required=3)

    stored = run(works.park, "tx", "ValueError: odd")

    assert stored.rows == (tracked(error="ValueError: odd"),)
    assert run(works.load_open).rows == stored.rows


def test_registering_a_parked_one_frees_it(run: Run) -> None:
    run(works.register, ["tx"], required=3)
    run(works.park, "tx", "ValueError: odd")

    assert run(works.register, ["tx"], required=3).rows == (tracked(),)


def test_a_transition_does_not_hide_why_it_was_parked(run: Run) -> None:
    run(works.register, ["tx"], required=3)
    run(works.park, "tx", "ValueError: odd")

    commit(run, events=(mined(tracked(error="ValueError: odd")),))

    assert run(works.load, "tx").error == "ValueError: odd"


def test_a_database_of_another_chain_is_refused(run: Run) -> None:
    with pytest.raises(StoreError, match="is for ethereum:31337, and cannot hold ethereum:1"):
        run(works.claim, "ethereum:1")


def test_work_done_together_is_written_together(database: Database) -> None:
    results = database.run(
        [
            partial(works.claim, source=SOURCE),
            partial(works.claim, source="ethereum:1"),
            partial(works.register, ids=["tx"], required=3),
        ]
    )

    assert isinstance(results[1], StoreError)
    assert results[2].rows == (tracked(),)


def test_what_was_written_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "again.db"
    database = Database(path)
    database.run([partial(works.register, ids=["tx"], required=3)])
    database.close()

    again = Database(path)

    (stored,) = again.run([works.load_open])
    assert stored.rows == (tracked(),)
    again.close()


def test_it_is_safe_to_pull_the_plug(database: Database) -> None:
    def pragma(name: str) -> Any:
        return lambda connection: connection.exec_driver_sql(f"PRAGMA {name}").scalar()

    assert database.run([pragma("journal_mode"), pragma("synchronous")]) == ["wal", 2]


@pytest.mark.parametrize("content", [b"this is no database, and longer than a header is" * 9])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "text.db"
    path.write_bytes(content)

    with pytest.raises(StoreError, match=r"cannot use database .*text.db: file is not a database"):
        Database(path)

    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot use database .*: No such file or directory"):
        Database(tmp_path / "missing" / "test.db")
