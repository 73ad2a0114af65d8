"""The output of ``txtrack get``."""

from typing import Any

import pytest

from transaction_tracker.cli.transaction_text import described

FEE = "0.000000000000021 ether (0.000021 gwei, 21000 wei)"


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
        ({"fee": "21000", "fee_scope": "total"}, FEE),
        ({"fee": "21000", "fee_scope": "execution"}, f"{FEE}; execution fee only"),
        ({"fee": "21000"}, FEE),  # a service of an older version
        ({"fee": None, "fee_scope": None}, None),
        (None, None),
    ],
)
def test_fee_has_units_and_scope(outcome: dict[str, Any] | None, fee: str | None) -> None:
    assert described(facts(outcome))["fee"] == fee
