"""What a transaction cost, from the fields of its receipt."""

from collections.abc import Mapping
from typing import Any

from transaction_tracker.domain import FeeScope
from transaction_tracker.sources.ethereum.fields import quantity, readable
from transaction_tracker.sources.ethereum.profiles import ChainProfile

_BLOB_TYPE = 0x3
# Transactions that the chain makes itself, or that were paid for on the parent chain.
_DEPOSIT_TYPE = 0x7E
_ISTHMUS_DIVISOR = 1_000_000
_JOVIAN_FACTOR = 100


def fee(
    receipt: Mapping[str, Any], profile: ChainProfile, gas_price: int | None = None
) -> tuple[int | None, FeeScope]:
    """Return the fee in the chain's smallest unit, and whether it is the whole fee.

    A fee field that is missing or cannot be read never raises: the fee is then ``None``, or
    without that part and said to be the execution fee only.

    Args:
        receipt: The fields of the receipt.
        profile: What the chain does differently; it has the rule.
        gas_price: The price in the transaction itself, for receipts without
            ``effectiveGasPrice``: exact for legacy transactions only.

    Source:
        EIP-4844 for blob gas; the OP Stack specification, "L1-Cost fees" and "Operator fee"
        (Isthmus, Jovian); Nitro's documentation, "Gas and fees", for Arbitrum, whose
        ``gasUsedForL1`` is a part of ``gasUsed``.
    """
    execution = _execution(receipt, gas_price)
    if execution is None:
        return None, "execution"
    extra = _extra(receipt, profile)
    if extra is None:
        return execution, "execution"
    return execution + extra, "execution" if profile.fee == "execution" else "total"


def _execution(receipt: Mapping[str, Any], gas_price: int | None) -> int | None:
    used = _number(receipt, "gasUsed")
    price = _number(receipt, "effectiveGasPrice")
    price = gas_price if price is None else price
    return None if used is None or price is None else used * price


def _extra(receipt: Mapping[str, Any], profile: ChainProfile) -> int | None:
    """Return what the chain takes in addition; ``None`` where a part of it is not known."""
    match profile.fee:
        case "op-stack":
            return _l1_fee(receipt, _operator_fee(receipt))
        case "scroll":
            # Morph's fees can be paid in another token; then the amounts here are not in its coin.
            is_in_coin = _number(receipt, "feeTokenID") in (None, 0)
            return _l1_fee(receipt, 0) if is_in_coin else None
        case _:
            return _blob_fee(receipt)


def _blob_fee(receipt: Mapping[str, Any]) -> int | None:
    used, price = _number(receipt, "blobGasUsed"), _number(receipt, "blobGasPrice")
    if used is not None and price is not None:
        return used * price
    # The OP Stack writes ``blobGasUsed`` for something else, so the type decides.
    return None if _number(receipt, "type") == _BLOB_TYPE else 0


def _l1_fee(receipt: Mapping[str, Any], operator: int | None) -> int | None:
    if _number(receipt, "type") == _DEPOSIT_TYPE:
        return 0
    data = _number(receipt, "l1Fee")
    return None if data is None or operator is None else data + operator


def _operator_fee(receipt: Mapping[str, Any]) -> int | None:
    """Return the fee for the chain's operator; its formula changed with the Jovian upgrade.

    Receipts leave the parameters out where both are 0. They do not name the upgrade, but only
    those since Jovian have ``daFootprintGasScalar``.
    """
    names = ("operatorFeeScalar", "operatorFeeConstant")
    if all(receipt.get(name) is None for name in names):
        return 0
    scalar, constant = (_number(receipt, name) for name in names)
    used = _number(receipt, "gasUsed")
    if scalar is None or constant is None or used is None:
        return None
    if receipt.get("daFootprintGasScalar") is not None:
        return used * scalar * _JOVIAN_FACTOR + constant
    return used * scalar // _ISTHMUS_DIVISOR + constant


def _number(receipt: Mapping[str, Any], name: str) -> int | None:
    return readable(quantity, receipt.get(name))
