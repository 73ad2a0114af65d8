"""The kept blocks and their slots."""

import time
from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, Link, RecentSlots
from transaction_tracker.store import Step, StoreError, chain, committing
from transaction_tracker.store.database import Database

from .support import ELEVEN, SOURCE, TEN, Run, commit

TWELVE = Link(12, "twelve", "eleven")


def slots(run: Run) -> Any:
    return run(chain.load_slots, SOURCE)


def test_undone_block_is_removed_from_the_chain(run: Run) -> None:
    commit(run, applied=TEN)
    commit(run, applied=ELEVEN)

    stored = commit(run, undone=ELEVEN)

    assert stored.tip == TEN.ref
    assert run(chain.load_links, SOURCE) == [TEN]
    assert run(chain.claim, SOURCE).tip == TEN.ref


def test_blocks_below_the_kept_ones_are_removed(run: Run) -> None:
    for link in (TEN, ELEVEN, TWELVE):
        run(committing.commit, Step(SOURCE, applied=link, slots={link.hash: "tx"}, keep=2))

    assert [link.number for link in run(chain.load_links, SOURCE)] == [11, 12]
    assert [link.number for link, _ in slots(run)] == [11, 12]


def test_all_blocks_can_be_removed(run: Run) -> None:
    commit(run, applied=TEN, slots={"s": "tx"})

    commit(run, forgets=True)

    assert run(chain.load_links, SOURCE) == []
    assert slots(run) == []
    assert run(chain.claim, SOURCE).tip is None


def test_database_of_another_chain_raises(run: Run) -> None:
    with pytest.raises(StoreError, match="belongs to ethereum:31337 and cannot hold ethereum:1"):
        run(chain.claim, "ethereum:1")


def test_first_identity_of_a_chain_is_kept(run: Run) -> None:
    assert run(chain.load_identity) == (SOURCE, None)

    run(chain.claim, SOURCE, BlockRef(0, "first"))
    run(chain.claim, SOURCE, BlockRef(5, "other"))
    run(chain.claim, SOURCE)

    assert run(chain.load_identity) == (SOURCE, BlockRef(0, "first"))


def test_new_database_has_no_identity(database: Database) -> None:
    assert database.run([chain.load_identity]) == [None]

    database.run([lambda connection: chain.claim(connection, SOURCE, BlockRef(7, "seven"))])

    assert database.run([chain.load_identity]) == [(SOURCE, BlockRef(7, "seven"))]


def test_slots_of_blocks_are_loaded_as_stored(run: Run) -> None:
    commit(run, applied=TEN, slots={"a:1": "tx", "ü:2": "tü"})
    commit(run, applied=ELEVEN)
    commit(run, applied=TWELVE, slots={"a:2": "other"})

    assert slots(run) == [(TEN, {"a:1": "tx", "ü:2": "tü"}), (TWELVE, {"a:2": "other"})]


def test_slots_of_an_undone_block_are_removed(run: Run) -> None:
    commit(run, applied=TEN, slots={"a:1": "tx"})

    commit(run, undone=TEN)

    assert slots(run) == []


def test_as_many_slots_are_stored_as_are_kept_in_memory(run: Run) -> None:
    recent = RecentSlots()
    for link, amount in ((TEN, 30_000), (ELEVEN, 30_000), (TWELVE, 20_000)):
        taken = {f"{link.hash}:{number}": "tx" for number in range(amount)}
        recent.push(link, taken)
        commit(run, applied=link, slots=taken)

    kept = [link for link, _ in slots(run)]

    assert kept == [ELEVEN, TWELVE]
    assert recent.taken(["ten:0"]) is None
    assert recent.taken(["eleven:0"]) is not None


def test_slots_of_the_newest_block_are_always_kept(run: Run) -> None:
    commit(run, applied=TEN, slots={"s": "tx"})
    commit(run, applied=ELEVEN, slots={str(number): "tx" for number in range(50_001)})

    assert [link for link, _ in slots(run)] == [ELEVEN]


def test_deliveries_stay_paused_until_resumed(run: Run) -> None:
    before = time.time()

    run(chain.pause_deliveries)
    since = run(chain.frozen_since)
    run(chain.pause_deliveries)

    assert before <= since <= time.time()
    assert run(chain.frozen_since) == since
    run(chain.resume_deliveries)
    assert run(chain.frozen_since) is None


def test_quiet_blocks_are_stored_with_the_block_above_them(run: Run) -> None:
    quiet = ((TEN, {"a": "one"}), (ELEVEN, {}))

    stored = commit(run, applied=TWELVE, slots={"b": "two"}, quiet=quiet)

    assert stored.tip == TWELVE.ref
    assert run(chain.load_links, SOURCE) == [TEN, ELEVEN, TWELVE]
    assert slots(run) == [(TEN, {"a": "one"}), (TWELVE, {"b": "two"})]


def test_quiet_blocks_count_as_kept_blocks(run: Run) -> None:
    quiet = ((TEN, {"a": "one"}), (ELEVEN, {"b": "two"}))

    run(committing.commit, Step(SOURCE, applied=TWELVE, quiet=quiet, keep=2))

    assert run(chain.load_links, SOURCE) == [ELEVEN, TWELVE]
    assert slots(run) == [(ELEVEN, {"b": "two"})]
