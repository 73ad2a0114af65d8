"""Numbers in texts: decimal digits only.

Python's ``int`` and ``float`` also accept ``1_0``, ``+1``, spaces around a number and the digits of
other scripts, so a typing error would become another number.
"""

import re

_WHOLE = re.compile(r"-?[0-9]+")
_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_JSON = re.compile(rf"{_DECIMAL.pattern}([eE][+-]?[0-9]+)?")
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
    return _number(text, _DECIMAL)


def json_number(text: str) -> float:
    """Parse a number as JSON writes it, such as ``0.5`` or ``5e-1``.

    Raises:
        ValueError: The text is not such a number.
    """
    return _number(text, _JSON)


def _number(text: str, pattern: re.Pattern[str]) -> float:
    if len(text) > _MAX_DIGITS or not pattern.fullmatch(text):
        raise ValueError("must be a number")
    return float(text)
