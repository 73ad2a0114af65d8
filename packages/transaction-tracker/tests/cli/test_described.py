"""What ``txtrack get`` says of a transaction."""

from typing import Any

import pytest

from transaction_tracker.cli.transactions import described


def facts(outcome: dict[str, Any] | None) -> dict[str, Any]:
    empty = dict.fromkeys(("superseded_by", "reason", "parked", "deadline", "metadata"))
    times = {"created_at": "then", "updated_at": "now"}
    return {
        "id": "0xab",
        "state": "mined",
        "block": None,
        "flags": [],
        "outcome": outcome,
        **empty,
        **times,
    }


@pytest.mark.parametrize(
    ("outcome", "fee"),
    [
        ({"fee": "21", "fee_scope": "total"}, "21"),
        ({"fee": "21", "fee_scope": "execution"}, "21 (execution fee only)"),
        ({"fee": "21"}, "21"),  # a service of an older version
        ({"fee": None, "fee_scope": None}, None),
        (None, None),
    ],
)
def test_a_fee_that_is_not_whole_says_so(outcome: dict[str, Any] | None, fee: str | None) -> None:
    assert described(facts(outcome))["fee"] == fee
