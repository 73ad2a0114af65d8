"""The complete program, killed with SIGKILL at random moments: no event is lost or duplicated.

``TRACKER_KILLS=1000`` kills it a thousand times. The number of a story is its seed:
``-k 'sqlite and 17'`` runs one story again.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import pytest

from ..figures import FIGURES, Record  # noqa: TID252
from .moments import Kind
from .server import RestartableServer
from .story import Figures, Story

KILLS = int(os.environ.get("TRACKER_KILLS", "25"))
# Of one story; four of five kills are with SQLite.
KILLS_WITH_SQLITE = min(20, max(1, 4 * KILLS // 5))
KILLS_WITH_POSTGRESQL = 5
STORIES = range(max(1, KILLS // 25))

VERSION_0_1 = Path(__file__).parent.parent / "store" / "version_0_1.sql"


@pytest.mark.slow
@pytest.mark.timeout(1_000)
@pytest.mark.parametrize("seed", STORIES)
async def test_no_event_is_lost_or_duplicated_with_sqlite(
    seed: int, tmp_path: Path, record_property: Record
) -> None:
    database = tmp_path / "tracker.db"
    if seed % 2:
        with closing(sqlite3.connect(database)) as old:
            old.executescript(VERSION_0_1.read_text())
    story = Story(f"sqlite {seed}", tmp_path, str(database), refuses=seed % 3 == 2)

    figures = await run_and_print(story, ["born"] + [None] * (KILLS_WITH_SQLITE - 1))

    record_property(FIGURES, asdict(figures))
    assert figures.events > 2 * KILLS_WITH_SQLITE
    # Kills cause no failed command and no error in the log, neither before nor after.
    assert (figures.failures, story.errors) == (0, "")


@pytest.mark.slow
@pytest.mark.timeout(1_000)
@pytest.mark.postgres
@pytest.mark.parametrize("seed", STORIES)
async def test_no_event_is_lost_or_duplicated_with_postgresql(
    seed: int, tmp_path: Path, own_server: RestartableServer, record_property: Record
) -> None:
    kinds: list[Kind | None] = [None] * KILLS_WITH_POSTGRESQL
    kinds[2] = "outage"
    with own_server.server.database(template="template0") as database:
        story = Story(f"postgresql {seed}", tmp_path, database, restart=own_server.restart)
        figures = await run_and_print(story, kinds)

    record_property(FIGURES, asdict(figures))
    assert figures.outages == 1


async def run_and_print(story: Story, kinds: Sequence[Kind | None]) -> Figures:
    """Run a story, and print its log, which pytest shows after a failure."""
    try:
        return await story.run(kinds)
    finally:
        print(story, *story.lines, sep="\n")
