"""Lengths of time as people write them."""

import re

SECONDS = 'seconds, or text such as "30s", "5m", "2h", "1d"'

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)?\s*")


def duration(text: str) -> float:
    """Parse a time such as ``30``, ``30s``, ``5m``, ``2h``, ``1d``, in seconds.

    Raises:
        ValueError: It is not a valid time.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"a time must be {SECONDS}, got {text!r}")
    return float(match[1]) * _UNITS[match[2] or "s"]
