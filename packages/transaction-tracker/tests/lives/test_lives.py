"""The application with faulty nodes, and the chain itself as the oracle.

Each seed is one life, the same each time: ``TRACKER_LIVES=400-401`` repeats number 400, and
``TRACKER_WORLD=forks`` uses only this ingredient (see ``ingredients``).
"""

import asyncio
import os
from pathlib import Path

import pytest

from ..figures import FIGURES, Record  # noqa: TID252
from ..simulated import simulate  # noqa: TID252
from .ingredients import draw
from .life import Life
from .world import network, simulated_clock


def seeds() -> range:
    """Return the seeds of ``TRACKER_LIVES``: a count, or a first seed and an end."""
    first, _, last = os.environ.get("TRACKER_LIVES", "15").rpartition("-")
    return range(int(first or 0), int(last))


@pytest.mark.parametrize("seed", seeds())
def test_no_life_ends_in_a_wrong_state(seed: int, tmp_path: Path, record_property: Record) -> None:
    async def main() -> None:
        async with simulated_clock():
            life = Life(seed, tmp_path / "lives.db", draw(seed))
            with network(*life.nodes):
                async with asyncio.timeout(100_000):
                    await life.run()
        record_property(FIGURES, {"lives": 1, "cases": len(life.tracked)})

    simulate(main, seed)
