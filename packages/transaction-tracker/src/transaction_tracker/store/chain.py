"""The kept blocks, the cursor of each source, and the pause of its deliveries."""

import time
import zlib
from collections.abc import Mapping, Sequence

import orjson
from sqlalchemy import Connection, delete, func, insert, select, update

from transaction_tracker.domain import BlockRef, Link
from transaction_tracker.domain.recent import MAX_SLOTS
from transaction_tracker.store.errors import StoreError
from transaction_tracker.store.schema import block_slots, blocks, cursors, events, transactions
from transaction_tracker.store.steps import Step, Stored

# Transaction ids are random and compress badly at any level.
_COMPRESSION_LEVEL = 1


def claim(
    connection: Connection,
    source: str,
    anchor: BlockRef | None = None,
    *,
    is_only: bool = True,
) -> Stored:
    """Bind the database to a source, and return its tip.

    Args:
        connection: Inside a database transaction.
        source: Name of the source.
        anchor: Block that identifies the chain; stored unless there is one already.
        is_only: Whether the database must have no other source.

    Raises:
        StoreError: The database belongs to another source.
    """
    known = {row.source: row for row in connection.execute(select(cursors).order_by("source"))}
    others = known.keys() - {source}
    if is_only and len(others) == 1 and source not in known:
        raise StoreError(f"the database belongs to {others.pop()} and cannot hold {source}")
    if is_only and others:
        raise StoreError(
            f"the database belongs to {', '.join(known)}: list each of them in [[sources]]"
        )
    proof = {"anchor_number": anchor and anchor.number, "anchor_hash": anchor and anchor.hash}
    cursor = known.get(source)
    if cursor is None:
        connection.execute(insert(cursors), {"source": source, **proof})
        if not known:
            _take_unowned(connection, source)
        return Stored()
    if cursor.anchor_hash is None and anchor is not None:
        connection.execute(update(cursors).where(cursors.c.source == source).values(proof))
    tip = None if cursor.hash is None else BlockRef(cursor.number, cursor.hash)
    return Stored(tip=tip, source=source)


def _take_unowned(connection: Connection, source: str) -> None:
    """Set the source of the rows of an old version, which did not name it."""
    for table in (transactions, events):
        connection.execute(update(table).where(table.c.source == "").values(source=source))


def load_identity(
    connection: Connection, source: str | None = None
) -> tuple[str, BlockRef | None] | None:
    """Return a source of the database, and the anchor block of its chain.

    Args:
        connection: The database.
        source: Name of the source. Default: the only one, or the first.
    """
    query = select(cursors.c.source, cursors.c.anchor_number, cursors.c.anchor_hash)
    query = query.order_by(cursors.c.source)
    if source is not None:
        query = query.where(cursors.c.source == source)
    row = connection.execute(query).first()
    if row is None:
        return None
    return row[0], None if row[2] is None else BlockRef(row[1], row[2])


def load_links(connection: Connection, source: str) -> list[Link]:
    """Return the kept blocks, from the lowest up."""
    query = select(blocks.c.number, blocks.c.hash, blocks.c.parent)
    query = query.where(blocks.c.source == source).order_by(blocks.c.number)
    return [Link(*row) for row in connection.execute(query)]


def load_slots(connection: Connection, source: str) -> list[tuple[Link, dict[str, str]]]:
    """Return the slots that the last blocks took, from the lowest block up."""
    query = select(block_slots.c.number, block_slots.c.packed)
    query = query.where(block_slots.c.source == source).order_by(block_slots.c.number)
    links = {link.number: link for link in load_links(connection, source)}
    rows = connection.execute(query)
    return [(links[number], _unpack(packed)) for number, packed in rows if number in links]


def move_chain(connection: Connection, step: Step) -> BlockRef | None:
    """Undo and apply the blocks of a step; return the new tip, or ``None`` if it has no block."""
    tip = None
    if step.forgets:
        _drop(connection, step.source, 0)
        _set_cursor(connection, step.source, None)
    if step.undone is not None:
        tip = step.below or step.undone.parent_ref
        _drop(connection, step.source, step.undone.number)
        _set_cursor(connection, step.source, tip)
    if step.applied is not None:
        tip = step.applied.ref
        added = (*step.quiet, (step.applied, step.slots))
        _add(connection, step.source, [link for link, _ in added], step.keep)
        _add_slots(connection, step.source, added)
        _set_cursor(connection, step.source, tip)
    return tip


