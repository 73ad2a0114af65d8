"""A program that is killed while it writes blocks, and its successor."""

import subprocess
import sys
from pathlib import Path

from sqlalchemy import Connection, select

from transaction_tracker.domain import Link
from transaction_tracker.store import chain
from transaction_tracker.store.database import Database
from transaction_tracker.store.schema import counters, events, transactions

from .support import SOURCE

EACH = 50
WRITER = f"""
import sys
from msgspec.structs import replace
from functools import partial
from transaction_tracker.domain import Event, Link, Registration
from transaction_tracker.store import Step, chain, committing, reading, registering
from transaction_tracker.store.database import Database

database = Database(sys.argv[1]).open()


def run(work, **arguments):
    return database.run([partial(work, **arguments)])[0]


def block(number, rows):
    events = tuple(
        Event(row.state, replace(row, state="pending", version=row.version + 1)) for row in rows
    )
    link = Link(number, f"block {{number}}", f"block {{number - 1}}")
    return Step("{SOURCE}", events, applied=link, slots={{str(number): "tx"}}, keep=10_000)


run(chain.claim, source="{SOURCE}")
asked = [Registration(str(number), 1) for number in range({EACH})]
rows = run(registering.register, registrations=asked).rows
links = run(chain.load_links, source="{SOURCE}")
number = links[-1].number + 1 if links else 0
while True:
    rows = run(committing.commit, step=block(number, rows)).rows
    print(number, flush=True)
    number += 1
"""


def killed_after(blocks: int, path: Path) -> int:
    """Start a program that writes, kill it, and return the last block that it reported."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(blocks)]
        writer.kill()
        lines += [line for line in writer.stdout if line.endswith("\n")]
        return int(lines[-1])


def test_killed_program_has_written_only_whole_blocks(tmp_path: Path) -> None:
    path = tmp_path / "test.db"

    def state(connection: Connection) -> tuple[list[Link], list[int], set[int], int | None]:
        return (
            chain.load_links(connection, SOURCE),
            list(connection.scalars(select(events.c.position).order_by(events.c.position))),
            set(connection.scalars(select(transactions.c.version))),
            connection.scalar(select(counters.c.value)),
        )

    for blocks in (7, 23):
        reported = killed_after(blocks, path)
        database = Database(path).open()
        ((links, positions, versions, last),) = database.run([state])
        ((slots),) = database.run([lambda connection: chain.load_slots(connection, SOURCE)])
        database.close()

        # The reported block is stored; the next one is stored completely or not at all.
        written = len(links)
        assert reported + 1 <= written <= reported + 2
        assert [link.number for link in links] == list(range(written))
        assert positions == list(range(1, EACH * written + 1))
        assert (versions, last) == ({written}, EACH * written)
        assert [link for link, _ in slots] == links
