"""The follower forgets its data about a transaction when the transaction ends."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from transaction_tracker.domain import BlockRef, DepositRules, Outcome, Policy, Tracked
from transaction_tracker.follower.deposits import Deposits
from transaction_tracker.follower.records import Records
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.walk import Walk
from transaction_tracker.store import OpenTransactions, Stored

OPEN = Tracked("tx", 3, state="pending", slots=("s:1",), content="c")
MINED = replace(OPEN, state="mined", anchor=BlockRef(1, "1"), outcome=Outcome(True, 1))


@pytest.fixture
def forgotten() -> list[str]:
    return []


@pytest.fixture
def records(forgotten: list[str]) -> Records:
    found = Records(OpenTransactions(), Policy())
    found.on_end(forgotten.append)
    return found


@pytest.mark.parametrize(
    ("tracked", "ended"),
    [
        (OPEN, False),
        (MINED, False),
        (replace(OPEN, state="missing"), False),
        (replace(MINED, state="confirmed"), True),
        (replace(OPEN, state="expired"), True),
        (replace(OPEN, state="invalid"), True),
    ],
)
async def test_final_transaction_is_forgotten(
    records: Records, forgotten: list[str], tracked: Tracked, ended: bool
) -> None:
    await records.take_over(Stored(rows=(tracked,)))

    assert forgotten == (["tx"] if ended else [])


def test_untracked_transaction_is_forgotten(records: Records, forgotten: list[str]) -> None:
    records.forget("tx")

    assert forgotten == ["tx"]


def test_all_listeners_are_called_at_the_end_of_a_transaction(
    records: Records, forgotten: list[str]
) -> None:
    also: list[str] = []
    listener: Callable[[str], None] = also.append
    records.on_end(listener)

    records.forget("tx")

    assert (forgotten, also) == (["tx"], ["tx"])


async def test_unreadable_answers_do_not_count_after_another_registration(
    records: Records,
) -> None:
    """A transaction can be untracked and registered again while the count is in memory."""
    source: Any = SimpleNamespace(forget_objections=lambda _transaction: None)
    open_transactions = OpenTransactions()
    open_transactions.write([OPEN])
    status = FollowerStatus(clock=lambda: 0.0)
    deposits = Deposits(source, open_transactions, DepositRules(), 12, Policy())
    walk = Walk(source, open_transactions, records, status, 10, lambda: 12.0, deposits)
    unreadable = walk.evidence._unusable._unreadable
    for now in (0.0, 30.0):
        unreadable.note(OPEN.id, now)

    records.forget(OPEN.id)  # it is no longer among the open transactions

    assert [unreadable.note(OPEN.id, now) for now in (31.0, 70.0)] == [False, False]
    assert unreadable.note(OPEN.id, 95.0)
