"""Where scenes play: programs of their own, databases, and a place for what they measure."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.driver import tell
from benchmarks.runners import WorkloadFailedError
from benchmarks.tracker import postgres
from benchmarks.tracker.samples import Samples
from benchmarks.tracker.sizes import Kind, Sizes

ROOT = Path(__file__).parents[2]
TIME_LIMIT = 900.0


@dataclass(slots=True)
class Bench:
    """What a scene needs.

    Attributes:
        sizes: How much it measures.
        folder: For files that are of no use afterwards.
        samples: What was measured so far.
    """

    sizes: Sizes
    folder: Path
    samples: Samples = field(default_factory=Samples)
    _stack: ExitStack = field(default_factory=ExitStack)
    _postgres: postgres.Postgres | None = None
    _names: Iterator[str] = field(default_factory=lambda: (f"bench_{number}" for number in count()))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The wanted databases that this machine has."""
        has_server = postgres.tool("postgres") is not None
        return tuple(kind for kind in self.sizes.kinds if kind == "SQLite" or has_server)

    @contextmanager
    def database(self, kind: Kind = "SQLite") -> Iterator[str]:
        """Yield the URL of a new, empty database."""
        name = next(self._names)
        if kind == "PostgreSQL":
            with self._server().database(name) as url:
                yield url
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            yield str(Path(folder) / f"{name}.db")

    def prepare(self, database: str, tracked: int, required: int) -> None:
        """Fill a database with transactions that wait."""
        tell(f"  preparing {tracked:,} transactions")
        self.run("prepare", database=database, tracked=tracked, required=required)

    def measure(self, label: str, work: str, **options: Any) -> None:
        """Run a work, and keep its figures."""
        self.samples.add(label, self.run(work, **options))

    def run(self, work: str, **options: Any) -> dict[str, Any]:
        """Run a work in a process of its own, and give its figures.

        Raises:
            WorkloadFailedError: It gave none; what it said stands above, on the terminal.
        """
        command = [sys.executable, "-m", "benchmarks.tracker.worker", work, json.dumps(options)]
        # A session of its own, so that a node that it started can be ended with it.
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            try:
                output, _ = process.communicate(timeout=TIME_LIMIT)
            except subprocess.TimeoutExpired:
                raise WorkloadFailedError(f"{work}: not done within {TIME_LIMIT:g} s") from None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
        if process.returncode:
            raise WorkloadFailedError(f"{work} ended with {process.returncode}")
        figures: dict[str, Any] = json.loads(output.splitlines()[-1])
        return figures

    def close(self) -> None:
        """Stop what was started."""
        self._stack.close()

    def _server(self) -> postgres.Postgres:
        if self._postgres is None:
            self._postgres = self._stack.enter_context(postgres.running())
        return self._postgres
