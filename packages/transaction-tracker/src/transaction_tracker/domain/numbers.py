"""Numbers in texts: decimal digits only.

Python's ``int`` and ``float`` also accept ``1_0``, ``+1``, spaces around a number and the digits of
other scripts, so a typing error would become another number.
"""

import re

_WHOLE = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_MAX_DIGITS = 100


def whole_number(text: str) -> int:
    """Parse a whole number.

    Raises:
        ValueError: The text is not a whole number in decimal digits.
    """
    if len(text) > _MAX_DIGITS or not _WHOLE.fullmatch(text):
        raise ValueError("must be a whole number")
    return int(text)


def decimal_number(text: str) -> float:
    """Parse a number such as ``10`` or ``0.5``.

    Raises:
        ValueError: The text is not a number in decimal digits.
    """
    if len(text) > _MAX_DIGITS or not _DECIMAL.fullmatch(text):
        raise ValueError("must be a number")
    return float(text)
