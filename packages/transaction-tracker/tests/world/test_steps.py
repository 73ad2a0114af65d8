"""A block and its changes are one database transaction, so a crash never separates them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from beamish import telemetry

from .chain import transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

LENGTH = 200
COMMIT = ("transaction_tracker", "store", "commit")
# Transactions in a block that is not stored; blocks below our first block do not count.
WITHOUT_BLOCK = """
    SELECT id, state, block_number FROM transactions
    WHERE state IN ('mined', 'mined_reverted', 'superseded')
    AND block_hash NOT IN (SELECT hash FROM blocks)
"""
# Transactions without a stored event of their state and version.
WITHOUT_EVENT = """
    SELECT id, state, version FROM transactions
    WHERE version > 0 AND NOT EXISTS (
        SELECT 1 FROM events WHERE events.transaction_id = transactions.id
        AND events.version = transactions.version AND events.state = transactions.state
    )
"""


def test_each_commit_has_a_block_with_its_changes(tmp_path: Path) -> None:
    """After each commit, the file has the state from which a crashed program would restart."""
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
            for query in (WITHOUT_BLOCK, WITHOUT_EVENT):
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
            node.chain = branch  # both are undone, and mined later
            await world.becomes(payment, "missing")
            branch.mine(payment, other)
            await world.blocks(CONFIRMATIONS, branch)
            await world.becomes(other, "confirmed")
        finally:
            telemetry.detach("look")

    world.play(main)

    assert commits > CONFIRMATIONS
    assert found == []
