"""Amounts of an EVM chain's coin, with their units."""

from decimal import Context, Decimal

_WEI_DIGITS = {"ether": 18, "gwei": 9}
# A uint256 has up to 78 digits, and none may be rounded away.
_EXACT = Context(prec=100)


def written(wei: int) -> str:
    """Write an amount in wei and, for people, in ether and gwei.

    The units are those of every EVM chain, whatever its coin is called: an ether is 10**18 wei, a
    gwei 10**9. Nothing is rounded.
    """
    ether, gwei = (_scaled(wei, digits) for digits in _WEI_DIGITS.values())
    return f"{ether} ether ({gwei} gwei, {wei} wei)"


def _scaled(wei: int, digits: int) -> str:
    value = Decimal(wei).scaleb(-digits, _EXACT)
    text = format(value, ",f")
    return text.rstrip("0").removesuffix(".") if "." in text else text
