"""Format amounts of an EVM chain's coin with their units."""

from decimal import Context, Decimal

_WEI_DIGITS = {"ether": 18, "gwei": 9}
# A uint256 has up to 78 digits; this precision keeps all of them.
_EXACT = Context(prec=100)


def written(wei: int) -> str:
    """Format an amount in ether, gwei and wei, without rounding.

    The units are the same on every EVM chain, whatever the coin's name: an ether is 10**18 wei, a
    gwei 10**9 wei.
    """
    ether, gwei = (_scaled(wei, digits) for digits in _WEI_DIGITS.values())
    return f"{ether} ether ({gwei} gwei, {wei} wei)"


def _scaled(wei: int, digits: int) -> str:
    value = Decimal(wei).scaleb(-digits, _EXACT)
    text = format(value, ",f")
    return text.rstrip("0").removesuffix(".") if "." in text else text
