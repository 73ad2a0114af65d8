"""The cluster on Ray and PostgreSQL: real processes, killed and frozen."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from . import postgres

pytestmark = [pytest.mark.ray, pytest.mark.postgres, pytest.mark.slow]

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[3] / "examples" / "cluster"
TIME_SECONDS = 500.0
CHECKS = 11


def run(program: Path, *more: str) -> str:
    """Run a program with a database; end all that it has started, whatever has happened.

    Args:
        program: The program; its first argument is the connection string of the database.
        more: More arguments; ``{postmaster}`` and ``{folder}`` are replaced.

    Returns:
        Its output.
    """
    if importlib.util.find_spec("ray") is None:
        postgres.missing("no ray: make ray")
    marker = f"BEAMISH_TEST_{uuid4().hex}"
    folder = Path(tempfile.mkdtemp(prefix="ray"))  # short, because sockets are in it
    environment = {
        **os.environ,
        marker: "1",
        "BEAMISH_TEST_CLOCK": str(folder / "clock"),
        "HOME": str(folder),
        "PYTHONPATH": f"{program.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # its name hides it: listen on 127.0.0.1 only
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    with postgres.running() as server:
        facts = {"postmaster": server.process.pid, "folder": folder}
        arguments = [server.dsn, *(argument.format(**facts) for argument in more)]
        output = folder / "output"
        try:
            # After a time-out, the output says how far the program came.
            with output.open("wb") as file, suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    [sys.executable, program, *arguments],
                    env=environment,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    timeout=TIME_SECONDS,
                )
        finally:
            _end_all(marker)
            shown = output.read_text(errors="replace")
            shutil.rmtree(folder, ignore_errors=True)
        return shown


def _end_all(marker: str) -> None:
    """Kill each process that has the marker in its environment."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if marker.encode() in (folder / "environ").read_bytes():
                os.kill(int(folder.name), signal.SIGKILL)


# One test: a cluster for each check would take minutes more.
@pytest.mark.timeout(TIME_SECONDS + 100)
def test_cluster_on_ray_keeps_the_guarantees() -> None:
    output = run(HERE / "ray_program.py", "{postmaster}", "{folder}/clock")

    passed = [line for line in output.splitlines() if line.startswith("ok ")]
    assert len(passed) == CHECKS, output[-6000:]


@pytest.mark.timeout(TIME_SECONDS + 100)
def test_example_finds_its_tracker_after_its_node_was_killed() -> None:
    output = run(EXAMPLES / "kill_a_node.py")

    assert re.search(r"epoch 1\n.*noconnection\n.*epoch 2", output, re.DOTALL), output[-6000:]
