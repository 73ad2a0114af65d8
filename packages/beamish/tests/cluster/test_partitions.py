"""Real partitions and a lost head: the machines of a cluster are network namespaces."""

import os
import shutil
from pathlib import Path

import pytest

from . import namespaces
from .programs import TIME_SECONDS, run

pytestmark = [
    pytest.mark.ray,
    pytest.mark.postgres,
    pytest.mark.slow,
    pytest.mark.timeout(TIME_SECONDS + 100),
    pytest.mark.skipif("BEAMISH_CLUSTER_PARTITIONS" not in os.environ, reason="make soak-cluster"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can create network namespaces"),
    pytest.mark.skipif(
        not (shutil.which("ip") and shutil.which("unshare")),
        reason="no ip: apt-get install iproute2",
    ),
]
HERE = Path(__file__).parent


@pytest.mark.parametrize("case", ["all", "head", "store", "lossy"])
def test_machine_that_is_cut_off_never_acts_beside_the_next_one(case: str) -> None:
    output = run(HERE / "partition_program.py", case, "{folder}", prefix=namespaces.UNSHARE)

    assert output.splitlines()[-1] == f"ok {case}", output[-8000:]


def test_cluster_without_its_head_runs_on_and_starts_again_from_its_store() -> None:
    output = run(HERE / "head_program.py", "alone", "{folder}", prefix=namespaces.UNSHARE)

    assert output.splitlines()[-1] == "ok alone, started again", output[-8000:]


@pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="no redis-server: apt-get install redis-server"
)
def test_next_head_replaces_hosts_with_the_state_that_redis_keeps() -> None:
    output = run(HERE / "head_program.py", "redis", "{folder}", prefix=namespaces.UNSHARE)

    assert output.splitlines()[-1] == "ok redis", output[-8000:]
