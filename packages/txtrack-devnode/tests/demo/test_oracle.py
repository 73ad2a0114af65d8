"""The demonstration's own judge: it must see what the tracker could get wrong."""

from dataclasses import replace

import pytest

from transaction_tracker.domain import Outcome, Tracked
from txtrack_devnode import Chain, Transaction
from txtrack_devnode.demo.kinds import (
    CANCELLED,
    FEWEST,
    KINDS,
    PAID,
    REPRICED,
    REVERTED,
    Kind,
    Payment,
    shares,
)
from txtrack_devnode.demo.oracle import Ending, Oracle
from txtrack_devnode.demo.summary import judge, mistakes


@pytest.fixture
def chain() -> Chain:
    return Chain(accounts=3)


def sent(chain: Chain, **options: object) -> Transaction:
    return chain.submit(chain.accounts[0], chain.accounts[1], 1, **options)  # type: ignore[arg-type]


def test_mined_transaction_ends_confirmed(chain: Chain) -> None:
    tx = sent(chain)
    chain.mine()

    assert Oracle(chain).ending(tx) == Ending("confirmed")


def test_reverted_transaction_ends_failed_with_its_reason(chain: Chain) -> None:
    tx = sent(chain, reverts="paused")
    chain.mine()

    assert Oracle(chain).ending(tx) == Ending("failed", error="paused")


@pytest.mark.parametrize("kind", ["repriced", "cancelled", "replaced"])
def test_transaction_whose_slot_another_took_ends_replaced(chain: Chain, kind: str) -> None:
    tx = sent(chain)
    winner = chain.replace(tx.hash, kind)  # type: ignore[arg-type]
    chain.mine()

    assert Oracle(chain).ending(tx) == Ending("replaced", winner.hash, kind)  # type: ignore[arg-type]


def test_transaction_in_no_block_has_expired_or_was_dropped(chain: Chain) -> None:
    waiting, dropped = sent(chain), sent(chain)
    chain.drop(dropped.hash)

    assert Oracle(chain).ending(waiting).state == "expired"
    assert Oracle(chain).ending(dropped).state == "dropped"


def test_orphaned_block_does_not_count(chain: Chain) -> None:
    tx = sent(chain)
    chain.mine()
    chain.reorg(1, "pool")
    winner = chain.replace(tx.hash, "cancelled")
    chain.mine()

    assert Oracle(chain).ending(tx) == Ending("replaced", winner.hash, "cancelled")


def verdict(chain: Chain, kind: Kind, tx: Transaction, tracked: Tracked) -> list[str]:
    return mistakes(judge([Payment(kind, tx)], {tx.hash: tracked}, Oracle(chain)))


def test_right_end_is_no_mistake(chain: Chain) -> None:
    tx = sent(chain, reverts="paused")
    chain.mine()
    tracked = Tracked(tx.hash, 1, "failed", outcome=Outcome(False, 1, "paused"))

    assert verdict(chain, REVERTED, tx, tracked) == []


def test_every_wrong_detail_is_a_mistake(chain: Chain) -> None:
    tx = sent(chain)
    winner = chain.replace(tx.hash, "cancelled")
    chain.mine()
    right = Tracked(tx.hash, 1, "replaced", superseded_by=winner.hash, reason="cancelled")
    assert verdict(chain, CANCELLED, tx, right) == []

    assert verdict(chain, CANCELLED, tx, replace(right, state="confirmed"))
    assert verdict(chain, CANCELLED, tx, replace(right, state="superseded"))
    assert verdict(chain, CANCELLED, tx, replace(right, reason="repriced"))
    assert verdict(chain, CANCELLED, tx, replace(right, superseded_by=tx.hash))
    assert verdict(chain, REPRICED, tx, right), "the chain did not do what the story says"


def test_mistake_names_the_payment(chain: Chain) -> None:
    tx = sent(chain)

    [line] = verdict(chain, PAID, tx, Tracked(tx.hash, 1, "confirmed"))

    assert line.startswith(f"paid {tx.hash}: the tracker saw ")


@pytest.mark.parametrize("total", [FEWEST, 100, 360, 9_999])
def test_every_kind_gets_its_share(total: int) -> None:
    counts = shares(total)

    assert sum(counts.values()) == total
    assert set(counts) == set(KINDS)
    assert min(counts.values()) >= 1
