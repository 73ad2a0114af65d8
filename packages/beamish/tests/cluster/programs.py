"""Runs a program that starts Ray, and ends all that it has started."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from . import postgres

TIME_SECONDS = 500.0


def run(program: Path, *arguments: object, prefix: tuple[str, ...] = ()) -> str:
    """Run a program; end all that it has started, whatever has happened.

    Args:
        program: The program.
        arguments: Its arguments; ``{folder}`` is replaced by a folder for its files.
        prefix: A command that runs the program, such as ``unshare``.

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
    given = [str(argument).replace("{folder}", str(folder)) for argument in arguments]
    output = folder / "output"
    try:
        # After a time-out, the output says how far the program came.
        with output.open("wb") as file, suppress(subprocess.TimeoutExpired):
            subprocess.run(
                [*prefix, sys.executable, program, *given],
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
