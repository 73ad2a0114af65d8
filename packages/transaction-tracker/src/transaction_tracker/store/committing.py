"""Write one step: a block and all its changes, in one database transaction."""

from sqlalchemy import Connection

from transaction_tracker.store.addresses import deposits, searches
from transaction_tracker.store.chain import move_chain, pause_deliveries
from transaction_tracker.store.reading import load_some
from transaction_tracker.store.recording import record
from transaction_tracker.store.steps import Step, Stored


def commit(connection: Connection, step: Step) -> Stored:
    """Write one step; return what was written, and the stored rows of stale transitions.

    A step that was compared with fewer watched addresses than there are now is not written.
    """
    found, events = step.deposits, step.events
    begun = deposits.Written()
    if found is not None:
        if deposits.is_outdated(connection, step.source, found):
            return Stored(is_outdated=True)
        begun = deposits.write(connection, step.source, found)
        events = deposits.valid_events(events, begun)
        searches.require(connection, step.source, found.unread)
    events = (*begun.reopened, *events)
    position, written = record(connection, events)
    tip = move_chain(connection, step)
    if step.freezes:
        pause_deliveries(connection, step.source)
    rows = {tracked.key: tracked for tracked in begun.started}
    stale = {event.tracked.key for event in events} - {event.tracked.key for event in written}
    rows |= {event.tracked.key: event.tracked for event in written}
    others = load_some(connection, sorted(stale)) if stale else ()
    started = tuple(rows[tracked.key] for tracked in begun.started)
    return Stored((*rows.values(), *others), written, tip, position, step.source, started)
