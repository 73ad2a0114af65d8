"""Parse the ``Retry-After`` header."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_MAX_DIGITS = 9


def parse_retry_after(value: str | None) -> float | None:
    """Parse a ``Retry-After`` header, which holds seconds or a date.

    Args:
        value: Value of the header; ``None`` if the response has none.

    Returns:
        Seconds from now, 0 for a date in the past; ``None`` if the value is invalid or missing.

    Source:
        RFC 9110, section 10.2.3.
    """
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:_MAX_DIGITS])
    try:
        moment = parsedate_to_datetime(value)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError):  # not a date, or a date without a time zone
        return None
