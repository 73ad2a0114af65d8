"""The cluster on Ray and PostgreSQL: real processes, killed and frozen."""

import re
from pathlib import Path

import pytest

from . import postgres
from .programs import TIME_SECONDS, run

pytestmark = [pytest.mark.ray, pytest.mark.postgres, pytest.mark.slow]

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[3] / "examples" / "cluster"
CHECKS = 14


# One test: a cluster for each check would take minutes more.
@pytest.mark.timeout(TIME_SECONDS + 100)
def test_cluster_on_ray_keeps_the_guarantees() -> None:
    with postgres.running() as server:
        output = run(HERE / "ray_program.py", server.dsn, server.process.pid, "{folder}/clock")

    passed = [line for line in output.splitlines() if line.startswith("ok ")]
    assert len(passed) == CHECKS, output[-6000:]


@pytest.mark.timeout(TIME_SECONDS + 100)
def test_example_finds_its_tracker_after_its_node_was_killed() -> None:
    with postgres.running() as server:
        output = run(EXAMPLES / "kill_a_node.py", server.dsn)

    assert re.search(r"epoch 1\n.*noconnection\n.*epoch 2", output, re.DOTALL), output[-6000:]