def pause_deliveries(connection: Connection, source: str | None = None) -> None:
    """Pause deliveries until ``resume_deliveries``; no effect if they are paused already.

    Args:
        connection: Inside a database transaction.
        source: Only the deliveries of this source. Default: all.
    """
    frozen = update(cursors).where(cursors.c.frozen_since.is_(None))
    if source is not None:
        frozen = frozen.where(cursors.c.source == source)
    connection.execute(frozen.values(frozen_since=time.time()))


def resume_deliveries(connection: Connection) -> None:
    """Resume deliveries, including those that waited."""
    connection.execute(update(cursors).values(frozen_since=None))


def frozen_since(connection: Connection) -> float | None:
    """Return since when deliveries are paused, in Unix seconds; ``None`` if they are not."""
    since: float | None = connection.execute(select(func.min(cursors.c.frozen_since))).scalar()
    return since


def frozen_sources(connection: Connection) -> dict[str, float]:
    """Return the sources whose deliveries are paused, with the time in Unix seconds."""
    query = select(cursors.c.source, cursors.c.frozen_since).order_by(cursors.c.source)
    rows = connection.execute(query.where(cursors.c.frozen_since.is_not(None)))
    return {row.source: row.frozen_since for row in rows}


def load_paused(connection: Connection) -> frozenset[str]:
    """Return the names of the sources that an operator has paused."""
    query = select(cursors.c.source).where(cursors.c.paused_since.is_not(None))
    return frozenset(connection.execute(query).scalars())


def set_paused(connection: Connection, source: str, paused: bool) -> None:
    """Store whether an operator has paused a source, also one that has never run."""
    since = time.time() if paused else None
    mine = update(cursors).where(cursors.c.source == source)
    if not connection.execute(mine.values(paused_since=since)).rowcount:
        connection.execute(insert(cursors), {"source": source, "paused_since": since})


def _add(connection: Connection, source: str, links: Sequence[Link], keep: int) -> None:
    rows = [
        {"source": source, "number": link.number, "hash": link.hash, "parent": link.parent}
        for link in links
    ]
    connection.execute(insert(blocks), rows)
    for table in (blocks, block_slots):
        old = table.c.source == source, table.c.number <= links[-1].number - keep
        connection.execute(delete(table).where(*old))


def _add_slots(
    connection: Connection, source: str, added: Sequence[tuple[Link, Mapping[str, str]]]
) -> None:
    """Store the slots of blocks, and delete the slots that ``RecentSlots`` no longer keeps."""
    rows = [
        {"source": source, "number": link.number, "amount": len(slots), "packed": _pack(slots)}
        for link, slots in added
        if slots
    ]
    if not rows:
        return
    connection.execute(insert(block_slots), rows)
    own = block_slots.c.source == source
    query = select(block_slots.c.number, block_slots.c.amount).where(own)
    total, newest = 0, rows[-1]["number"]
    for number, amount in connection.execute(query.order_by(block_slots.c.number.desc())).all():
        total += amount
        if total > MAX_SLOTS and number < newest:
            connection.execute(delete(block_slots).where(own, block_slots.c.number <= number))
            return


def _drop(connection: Connection, source: str, lowest: int) -> None:
    for table in (blocks, block_slots):
        condition = table.c.source == source, table.c.number >= lowest
        connection.execute(delete(table).where(*condition))


def _pack(slots: Mapping[str, str]) -> bytes:
    return zlib.compress(orjson.dumps(slots), _COMPRESSION_LEVEL)


def _unpack(packed: bytes) -> dict[str, str]:
    slots: dict[str, str] = orjson.loads(zlib.decompress(packed))
    return slots


def _set_cursor(connection: Connection, source: str, block: BlockRef | None) -> None:
    place = {"number": block and block.number, "hash": block and block.hash}
    connection.execute(update(cursors).where(cursors.c.source == source).values(place))
