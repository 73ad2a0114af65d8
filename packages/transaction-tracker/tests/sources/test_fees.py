from typing import Any

import pytest

from transaction_tracker.domain.facts import FeeScope
from transaction_tracker.sources.ethereum.fees import fee
from transaction_tracker.sources.ethereum.profiles import UNKNOWN, ChainProfile, FeeRule

RECEIPT = {"gasUsed": "0x5208", "effectiveGasPrice": "0xf4240", "type": "0x2"}
EXECUTION = 21_000 * 1_000_000
L1_FEE = 10**16


def rule(name: FeeRule) -> ChainProfile:
    return ChainProfile("test", fee=name)


def op(**more: object) -> tuple[int | None, FeeScope]:
    return fee(RECEIPT | {"l1Fee": hex(L1_FEE)} | more, rule("op-stack"))


def test_the_fee_of_ethereum_is_gas_used_times_price() -> None:
    assert fee(RECEIPT, rule("ethereum")) == (EXECUTION, "total")


@pytest.mark.parametrize("name", ["gasUsed", "effectiveGasPrice"])
@pytest.mark.parametrize("bad", [None, "", "0x", "0xzz", 7, []])
def test_without_gas_or_price_the_fee_is_unknown(name: str, bad: object) -> None:
    assert fee(RECEIPT | {name: bad}, rule("ethereum")) == (None, "execution")


def test_price_of_the_transaction_replaces_a_missing_price() -> None:
    without = {"gasUsed": "0x5208"}

    assert fee(without, rule("ethereum"), gas_price=2) == (42_000, "total")
    assert fee(RECEIPT, rule("ethereum"), gas_price=2) == (EXECUTION, "total")


def test_fee_includes_blob_gas() -> None:
    blobs = {"type": "0x3", "blobGasUsed": "0x20000", "blobGasPrice": "0x3"}

    assert fee(RECEIPT | blobs, rule("ethereum")) == (EXECUTION + 3 * 0x20000, "total")


@pytest.mark.parametrize("name", ["blobGasUsed", "blobGasPrice"])
def test_fee_of_a_blob_transaction_without_blob_fields_is_incomplete(name: str) -> None:
    blobs = {"type": "0x3", "blobGasUsed": "0x20000", "blobGasPrice": "0x3"} | {name: None}

    assert fee(RECEIPT | blobs, rule("ethereum")) == (EXECUTION, "execution")


def test_fee_of_the_op_stack_includes_data() -> None:
    assert op() == (EXECUTION + L1_FEE, "total")


def test_fee_of_the_op_stack_without_its_l1_fee_is_incomplete() -> None:
    assert op(l1Fee=None) == (EXECUTION, "execution")


def test_the_operator_fee_of_isthmus() -> None:
    taken = op(operatorFeeScalar=hex(2_000_000), operatorFeeConstant="0x7")

    assert taken == (EXECUTION + L1_FEE + 42_007, "total")


def test_the_operator_fee_of_jovian() -> None:
    taken = op(operatorFeeScalar="0x2", operatorFeeConstant="0x7", daFootprintGasScalar="0x190")

    assert taken == (EXECUTION + L1_FEE + 21_000 * 2 * 100 + 7, "total")


@pytest.mark.parametrize("name", ["operatorFeeScalar", "operatorFeeConstant"])
def test_unknown_operator_fee_leaves_the_execution_fee(name: str) -> None:
    both: dict[str, Any] = {"operatorFeeScalar": "0x2", "operatorFeeConstant": "0x7"}

    assert op(**both | {name: None}) == (EXECUTION, "execution")


def test_blob_gas_of_the_op_stack_is_not_a_blob_fee() -> None:
    # Since Jovian, the OP Stack writes the size of the data there.
    assert op(blobGasUsed="0x20000", blobGasPrice="0x3") == (EXECUTION + L1_FEE, "total")


def test_a_deposit_pays_nothing_on_the_op_stack() -> None:
    deposit = {"gasUsed": "0x5208", "effectiveGasPrice": "0x0", "type": "0x7e"}

    assert fee(deposit, rule("op-stack")) == (0, "total")


def test_gas_used_of_arbitrum_includes_data() -> None:
    receipt = RECEIPT | {"gasUsedForL1": "0x1000", "type": "0x2"}

    assert fee(receipt, rule("arbitrum")) == (EXECUTION, "total")


def test_fee_of_scroll_includes_data() -> None:
    receipt = RECEIPT | {"l1Fee": hex(L1_FEE)}

    assert fee(receipt, rule("scroll")) == (EXECUTION + L1_FEE, "total")


def test_fee_paid_in_another_token_is_incomplete() -> None:
    receipt = RECEIPT | {"l1Fee": hex(L1_FEE), "feeTokenID": "0x2", "feeRate": "0x9"}

    assert fee(receipt, rule("scroll")) == (EXECUTION, "execution")
    assert fee(receipt | {"feeTokenID": None}, rule("scroll")) == (EXECUTION + L1_FEE, "total")


@pytest.mark.parametrize("more", [{}, {"l1Fee": hex(L1_FEE)}, {"gasUsedForL1": "0x9"}])
def test_fee_of_an_unknown_chain_is_the_execution_fee(more: dict[str, str]) -> None:
    assert fee(RECEIPT | more, UNKNOWN) == (EXECUTION, "execution")
