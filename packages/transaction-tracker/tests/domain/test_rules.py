"""Which rule a payment reaches."""

import pytest

from transaction_tracker.domain import (
    BlockRef,
    Details,
    Execution,
    Included,
    Outcome,
    Output,
    Payment,
    Policy,
    Required,
    Rule,
    Tracked,
    Transaction,
    Transfer,
    rank,
    strictest,
    transition,
)

A, B = "0x" + "a" * 40, "0x" + "b" * 40
COIN = Rule(20, 10)
TOKEN = Rule(30, 10, A)
ANY_TRANSFER = Rule(30, 0, A)


def transfers(*amounts: int | None, token: str = A) -> Execution:
    moved = (Transfer(0, "erc20", token, B, B, amount) for amount in amounts)
    return Execution(transfers=tuple(moved))


def outputs(*amounts: int, count: int | None = None) -> Payment:
    found = tuple(Output(at, amount, None) for at, amount in enumerate(amounts))
    return Payment(outputs=found, output_count=len(found) if count is None else count)


@pytest.mark.parametrize(
    ("rule", "details", "is_reached"),
    [
        (COIN, Details(Payment(value=10)), True),
        (COIN, Details(Payment(value=9)), False),
        (COIN, Details(outputs(4, 6)), True),
        (COIN, Details(outputs(4, 5)), False),
        (TOKEN, Details(Payment(value=99), transfers(9, 1)), True),
        (TOKEN, Details(Payment(value=99), transfers(9)), False),
        (TOKEN, Details(Payment(), transfers(99, token=B)), False),
        (Rule(30, 2, A), Details(Payment(), transfers(None, None)), True),
        (ANY_TRANSFER, Details(Payment(), transfers(0)), True),
        (ANY_TRANSFER, Details(Payment(), transfers(1, token=B)), False),
    ],
)
@pytest.mark.parametrize("is_in_block", [False, True])
def test_known_amount_is_compared(
    rule: Rule, details: Details, is_reached: bool, is_in_block: bool
) -> None:
    found = strictest([rule], details.payment, details.execution, is_in_block=is_in_block)

    assert found == (rule if is_reached else None)


@pytest.mark.parametrize(
    ("rule", "details"),
    [
        (COIN, Details()),
        (COIN, Details(Payment())),
        (COIN, Details(outputs(1, count=2))),
        (TOKEN, Details(Payment(value=1))),
        (TOKEN, Details(Payment(value=1), Execution())),
    ],
)
def test_unknown_amount_counts_as_reached_only_in_a_block(rule: Rule, details: Details) -> None:
    payment, execution = details.payment, details.execution

    assert strictest([rule], payment, execution) is None
    assert strictest([rule], payment, execution, is_in_block=True) == rule


def test_strictest_of_several_rules_is_chosen_in_any_order() -> None:
    rules = [Rule(20, 1), Rule("safe", 5), Rule(10_000, 3), Rule("finalized", 100)]

    for given in (rules, rules[::-1]):
        assert strictest(given, Payment(value=10)) == Rule("safe", 5)
        assert strictest(given, Payment(value=100)) == Rule("finalized", 100)
        assert strictest(given, Payment(value=4)) == Rule(10_000, 3)


def test_tags_are_above_all_numbers() -> None:
    ordered: list[Required] = [1, 12, 10_000, "safe", "finalized"]

    assert sorted({*ordered}, key=rank) == ordered


def test_new_rule_does_not_judge_the_same_block_again() -> None:
    block = BlockRef(10, "ten")
    execution = transfers(99)
    outcome = Outcome(succeeded=True, fee=1, effects=execution.effects, execution=execution)
    included = Included(Transaction("tx", (), "c", payment=Payment(value=99)), block, outcome)
    tracked = Tracked("tx", 12, required_by="setting")

    mined, _ = transition(tracked, included)
    again, event = transition(mined, included, Policy(rules=(COIN, TOKEN)))

    assert (again.required, again.required_by, event) == (12, "setting", None)


def test_other_transfers_of_the_same_block_are_judged() -> None:
    block = BlockRef(10, "ten")
    transaction = Transaction("tx", (), "c", payment=Payment(value=0))
    few, many = (
        Outcome(succeeded=True, fee=1, effects=execution.effects, execution=execution)
        for execution in (transfers(1), transfers(99))
    )
    policy = Policy(rules=(TOKEN,))

    mined, _ = transition(
        Tracked("tx", 12, required_by="setting"), Included(transaction, block, few), policy
    )
    corrected, _ = transition(mined, Included(transaction, block, many), policy)
    back, _ = transition(corrected, Included(transaction, block, few), policy)

    assert (mined.required, corrected.required, back.required) == (12, 30, 30)
    assert back.required_by == TOKEN
