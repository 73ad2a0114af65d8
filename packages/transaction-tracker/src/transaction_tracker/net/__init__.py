"""HTTP to URLs that users configure, limited to the public internet (protection against SSRF)."""

from transaction_tracker.net.addresses import AllowList
from transaction_tracker.net.client import CheckedClient, HttpResponse
from transaction_tracker.net.errors import ForbiddenAddressError, ForbiddenUrlError, NoAnswerError
from transaction_tracker.net.retry_after import parse_retry_after
from transaction_tracker.net.url import checked_url

__all__ = [
    "AllowList",
    "CheckedClient",
    "ForbiddenAddressError",
    "ForbiddenUrlError",
    "HttpResponse",
    "NoAnswerError",
    "checked_url",
    "parse_retry_after",
]
