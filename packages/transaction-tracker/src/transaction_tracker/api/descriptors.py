"""Limits on file descriptors, with a reserve for the service's own work."""

from contextlib import suppress

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]

# For the database, providers, webhooks and name lookups: clients can never use these.
RESERVE = 512


def raise_limit() -> None:
    """Raise the soft limit of open files to the hard limit.

    Many systems have a soft limit of 1,024 and a hard limit of 500,000.
    """
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS reports no hard limit, but refuses an unlimited soft limit.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def max_client_descriptors(reserve: int = RESERVE) -> int | None:
    """Return how many descriptors clients can use; ``None`` if the system has no limit.

    The reserve is at most half of the limit.
    """
    if resource is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return None
    return max(1, limit - min(reserve, limit // 2))
