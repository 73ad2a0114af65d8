"""Cursors of the merged feed: the position at each shard, as opaque text.

``e1.5.9`` is the position 5 at shard 0 and 9 at shard 1. A shard without a position, because the
service has grown since, is read from its first event. So the cursor is good for any later number
of shards, and no event is lost.
"""

import re

from transaction_tracker.api.problems import ProblemError
from transaction_tracker.domain.sharding import MAX_SHARDS

# The number is the version of the form.
_FORM = re.compile(rf"e1(\.[0-9]{{1,18}}){{1,{MAX_SHARDS}}}")


def of_positions(positions: list[int]) -> str:
    """Return the cursor of the positions at all shards."""
    return ".".join(("e1", *map(str, positions)))


def positions_at(cursor: str, count: int, name: str) -> list[int]:
    """Return the positions of a cursor at all shards.

    Args:
        cursor: The cursor.
        count: Number of shards.
        name: Parameter or header that contains it.

    Raises:
        ProblemError: It is not a cursor of a service with so many shards.
    """
    found = [int(part) for part in cursor.split(".")[1:]] if _FORM.fullmatch(cursor) else []
    if not 1 <= len(found) <= count:
        detail = f"{name}: must be the cursor of an event of this router, such as e1.42.17"
        kind = "header" if name == "Last-Event-ID" else "parameter"
        raise ProblemError(
            422, detail, kind="invalid-request", errors=[{"detail": detail, kind: name}]
        )
    return [*found, *(0 for _ in range(count - len(found)))]
