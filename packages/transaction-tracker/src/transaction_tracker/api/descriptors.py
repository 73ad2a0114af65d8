"""File descriptors: as many as the system gives, with some kept back for the service's own work."""

from contextlib import suppress

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None  # type: ignore[assignment]

# For the database, the providers, the webhooks and the name server, whatever clients do.
RESERVE = 512


def raise_limit() -> None:
    """Raise the soft limit of open files to the hard one: many systems give 1,024 of 500,000."""
    if resource is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS has no hard limit, and accepts fewer than that all the same.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def room_for_clients(reserve: int = RESERVE) -> int | None:
    """Return how many descriptors clients may use; ``None`` where the system has no limit.

    At least half of them stay for the service, however few there are.
    """
    if resource is None:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return None
    return max(1, limit - min(reserve, limit // 2))
