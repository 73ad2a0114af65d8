"""The final database, deliveries and ``on_event`` calls of a story, and their checks."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, NullPool, Row, create_engine, func, select, text

from transaction_tracker.store import DatabaseUrl
from transaction_tracker.store.schema import (
    addresses,
    blocks,
    counters,
    cursors,
    events,
    outbox,
    transactions,
)

from ..delivery.receiver import Received  # noqa: TID252
from .world import World

_ENDS = {"confirmed", "failed", "replaced", "expired"}


@dataclass(frozen=True, slots=True)
class Records:
    """The contents of the database.

    Attributes:
        rows: The transactions, by id.
        events: All events, in the order of their positions.
        deliveries: Number of deliveries in each state.
        addresses: The watched addresses.
        links: Number, hash and parent of the kept blocks, the lowest first.
        cursor: Number and hash of the head.
        last_position: The last event position that was assigned.
        integrity: Errors of the database's integrity checks.
    """

    rows: dict[str, Row[Any]]
    events: list[Row[Any]]
    deliveries: dict[str, int]
    addresses: list[Row[Any]]
    links: list[tuple[int, str, str]]
    cursor: tuple[int, str]
    last_position: int
    integrity: list[str]

    @classmethod
    def read(cls, database: str) -> "Records":
        """Read the database in one transaction."""
        engine = create_engine(DatabaseUrl.of(database).reveal(), poolclass=NullPool)
        with engine.connect() as connection:
            return cls(
                {row.id: row for row in connection.execute(select(transactions))},
                [*connection.execute(select(events).order_by(events.c.position))],
                _count(connection),
                [*connection.execute(select(addresses))],
                _links(connection),
                _cursor(connection),
                connection.execute(select(counters.c.value)).scalar_one_or_none() or 0,
                _integrity(connection),
            )

    @property
    def ids(self) -> list[str]:
        """The ids of the events, in the order of their positions."""
        return [event_id(event) for event in self.events]


def _count(connection: Connection) -> dict[str, int]:
    query = select(outbox.c.state, func.count()).group_by(outbox.c.state)
    return dict(map(tuple, connection.execute(query)))


def _links(connection: Connection) -> list[tuple[int, str, str]]:
    query = select(blocks.c.number, blocks.c.hash, blocks.c.parent).order_by(blocks.c.number)
    return [(number, own, parent) for number, own, parent in connection.execute(query)]


def _cursor(connection: Connection) -> tuple[int, str]:
    ((number, own),) = connection.execute(select(cursors.c.number, cursors.c.hash))
    return number, own


def _integrity(connection: Connection) -> list[str]:
    if connection.dialect.name != "sqlite":
        return []
    results = [row[0] for row in connection.execute(text("PRAGMA integrity_check"))]
    broken = [str(row) for row in connection.execute(text("PRAGMA foreign_key_check"))]
    return [result for result in results if result != "ok"] + broken


def event_id(event: Row[Any]) -> str:
    return f"{event.transaction_id}:{event.version}"


@dataclass(slots=True)
class Checker:
    """Checks the result of a story.

    Attributes:
        faults: Descriptions of all violations; empty if there are none.
    """

    world: World
    records: Records
    faults: list[str] = field(default_factory=list)

    def check_all(self, received: list[Received], event_log: Path) -> list[str]:
        """Run all checks; return the faults."""
        self.check_database()
        self.check_states()
        self.check_deposits()
        for key, history in self.histories().items():
            self.check_history(key, history)
        self.check_deliveries(received)
        self.check_callbacks(event_log.read_text().splitlines())
        return self.faults

    def expect(self, condition: bool, fault: str) -> None:
        if not condition:
            self.faults.append(fault)

    # -- The database

    def check_database(self) -> None:
        records, head = self.records, self.world.chain.head
        positions = [event.position for event in records.events]
        self.expect(not records.integrity, f"the database is damaged: {records.integrity}")
        self.expect(positions == [*range(1, len(positions) + 1)], f"positions: {positions}")
        self.expect(
            records.last_position == len(positions), f"last position {records.last_position}"
        )
        self.expect(records.cursor == (head.number, head.hash), f"the head is {records.cursor}")
        below = records.links[0][2]
        for number, own, parent in records.links:
            block = self.world.chain.block(number)
            self.expect(
                block is not None and block.hash == own, f"block {number} is not on the chain"
            )
            self.expect(parent == below, f"block {number} does not build on the block below it")
            below = own

    def check_states(self) -> None:
        """Check that acknowledged transactions are tracked, and each state is that of the chain."""
        for key in self.world.tracked:
            self.expect(key in self.records.rows, f"{key} was acknowledged and is lost")
        for key, row in self.records.rows.items():
            allowed = self.world.allowed_states(key)
            self.expect(row.state in allowed, f"{key} is {row.state}, expected {allowed}")
            self.expect(row.error is None, f"{key} is parked: {row.error}")

    def check_deposits(self) -> None:
        """Check that all payments to watched addresses are found, once, and nothing more."""
        paid: Counter[str] = Counter()
        expected = self.world.deposits()
        for key, tx in expected.items():
            if key in self.world.left:
                continue  # nobody asks about an untracked transaction
            account = str(tx.to).lower()
            wanted = [{"address": account, "token": None, "value": str(tx.value)}]
            row = self.records.rows.get(key)
            if row is not None and self._ended_before_it_was_found(row, account):
                continue  # what was told of an end stays
            found = None if row is None or row.deposits is None else json.loads(row.deposits)
            self.expect(found == wanted, f"{key} has deposits {found}, expected {wanted}")
        for key, row in self.records.rows.items():
            found = json.loads(row.deposits or "[]")
            is_paid = self.world.chain.mined(key) is not None and key in expected
            if any(int(each["value"]) for each in found):
                paid.update(each["address"] for each in found)
                told = self.world.chain.mined(key) is None or is_paid
                self.expect(told, f"{key} has deposits {found}, and is not one")
        for row in self.records.addresses:
            count = paid[row.address]
            self.expect(row.found == count, f"{row.address} has {row.found}, expected {count}")
            self.expect(row.search is None, f"the search of {row.address} has no end")
        watched = {row.address for row in self.records.addresses}
        self.expect(self.world.watched <= watched, f"acknowledged and lost: {self.world.watched}")

    def _ended_before_it_was_found(self, row: Row[Any], account: str) -> bool:
        """Return whether a user's transaction is older than the address, and had ended by then."""
        (watched,) = (each for each in self.records.addresses if each.address == account)
        mined = self.world.chain.mined(row.id)
        return (
            row.id in self.world.requested
            and row.deposits is None
            and row.ended_at is not None
            and mined is not None
            and mined.block.number < (watched.watched_from or 0)
        )

    def histories(self) -> dict[str, list[Row[Any]]]:
        histories: dict[str, list[Row[Any]]] = {key: [] for key in self.records.rows}
        for event in self.records.events:
            histories[event.transaction_id].append(event)
        return histories

    def check_history(self, key: str, history: list[Row[Any]]) -> None:
        """Check that the versions have no gap, and that each event changes something."""
        row = self.records.rows[key]
        versions = [event.version for event in history]
        self.expect(versions == [*range(1, row.version + 1)], f"{key} has versions {versions}")
        ends = [event.state for event in history if event.state in _ENDS]
        self.expect(len(ends) <= 1, f"{key} ended more than once: {ends}")
        previous: Row[Any] | None = None
        for event in history:
            state = "registered" if previous is None else previous.state
            self.expect(event.previous == state, f"{event_id(event)} follows {event.previous}")
            self.expect(previous is None or _content(previous) != _content(event), _repeated(event))
            self.check_block(event)
            old_block = None if previous is None else previous.block_hash
            # Between two blocks, an event must report that the transaction is in no block.
            moved = len({None, event.block_hash, old_block}) > 2
            self.expect(not moved, f"the removal of the block is missing: {previous}, {event}")
            previous = event
        if previous is not None:
            last = previous.state
            self.expect(last == row.state, f"{key} is {row.state}, its last event is {last}")

    def check_block(self, event: Row[Any]) -> None:
        """Check that the block of an event contains the transaction, or its competitor."""
        if event.block_hash is None:
            return
        block = self.world.blocks.get(event.block_hash)
        self.expect(block is not None, f"{event_id(event)} names a block that never existed")
        decider = event.superseded_by or event.transaction_id
        contains = block is not None and decider in [tx.hash for tx in block.transactions]
        self.expect(contains, f"{event_id(event)} names a block that does not have {decider}")

    # -- Deliveries and callbacks

    def check_deliveries(self, received: list[Received]) -> None:
        """Check that each event was delivered, in order per transaction, and always the same."""
        self.expect(set(self.records.deliveries) <= {"delivered"}, f"{self.records.deliveries}")
        ids, bodies = self.records.ids, defaultdict(set)
        for delivery in received:
            bodies[delivery.id].add(delivery.body)
        self.expect(set(ids) <= set(bodies), f"never delivered: {set(ids) - set(bodies)}")
        self.expect(set(bodies) <= set(ids), f"delivered and not stored: {set(bodies) - set(ids)}")
        for key, contents in bodies.items():
            self.expect(len(contents) == 1, f"{key} was delivered with several bodies: {contents}")
        firsts: dict[str, list[int]] = defaultdict(list)
        for first in {delivery.id: delivery for delivery in reversed(received)}.values():
            self.expect(
                _content_id(first) == first.id, f"{first.id} was delivered as {first.message}"
            )
        for key in dict.fromkeys(delivery.id for delivery in received):
            transaction, _, version = key.rpartition(":")
            firsts[transaction].append(int(version))
        for transaction, versions in firsts.items():
            self.expect(versions == sorted(versions), f"{transaction} was delivered as {versions}")

    def check_callbacks(self, called: Iterable[str]) -> None:
        """Check that ``on_event`` was called with each event, the first calls in order."""
        firsts = [*dict.fromkeys(called)]
        self.expect(firsts == self.records.ids, _difference(firsts, self.records.ids))


def _content(event: Row[Any]) -> tuple[object, ...]:
    columns = event._mapping
    excluded = ("position", "version", "previous", "recorded_at")
    return tuple(columns[name] for name in columns if name not in excluded)


def _repeated(event: Row[Any]) -> str:
    return f"{event_id(event)} is the same as the previous event: {event}"


def _content_id(received: Received) -> str:
    data = received.message["data"]
    # The metadata of the registration is part of every event; a deposit has that of its address.
    return f"{data['metadata'].get('payment', data['id'])}:{data['version']}"


def _difference(called: list[str], stored: list[str]) -> str:
    for index, (got, expected) in enumerate(zip(called, stored, strict=False)):
        if got != expected:
            return f"on_event was first called with {got}, expected {expected}, at index {index}"
    return f"on_event was called with {len(called)} of {len(stored)} events"


def repeats(ids: Iterable[str]) -> int:
    """Return the number of repetitions."""
    return sum(count - 1 for count in Counter(ids).values())
