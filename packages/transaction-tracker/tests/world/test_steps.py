"""A block and what it changes are one database transaction, so a crash never parts them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from beamish import telemetry

from .chain import transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200
COMMIT = ("transaction_tracker", "store", "commit")
# Transactions in a block that is not stored; the blocks below our first one do not count.
PARTED = """
    SELECT id, state, block_number FROM transactions
    WHERE state IN ('mined', 'mined_reverted', 'superseded')
    AND block_hash NOT IN (SELECT hash FROM blocks)
"""
# Transactions whose last event is not stored, or is not theirs.
UNTOLD = """
    SELECT id, state, version FROM transactions
    WHERE version > 0 AND NOT EXISTS (
        SELECT 1 FROM events WHERE events.transaction_id = transactions.id
        AND events.version = transactions.version AND events.state = transactions.state
    )
"""


def test_a_crash_at_any_moment_finds_blocks_with_what_they_changed(tmp_path: Path) -> None:
    """After each commit, the file is what a program that dies there would start from."""
    payment, other = transaction("customer", 1), transaction("another", 1)
    chain = chain_of(LENGTH)
    node = Node(chain)
    database = tmp_path / "test.db"
    world = World(node, database=database)
    found: list[object] = []
    commits = 0

    def look(*_event: object) -> None:
        nonlocal commits
        commits += 1
        with closing(sqlite3.connect(database)) as connection:
            for query in (PARTED, UNTOLD):
                found.extend(connection.execute(query).fetchall())

    async def main() -> None:
        await world.reaches(chain)
        await world.blocks(2, chain)
        telemetry.attach("look", COMMIT, look)
        try:
            await world.track(payment, other)
            branch = chain.fork(chain.head.number, "branch")
            chain.mine(payment)
            chain.mine(other)
            await world.becomes(other, "mined")

            branch.grow(3)
            node.chain = branch  # both are taken back, and mined later
            await world.becomes(payment, "missing")
            branch.mine(payment, other)
            await world.blocks(CONFIRMATIONS, branch)
            await world.becomes(other, "confirmed")
        finally:
            telemetry.detach("look")

    world.play(main)

    assert commits > CONFIRMATIONS
    assert found == []
