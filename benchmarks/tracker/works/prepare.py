"""Fill a database with transactions that wait: nothing is measured but how long that takes."""

import time

from benchmarks.tracker import prepared


async def run(database: str, tracked: int, required: int) -> dict[str, float]:
    """Fill it."""
    began = time.monotonic()
    pool = iter(prepared.waiting(tracked, per_block=tracked).pool)
    prepared.fill(database, pool, required)
    return {"seconds": time.monotonic() - began}
