"""Write one step: a block and all its changes, in one database transaction."""

from sqlalchemy import Connection

from transaction_tracker.store.chain import move_chain, pause_deliveries
from transaction_tracker.store.reading import load_some
from transaction_tracker.store.recording import record
from transaction_tracker.store.steps import Step, Stored


def commit(connection: Connection, step: Step) -> Stored:
    """Write one step; return what was written, and the stored rows of stale transitions."""
    position, written = record(connection, step.events)
    tip = move_chain(connection, step)
    if step.freezes:
        pause_deliveries(connection, step.source)
    rows = {event.tracked.key: event.tracked for event in written}
    stale = {event.tracked.key for event in step.events} - rows.keys()
    found = load_some(connection, sorted(stale)) if stale else ()
    return Stored((*rows.values(), *found), written, tip, position, step.source)
