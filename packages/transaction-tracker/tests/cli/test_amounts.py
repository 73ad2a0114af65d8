"""Amounts have units and all their digits."""

from decimal import Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.cli.output import amount


@pytest.mark.parametrize(
    ("wei", "text"),
    [
        (0, "0 ether (0 gwei, 0 wei)"),
        (1, "0.000000000000000001 ether (0.000000001 gwei, 1 wei)"),
        (23_100 * 10**9, "0.0000231 ether (23,100 gwei, 23100000000000 wei)"),
        (10**19, "10 ether (10,000,000,000 gwei, 10000000000000000000 wei)"),
    ],
)
def test_amount_is_formatted_in_ether_gwei_and_wei(wei: int, text: str) -> None:
    assert amount(wei) == text


@given(st.integers(0, 2**256 - 1))
def test_no_digit_is_lost(wei: int) -> None:
    exact = Context(prec=100)

    ether, _, gwei, _, plain, _ = amount(wei).replace("(", "").replace(",", "").split()

    assert Decimal(ether).scaleb(18, exact) == wei
    assert Decimal(gwei).scaleb(9, exact) == wei
    assert int(plain) == wei
