"""The checks of the demo: they must notice every wrong result of the tracker."""

import pytest
from msgspec.structs import replace

from transaction_tracker.domain import Outcome, Tracked
from txtrack_devnode import Chain, Transaction
from txtrack_devnode.demo.kinds import (
    CANCELLED,
    KINDS,
    MIN_PAYMENTS,
    PAID,
    REPRICED,
    REVERTED,
    Payment,
    PaymentKind,
    counts_by_kind,
)
from txtrack_devnode.demo.oracle import FinalState, Oracle
from txtrack_devnode.demo.summary import check_payments, mismatches


@pytest.fixture
def chain() -> Chain:
    return Chain(accounts=3)


def sent(chain: Chain, **options: object) -> Transaction:
    return chain.submit(chain.accounts[0], chain.accounts[1], 1, **options)  # type: ignore[arg-type]


def test_mined_transaction_ends_confirmed(chain: Chain) -> None:
    tx = sent(chain)
    chain.mine()

    assert Oracle(chain).final_state(tx) == FinalState("confirmed")


def test_reverted_transaction_ends_failed_with_its_reason(chain: Chain) -> None:
    tx = sent(chain, reverts="paused")
    chain.mine()

    assert Oracle(chain).final_state(tx) == FinalState("failed", error="paused")


@pytest.mark.parametrize("kind", ["repriced", "cancelled", "replaced"])
def test_transaction_whose_nonce_another_used_ends_replaced(chain: Chain, kind: str) -> None:
    tx = sent(chain)
    winner = chain.replace(tx.hash, kind)  # type: ignore[arg-type]
    chain.mine()

    assert Oracle(chain).final_state(tx) == FinalState("replaced", winner.hash, kind)  # type: ignore[arg-type]


def test_transaction_in_no_block_has_expired_or_was_dropped(chain: Chain) -> None:
    waiting, dropped = sent(chain), sent(chain)
    chain.drop(dropped.hash)

    assert Oracle(chain).final_state(waiting).state == "expired"
    assert Oracle(chain).final_state(dropped).state == "dropped"


def test_orphaned_block_is_ignored(chain: Chain) -> None:
    tx = sent(chain)
    chain.mine()
    chain.reorg(1, "pool")
    winner = chain.replace(tx.hash, "cancelled")
    chain.mine()

    assert Oracle(chain).final_state(tx) == FinalState("replaced", winner.hash, "cancelled")


def mismatches_of(chain: Chain, kind: PaymentKind, tx: Transaction, tracked: Tracked) -> list[str]:
    return mismatches(check_payments([Payment(kind, tx)], {tx.hash: tracked}, Oracle(chain)))


def test_correct_final_state_is_not_a_mismatch(chain: Chain) -> None:
    tx = sent(chain, reverts="paused")
    chain.mine()
    tracked = Tracked(tx.hash, 1, "failed", outcome=Outcome(False, 1, "paused"))

    assert mismatches_of(chain, REVERTED, tx, tracked) == []


def test_every_wrong_detail_is_a_mismatch(chain: Chain) -> None:
    tx = sent(chain)
    winner = chain.replace(tx.hash, "cancelled")
    chain.mine()
    correct = Tracked(tx.hash, 1, "replaced", superseded_by=winner.hash, reason="cancelled")
    assert mismatches_of(chain, CANCELLED, tx, correct) == []

    assert mismatches_of(chain, CANCELLED, tx, replace(correct, state="confirmed"))
    assert mismatches_of(chain, CANCELLED, tx, replace(correct, state="superseded"))
    assert mismatches_of(chain, CANCELLED, tx, replace(correct, reason="repriced"))
    assert mismatches_of(chain, CANCELLED, tx, replace(correct, superseded_by=tx.hash))
    assert mismatches_of(chain, REPRICED, tx, correct), (
        "the chain did not do what the kind of payment says"
    )


def test_mismatch_names_the_payment(chain: Chain) -> None:
    tx = sent(chain)

    [line] = mismatches_of(chain, PAID, tx, Tracked(tx.hash, 1, "confirmed"))

    assert line.startswith(f"paid {tx.hash}: the tracker says ")


@pytest.mark.parametrize("total", [MIN_PAYMENTS, 100, 360, 9_999])
def test_every_kind_gets_its_share(total: int) -> None:
    counts = counts_by_kind(total)

    assert sum(counts.values()) == total
    assert set(counts) == set(KINDS)
    assert min(counts.values()) >= 1
