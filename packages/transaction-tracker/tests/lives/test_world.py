"""The world of the lives, and their oracle."""

import time
from unittest import mock

import pytest

from transaction_tracker import State
from transaction_tracker.delivery.listener import StoredEvent
from transaction_tracker.domain import Event, Tracked
from txtrack_devnode import SYSTEM_TRANSACTIONS, Chain, ChainRules, Transaction
from txtrack_devnode.faults import FlippedStatus, MissingReceipt, OddField

from .ingredients import INGREDIENTS, World, draw, percents
from .oracle import Oracle

CONFIRMATIONS = 4


@pytest.fixture(autouse=True)
def whole_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given: every ingredient, whatever ``TRACKER_WORLD`` is in this run of the tests."""
    monkeypatch.delenv("TRACKER_WORLD", raising=False)


def test_world_is_that_of_its_seed() -> None:
    worlds = [str(draw(seed)) for seed in range(60)]

    assert worlds == [str(draw(seed)) for seed in range(60)]
    assert len(set(worlds)) > 30


@pytest.mark.parametrize("name", INGREDIENTS)
def test_omitted_ingredient_does_not_change_the_others(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole = [draw(seed).has for seed in range(100)]
    monkeypatch.setenv("TRACKER_WORLD", ",".join(INGREDIENTS.keys() - {name}))
    assert [draw(seed).has for seed in range(100)] == [has - {name} for has in whole]

    monkeypatch.setenv("TRACKER_WORLD", f"{name}=100")
    assert [draw(seed).has for seed in range(3)] == [{name}] * 3

    monkeypatch.setenv("TRACKER_WORLD", "none")
    assert draw(0) == World()


def test_unknown_ingredient_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got .'forkz'"):
        percents("odd,forkz")


def test_fault_excuses_only_the_transactions_that_it_affects() -> None:
    tx = Chain().submit(Chain().accounts[0])

    assert World(excused=(MissingReceipt(transaction=tx.hash),)).excuses(tx.hash)
    assert not World(excused=(OddField(part=0.0),)).excuses(tx.hash)
    assert not World(common=(MissingReceipt(),)).excuses(tx.hash)


def test_only_the_first_of_several_providers_can_be_dishonest() -> None:
    assert World(own=(FlippedStatus(),)).has_dishonest
    assert World(has=frozenset({"forks"}), providers=3).has_dishonest
    assert not World(has=frozenset({"forks"}), providers=1).has_dishonest
    assert not World(common=(MissingReceipt(),)).has_dishonest


def stored_event(tx: Transaction, state: State, at: float) -> StoredEvent:
    tracked = Tracked(tx.hash, CONFIRMATIONS, state=state, version=2)
    event = Event("mined", tracked)
    return StoredEvent(event.previous, event.tracked, metadata={}, recorded_at=at)


def ended(reverts: str | None = None) -> tuple[Oracle, Transaction]:
    """Given: a transaction that is final at second 100."""
    chain = Chain(accounts=2)
    oracle = Oracle(chain, CONFIRMATIONS)
    tx = chain.submit(*chain.accounts, 1, reverts=reverts)
    with mock.patch.object(time, "time", return_value=50.0):
        chain.mine(CONFIRMATIONS - 1)
    with mock.patch.object(time, "time", return_value=100.0):
        chain.mine()
    return oracle, tx


@pytest.mark.parametrize(
    ("state", "at", "reverts", "false"),
    [
        ("confirmed", 100.0, None, False),
        ("confirmed", 99.9, None, True),
        ("confirmed", 200.0, "no", True),
        ("failed", 200.0, "no", False),
        ("failed", 200.0, None, True),
        ("replaced", 200.0, None, True),
        ("dropped", 200.0, None, True),
        ("dropped", 99.0, None, False),
        ("invalid", 99.0, None, True),
        ("pending", 200.0, None, False),
    ],
)
def test_end_must_be_true_when_it_is_reported(
    state: State, at: float, reverts: str | None, false: bool
) -> None:
    oracle, tx = ended(reverts)

    oracle.record_event(stored_event(tx, state, at))

    assert bool(oracle.false_ends(tx)) is false


def test_false_end_that_was_taken_back_later_is_found() -> None:
    oracle, tx = ended()

    oracle.record_event(stored_event(tx, "confirmed", 60.0))
    oracle.record_event(stored_event(tx, "confirmed", 60.0))  # repeated, as after a crash

    assert len(oracle.false_ends(tx)) == 1


def test_replaced_needs_a_winner_of_the_same_slot() -> None:
    chain = Chain(accounts=2, rules=ChainRules(system=tuple(SYSTEM_TRANSACTIONS[:1])))
    oracle = Oracle(chain, CONFIRMATIONS)
    loser = chain.submit(*chain.accounts, 1)
    chain.replace(loser.hash, "repriced")
    chain.mine(CONFIRMATIONS)
    (first, *_), (second, *_) = (
        block.transactions for number in (1, 2) if (block := chain.block(number)) is not None
    )

    for tx in (loser, first):
        oracle.record_event(stored_event(tx, "replaced", time.time()))

    assert oracle.false_ends(loser) == []
    assert oracle.false_ends(first) != []
    assert oracle.winner(second) is None or oracle.winner(second) == second
