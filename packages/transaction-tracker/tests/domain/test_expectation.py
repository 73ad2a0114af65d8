"""Whether a transaction is the expected payment."""

import pytest
from msgspec.structs import replace

from transaction_tracker.domain import (
    STATES,
    Details,
    Difference,
    Execution,
    Expectation,
    Output,
    Payment,
    State,
    Transfer,
    compare,
)

ALICE, BOB, CAROL, TOKEN = "alice", "bob", "carol", "token"
PAYMENT = Payment(ALICE, BOB, 100, 7)
PENDING = Details(PAYMENT)


def paid(*values: int, recipient: str = BOB, token: str = TOKEN) -> Details:
    """Return details of a transaction with token transfers of Alice."""
    transfers = tuple(
        Transfer(index, "erc20", token, ALICE, recipient, value)
        for index, value in enumerate(values)
    )
    return Details(Payment(ALICE, token, 0, 7), Execution(transfers=transfers))


@pytest.mark.parametrize(
    ("expectation", "difference"),
    [
        (Expectation(recipient=BOB), None),
        (Expectation(sender=ALICE, recipient=BOB, value=100), None),
        (Expectation(min_value=100), None),
        (Expectation(min_value=99), None),
        (Expectation(sender=CAROL), Difference("from", CAROL, ALICE)),
        (Expectation(recipient=CAROL), Difference("to", CAROL, BOB)),
        (Expectation(value=99), Difference("value", "99", "100")),
        (Expectation(value=101), Difference("value", "101", "100")),
        (Expectation(min_value=101), Difference("min_value", "101", "100")),
    ],
)
def test_coin_is_compared_once_the_transaction_is_known(
    expectation: Expectation, difference: Difference | None
) -> None:
    found = compare(expectation, "pending", PENDING)

    assert found == (difference is None, () if difference is None else (difference,))


def test_all_differences_are_reported() -> None:
    found = compare(Expectation(sender=BOB, recipient=CAROL, value=1), "mined", PENDING)

    assert found[0] is False
    assert [difference.field for difference in found[1]] == ["from", "to", "value"]


@pytest.mark.parametrize(
    "payment",
    [None, replace(PAYMENT, value=None), replace(PAYMENT, recipient=None)],
    ids=["no transaction", "no value", "no recipient"],
)
def test_unknown_field_neither_matches_nor_differs(payment: Payment | None) -> None:
    expectation = Expectation(recipient=BOB, value=100)

    assert compare(expectation, "pending", Details(payment)) == (None, ())


def test_a_known_difference_decides_although_another_field_is_unknown() -> None:
    details = Details(replace(PAYMENT, value=None))

    found = compare(Expectation(recipient=CAROL, value=100), "pending", details)

    assert found == (False, (Difference("to", CAROL, BOB),))


def test_creation_of_a_contract_has_no_recipient() -> None:
    details = Details(replace(PAYMENT, recipient=None), Execution(contract_address="contract"))

    found = compare(Expectation(recipient=BOB), "mined", details)

    assert found == (False, (Difference("to", BOB, None),))


@pytest.mark.parametrize(
    ("details", "matches", "difference"),
    [
        (PENDING, None, None),
        (Details(PAYMENT, Execution(transfers=None)), None, None),
        (paid(100), True, None),
        (paid(60, 40), True, None),
        (paid(60, 39), False, Difference("value", "100", "99")),
        (paid(60, 41), False, Difference("value", "100", "101")),
        (paid(100, token="spoof"), False, Difference("token", TOKEN, None)),
        (paid(), False, Difference("token", TOKEN, None)),
        (paid(100, recipient=CAROL), False, Difference("to", BOB, CAROL)),
    ],
)
def test_token_is_the_sum_of_its_transfers_to_the_recipient(
    details: Details, matches: bool | None, difference: Difference | None
) -> None:
    expectation = Expectation(token=TOKEN, recipient=BOB, value=100)

    found = compare(expectation, "mined", details)

    assert found == (matches, () if difference is None else (difference,))


def test_tokens_of_another_payer_do_not_count() -> None:
    transfers = (
        Transfer(0, "erc20", TOKEN, CAROL, BOB, 60),
        Transfer(1, "erc20", TOKEN, ALICE, BOB, 40),
    )
    details = Details(PAYMENT, Execution(transfers=transfers))

    def check(sender: str) -> object:
        expectation = Expectation(token=TOKEN, recipient=BOB, sender=sender, min_value=60)
        return compare(expectation, "mined", details)

    assert check(CAROL) == (True, ())
    assert check(ALICE) == (False, (Difference("min_value", "60", "40"),))
    assert check("dave") == (False, (Difference("from", "dave", CAROL),))


def test_each_token_without_an_amount_counts_one() -> None:
    transfers = tuple(
        Transfer(number, "erc721", TOKEN, ALICE, BOB, token_id=number) for number in range(3)
    )
    details = Details(PAYMENT, Execution(transfers=transfers))

    assert compare(Expectation(token=TOKEN, recipient=BOB, value=3), "mined", details)[0]


PAYS_NOTHING = (
    *("mined_reverted", "failed", "superseded", "replaced"),
    *("dropped", "expired", "invalid", "reversed"),
)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    "expectation",
    [Expectation(recipient=BOB), Expectation(token=TOKEN, recipient=BOB, min_value=1)],
    ids=["coin", "token"],
)
def test_a_transaction_that_pays_nothing_never_matches(
    state: State, expectation: Expectation
) -> None:
    details = Details(PAYMENT, paid(1).execution)

    found = compare(expectation, state, details)

    if state in PAYS_NOTHING:
        assert found == (False, (Difference("state", "confirmed", state),))
    else:
        assert found == (True, ())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "expect at least one of"),
        ({"token": TOKEN, "value": 1}, "token needs the recipient"),
        ({"value": 1, "min_value": 1}, "not both"),
        ({"value": -1}, "value must be from 0"),
        ({"min_value": 2**256}, "min_value must be from 0"),
    ],
)
def test_impossible_expectations_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Expectation(**fields)  # type: ignore[arg-type]


# -- On a chain without accounts

OUTPUTS = (Output(0, 60, BOB), Output(1, 900, CAROL), Output(2, 40, BOB), Output(3, 0, None))
SPENDING = Details(Payment(outputs=OUTPUTS, output_count=4))


@pytest.mark.parametrize(
    ("expectation", "differences"),
    [
        (Expectation(recipient=BOB, value=100), ()),
        (Expectation(recipient=BOB, min_value=100), ()),
        (Expectation(recipient=CAROL), ()),
        (Expectation(recipient=BOB, value=60), (Difference("value", "60", "100"),)),
        (Expectation(recipient=ALICE), (Difference("to", ALICE, BOB),)),
        (Expectation(value=1_000), ()),
    ],
)
def test_outputs_to_the_recipient_are_added(
    expectation: Expectation, differences: tuple[Difference, ...]
) -> None:
    assert compare(expectation, "pending", SPENDING) == (not differences, differences)


@pytest.mark.parametrize("expectation", [Expectation(recipient=BOB), Expectation(recipient=ALICE)])
def test_answer_is_open_if_not_all_outputs_are_known(expectation: Expectation) -> None:
    details = Details(Payment(outputs=OUTPUTS, output_count=5))

    assert compare(expectation, "confirmed", details) == (None, ())


def test_sender_of_outputs_is_unknown() -> None:
    expectation = Expectation(sender=ALICE, recipient=BOB)

    assert compare(expectation, "confirmed", SPENDING) == (None, ())
