"""Connections to addresses that somebody gave us: only to where they may go."""

from transaction_tracker.net.addresses import AllowList
from transaction_tracker.net.client import Answer, CheckedClient
from transaction_tracker.net.errors import ForbiddenAddressError, ForbiddenUrlError, NoAnswerError
from transaction_tracker.net.retry_after import seconds
from transaction_tracker.net.url import checked_url

__all__ = [
    "AllowList",
    "Answer",
    "CheckedClient",
    "ForbiddenAddressError",
    "ForbiddenUrlError",
    "NoAnswerError",
    "checked_url",
    "seconds",
]
