"""The whole program, killed with SIGKILL at random moments: nothing is lost, nothing doubled.

``TRACKER_KILLS=1000`` kills it a thousand times. Each story has a number, which is its seed: run
one again with ``-k 'sqlite and 17'``, or as the failure says.
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
from .server import Restartable
from .story import Figures, Story

KILLS = int(os.environ.get("TRACKER_KILLS", "25"))
# Of five kills, four are of a program with a file.
IN_ONE_STORY = 20
ON_A_SERVER = 5
STORIES = range(max(1, KILLS // (IN_ONE_STORY + ON_A_SERVER)))

VERSION_0_1 = Path(__file__).parent.parent / "store" / "version_0_1.sql"


@pytest.mark.slow
@pytest.mark.timeout(1_000)
@pytest.mark.parametrize("seed", STORIES)
async def test_nothing_is_lost_or_doubled_with_sqlite(
    seed: int, tmp_path: Path, record_property: Record
) -> None:
    database = tmp_path / "tracker.db"
    if seed % 2:
        with closing(sqlite3.connect(database)) as old:
            old.executescript(VERSION_0_1.read_text())
    story = Story(f"sqlite {seed}", tmp_path, str(database), refuses=seed % 3 == 2)

    figures = await told(story, ["born"] + [None] * (IN_ONE_STORY - 1))

    record_property(FIGURES, asdict(figures))
    assert figures.events > 2 * IN_ONE_STORY
    # To be killed is no reason for anything to crash or to fail, neither before nor after.
    assert (figures.failures, story.complaints) == (0, "")


@pytest.mark.slow
@pytest.mark.timeout(1_000)
@pytest.mark.postgres
@pytest.mark.parametrize("seed", STORIES)
async def test_nothing_is_lost_or_doubled_with_postgresql(
    seed: int, tmp_path: Path, own_server: Restartable, record_property: Record
) -> None:
    kinds: list[Kind | None] = [None] * ON_A_SERVER
    kinds[2] = "outage"
    with own_server.server.database(template="template0") as database:
        story = Story(f"postgresql {seed}", tmp_path, database, restart=own_server.restart)
        figures = await told(story, kinds)

    record_property(FIGURES, asdict(figures))
    assert figures.outages == 1


async def told(story: Story, kinds: Sequence[Kind | None]) -> Figures:
    """Run a story, and print it for whoever has to find out what went wrong."""
    try:
        return await story.run(kinds)
    finally:
        print(story, *story.lines, sep="\n")
