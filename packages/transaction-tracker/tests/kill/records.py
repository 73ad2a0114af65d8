"""What is left when all is over: the database, what was delivered, what was told; and the judge."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, NullPool, Row, create_engine, func, select, text

from transaction_tracker.store import DatabaseUrl
from transaction_tracker.store.schema import blocks, counters, cursors, events, outbox, transactions

from ..delivery.receiver import Received  # noqa: TID252
from .world import World

_ENDS = {"confirmed", "failed", "replaced", "expired"}


@dataclass(frozen=True, slots=True)
class Records:
    """What the database holds.

    Attributes:
        rows: The transactions, by id.
        events: All of them, in the order of writing.
        deliveries: How many are in each state.
        links: Number, hash and parent of the blocks that are kept, the lowest first.
        cursor: Number and hash of the head.
        counted: How far positions were given out.
        integrity: What the database says of itself.
    """

    rows: dict[str, Row[Any]]
    events: list[Row[Any]]
    deliveries: dict[str, int]
    links: list[tuple[int, str, str]]
    cursor: tuple[int, str]
    counted: int
    integrity: list[str]

    @classmethod
    def read(cls, database: str) -> "Records":
        """Read all of it, in one transaction."""
        engine = create_engine(DatabaseUrl.of(database).reveal(), poolclass=NullPool)
        with engine.connect() as connection:
            return cls(
                {row.id: row for row in connection.execute(select(transactions))},
                [*connection.execute(select(events).order_by(events.c.position))],
                _count(connection),
                _links(connection),
                _cursor(connection),
                connection.execute(select(counters.c.value)).scalar_one_or_none() or 0,
                _integrity(connection),
            )

    @property
    def ids(self) -> list[str]:
        """The ids of the events, in the order of writing."""
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
    said = [row[0] for row in connection.execute(text("PRAGMA integrity_check"))]
    broken = [str(row) for row in connection.execute(text("PRAGMA foreign_key_check"))]
    return [each for each in said if each != "ok"] + broken


def event_id(event: Row[Any]) -> str:
    return f"{event.transaction_id}:{event.version}"


@dataclass(slots=True)
class Judge:
    """Says what is wrong, all of it.

    Attributes:
        faults: In words; none when everything is as it has to be.
    """

    world: World
    records: Records
    faults: list[str] = field(default_factory=list)

    def judge(self, received: list[Received], diary: Path) -> list[str]:
        """Look at everything."""
        self.database()
        self.states()
        for key, history in self.histories().items():
            self.history(key, history)
        self.deliveries(received)
        self.told(diary.read_text().splitlines())
        return self.faults

    def check(self, fine: bool, fault: str) -> None:
        if not fine:
            self.faults.append(fault)

    # -- The database

    def database(self) -> None:
        records, head = self.records, self.world.chain.head
        positions = [event.position for event in records.events]
        self.check(not records.integrity, f"the database is damaged: {records.integrity}")
        self.check(positions == [*range(1, len(positions) + 1)], f"positions: {positions}")
        self.check(records.counted == len(positions), f"counted {records.counted} events")
        self.check(records.cursor == (head.number, head.hash), f"the head is {records.cursor}")
        below = records.links[0][2]
        for number, own, parent in records.links:
            block = self.world.chain.block(number)
            self.check(
                block is not None and block.hash == own, f"block {number} is not the chain's"
            )
            self.check(parent == below, f"block {number} does not stand on the one below it")
            below = own

    def states(self) -> None:
        """What was acknowledged is known; whatever is known is as the chain says."""
        for key in self.world.followed:
            self.check(key in self.records.rows, f"{key} was acknowledged, and is lost")
        for key, row in self.records.rows.items():
            allowed = self.world.truth(key)
            self.check(row.state in allowed, f"{key} is {row.state}, and has to be {allowed}")
            self.check(row.error is None, f"{key} was given up: {row.error}")

    def histories(self) -> dict[str, list[Row[Any]]]:
        histories: dict[str, list[Row[Any]]] = {key: [] for key in self.records.rows}
        for event in self.records.events:
            histories[event.transaction_id].append(event)
        return histories

    def history(self, key: str, history: list[Row[Any]]) -> None:
        """Each version once, each a change, and each the next of the one before it."""
        row = self.records.rows[key]
        versions = [event.version for event in history]
        self.check(versions == [*range(1, row.version + 1)], f"{key} has versions {versions}")
        ends = [event.state for event in history if event.state in _ENDS]
        self.check(len(ends) <= 1, f"{key} ended more than once: {ends}")
        before: Row[Any] | None = None
        for event in history:
            state = "registered" if before is None else before.state
            self.check(event.previous == state, f"{event_id(event)} follows {event.previous}")
            self.check(before is None or _content(before) != _content(event), _doubled(event))
            self.block(event)
            homes = {None, event.block_hash, None if before is None else before.block_hash}
            # From one block to another it goes only by being in none.
            self.check(len(homes) <= 2, f"it did not hear that its block went: {before}, {event}")
            before = event
        if before is not None:
            self.check(before.state == row.state, f"{key} is {row.state} and ended {before.state}")

    def block(self, event: Row[Any]) -> None:
        """A block that decided really had the transaction, or its rival."""
        if event.block_hash is None:
            return
        block = self.world.blocks.get(event.block_hash)
        self.check(block is not None, f"{event_id(event)} names a block that never was")
        decider = event.superseded_by or event.transaction_id
        there = block is not None and decider in [tx.hash for tx in block.transactions]
        self.check(there, f"{event_id(event)} names a block that does not have {decider}")

    # -- What others heard

    def deliveries(self, received: list[Received]) -> None:
        """Every event at least once, in order for each transaction, and always the same."""
        self.check(set(self.records.deliveries) <= {"delivered"}, f"{self.records.deliveries}")
        ids, bodies = self.records.ids, defaultdict(set)
        for each in received:
            bodies[each.id].add(each.body)
        self.check(set(ids) <= set(bodies), f"never delivered: {set(ids) - set(bodies)}")
        self.check(set(bodies) <= set(ids), f"delivered and not stored: {set(bodies) - set(ids)}")
        for key, said in bodies.items():
            self.check(len(said) == 1, f"{key} was delivered with several bodies: {said}")
        firsts: dict[str, list[int]] = defaultdict(list)
        for each in {one.id: one for one in reversed(received)}.values():
            self.check(_says(each) == each.id, f"{each.id} was delivered as {each.message}")
        for key in dict.fromkeys(one.id for one in received):
            transaction, _, version = key.rpartition(":")
            firsts[transaction].append(int(version))
        for transaction, versions in firsts.items():
            self.check(versions == sorted(versions), f"{transaction} was delivered as {versions}")

    def told(self, heard: Iterable[str]) -> None:
        """The program's own code heard every event at least once, and all in order."""
        firsts = [*dict.fromkeys(heard)]
        self.check(firsts == self.records.ids, _difference(firsts, self.records.ids))


def _content(event: Row[Any]) -> tuple[object, ...]:
    own = event._mapping
    left_out = ("position", "version", "previous", "recorded_at")
    return tuple(own[name] for name in own if name not in left_out)


def _doubled(event: Row[Any]) -> str:
    return f"{event_id(event)} says the same as the event before it: {event}"


def _says(received: Received) -> str:
    data = received.message["data"]
    # What the user noted at the registration comes back with every event.
    return f"{data['metadata']['payment']}:{data['version']}"


def _difference(heard: list[str], written: list[str]) -> str:
    for place, (one, other) in enumerate(zip(heard, written, strict=False)):
        if one != other:
            return f"on_event heard {one} first where {other} was next, at place {place}"
    return f"on_event heard {len(heard)} of {len(written)} events"


def repeats(ids: Iterable[str]) -> int:
    """Count how often something came that had come before."""
    return sum(count - 1 for count in Counter(ids).values())
