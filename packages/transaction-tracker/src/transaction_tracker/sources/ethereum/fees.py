"""Fee of a transaction, from the fields of its receipt."""

from collections.abc import Mapping
from typing import Any

from transaction_tracker.domain import FeeScope
from transaction_tracker.sources.ethereum.fields import readable_number, readable_quantity
from transaction_tracker.sources.ethereum.profiles import ChainProfile

_BLOB_TYPE = 0x3
# Transactions that the chain creates itself, or that were paid on the parent chain.
_DEPOSIT_TYPE = 0x7E
_ISTHMUS_DIVISOR = 1_000_000
_JOVIAN_FACTOR = 100


def fee(
    receipt: Mapping[str, Any], profile: ChainProfile, gas_price: int | None = None
) -> tuple[int | None, FeeScope]:
    """Return the fee in the chain's smallest unit, and whether it is the whole fee.

    A missing or unreadable fee field never raises: the fee is then ``None``, or only the
    execution fee (scope ``"execution"``).

    Args:
        receipt: Fields of the receipt.
        profile: Profile of the chain, with its fee rule.
        gas_price: Gas price of the transaction, for receipts without ``effectiveGasPrice``;
            exact for legacy transactions only.

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
    used = readable_number(receipt.get("gasUsed"))
    price = _number(receipt, "effectiveGasPrice")
    price = gas_price if price is None else price
    return None if used is None or price is None else used * price


def _extra(receipt: Mapping[str, Any], profile: ChainProfile) -> int | None:
    """Return the fees beyond the execution fee; ``None`` if a part of them is unknown."""
    match profile.fee:
        case "op-stack":
            return _l1_fee(receipt, _operator_fee(receipt))
        case "scroll":
            # Morph's fees can be paid in another token: the amounts here are then in that token.
            is_in_coin = _number(receipt, "feeTokenID") in (None, 0)
            return _l1_fee(receipt, 0) if is_in_coin else None
        case _:
            return _blob_fee(receipt)


def _blob_fee(receipt: Mapping[str, Any]) -> int | None:
    used, price = _number(receipt, "blobGasUsed"), _number(receipt, "blobGasPrice")
    if used is not None and price is not None:
        return used * price
    # The type decides, because the OP Stack uses ``blobGasUsed`` for another quantity.
    return None if _number(receipt, "type") == _BLOB_TYPE else 0


def _l1_fee(receipt: Mapping[str, Any], operator: int | None) -> int | None:
    if _number(receipt, "type") == _DEPOSIT_TYPE:
        return 0
    data = _number(receipt, "l1Fee")
    return None if data is None or operator is None else data + operator


def _operator_fee(receipt: Mapping[str, Any]) -> int | None:
    """Return the fee for the chain's operator; its formula changed with the Jovian upgrade.

    Receipts lack the parameters if both are 0. They do not name the upgrade, but only receipts
    since Jovian have ``daFootprintGasScalar``.
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
    return readable_quantity(receipt.get(name))
