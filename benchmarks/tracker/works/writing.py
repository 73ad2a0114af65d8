"""Write a block's transitions with the store alone: one database transaction."""

import time
from functools import partial
from itertools import islice

from msgspec.structs import replace

from benchmarks.tracker.prepared import SOURCE, seen, waiting
from transaction_tracker.domain import BlockRef, Event, Link, Outcome, Tracked
from transaction_tracker.store import Step, committing
from transaction_tracker.store.database import Database, Failed

KEEP = 76


async def run(database: str, hits: int, blocks: int) -> dict[str, list[float]]:
    """Commit blocks.

    Args:
        database: With ``hits * blocks`` open transactions.
        hits: How many of them each block holds.
        blocks: How many blocks.

    Returns:
        ``commit``: for each block, seconds from the values to the database's word that they are
        safe.
    """
    pool = iter(waiting(hits * blocks, hits).pool)
    store = Database(database).open()
    times = []
    for number in range(1, blocks + 1):
        link = Link(number, f"{number:#066x}", f"{number - 1:#066x}")
        events = tuple(mined(seen(tx, 12).tracked, link.ref) for tx in islice(pool, hits))
        step = Step(SOURCE, events, applied=link, slots=_slots(events), keep=KEEP)
        times.append(_timed(store, step))
    store.close()
    return {"commit": times}


def mined(pending: Tracked, block: BlockRef) -> Event:
    """Return the event that puts a transaction into a block."""
    outcome = Outcome(succeeded=True, fee=21_000 * 10**9)
    version = pending.version + 1
    after = replace(pending, state="mined", version=version, anchor=block, outcome=outcome)
    return Event(pending.state, replace(after, waiting_since=None))


def _slots(events: tuple[Event, ...]) -> dict[str, str]:
    return {slot: event.tracked.id for event in events for slot in event.tracked.slots}


def _timed(store: Database, step: Step) -> float:
    began = time.monotonic()
    (stored,) = store.run([partial(committing.commit, step=step)])
    seconds = time.monotonic() - began
    if isinstance(stored, Failed):
        raise stored.error
    if len(stored.events) != len(step.events):
        raise RuntimeError(f"{len(stored.events)} of {len(step.events)} events were written")
    return seconds
