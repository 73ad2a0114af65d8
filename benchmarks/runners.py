"""The programs that are measured, and how each is started."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.machine import newest_python
from benchmarks.plan import Column, Workload

HERE = Path(__file__).parent
TIME_LIMIT = 300.0
SCHEDULERS = (1, 2)
PACKAGE = HERE.parent / "packages" / "beamish"
SOURCES = str(PACKAGE / "src")


class WorkloadFailedError(Exception):
    """A measured program did not give its figures."""


@dataclass(frozen=True, slots=True)
class Runner:
    """A program that runs any workload; its figures count for one column.

    The BEAM has two, one per number of schedulers.

    Args:
        sources: The folder of beamish.
        pure: Whether it runs without the native core.
    """

    name: str
    column: Column
    command: tuple[str, ...]
    sources: str = SOURCES
    pure: bool = True

    def run(self, workload: Workload) -> dict[str, float]:
        """Run ``workload`` in a process of its own and give its figures."""
        try:
            done = subprocess.run(
                [*self.command, *workload.arguments],
                cwd=HERE.parent,
                # Another CPython has not installed it.
                env=os.environ | {"PYTHONPATH": self.sources, "BEAMISH_PURE": f"{self.pure:d}"},
                capture_output=True,
                text=True,
                timeout=TIME_LIMIT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WorkloadFailedError(f"not done within {TIME_LIMIT:g} s") from None
        if done.returncode:
            raise WorkloadFailedError(done.stderr.strip()[-600:])
        figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return {f"{workload.label}.{name}": value for name, value in figures.items()}


def runners(columns: Iterable[Column], build: Path) -> Iterator[Runner]:
    """List the runners of ``columns`` that this machine has; ``build`` takes compiled modules."""
    for column in columns:
        if column == "BEAM":
            yield from beam_runners(build)
        elif column == "native":
            yield from native_runners(build)
        elif column == "newest":
            if newest := newest_python():
                _, path = newest
                yield Runner(column, column, (path, "-m", "benchmarks.worker", "standard"))
        else:
            command = (sys.executable, "-m", "benchmarks.worker", column)
            yield Runner(column, column, command)


def native_runners(build: Path) -> Iterator[Runner]:
    """Compile the native core beside a copy of beamish; give its runner, none without a compiler.

    A copy, so that no other program of this checkout finds the core.
    """
    sources = build / "native"
    shutil.copytree(SOURCES, sources, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    compiler = runpy.run_path(str(PACKAGE / "native" / "compile.py"))
    try:
        compiler["compile_core"](sources / "beamish" / "_native")
    except compiler["NotCompiledError"] as error:
        print(f"no native core: {error}", file=sys.stderr)
        return
    command = (sys.executable, "-m", "benchmarks.worker", "standard")
    yield Runner("native", "native", command, sources=str(sources), pure=False)


def beam_runners(build: Path) -> Iterator[Runner]:
    """Compile the Elixir modules; give a runner per number of schedulers, none without Elixir."""
    if shutil.which("elixir") is None:
        return
    sources = [str(source) for source in sorted((HERE / "beam").glob("*.ex"))]
    subprocess.run(["elixirc", "-o", str(build), *sources], check=True, stdout=sys.stderr)
    for count in SCHEDULERS:
        flags = ("--erl", f"+S {count}:{count}", "-pa", str(build))
        evaluated = ("-e", "Bench.main(System.argv())", "--")
        yield Runner(f"BEAM +S {count}", "BEAM", ("elixir", *flags, *evaluated))
