"""Measure a cluster with 100,000 names beside one program; write ``docs/cluster-figures.md``."""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "cluster-figures.md"
TIME_LIMIT_SECONDS = 900.0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="show that it runs, with few names")
    parser.add_argument(
        "--output", type=Path, help="the page to write (a whole run writes docs/cluster-figures.md)"
    )
    return parser.parse_args()


def main() -> int:
    """Measure, show the page and write it; 1 if Ray or PostgreSQL is missing."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="ray") as folder:
        _prepare(folder)
        return _run(options)


def _prepare(folder: str) -> None:
    """Set the environment of Ray, before it is imported.

    Args:
        folder: The folder for all that Ray writes, also its token.
    """
    os.environ["HOME"] = os.environ["RAY_TMPDIR"] = folder
    # Its name hides it: listen on 127.0.0.1 only.
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *sys.path])  # hosts import this package


def _run(options: argparse.Namespace) -> int:
    try:
        import ray

        from benchmarks.cluster import figures, report, scene
    except ModuleNotFoundError as error:
        print(f"error: no {error.name}: make ray", file=sys.stderr)
        return 1
    from benchmarks.machine import Machine
    from benchmarks.tracker import postgres

    sizes = figures.Sizes(1_000, 2, 1_000) if options.quick else figures.Sizes(100_000, 10, 20_000)

    async def measure(dsn: str) -> figures.Figures:
        async with asyncio.timeout(TIME_LIMIT_SECONDS):
            return await scene.measure(sizes, dsn)

    with postgres.running() as server:
        found = asyncio.run(measure(server.url("postgres")))
    text = report.page(Machine.here(), ray.__version__, os.getloadavg()[0], found)
    print(text)
    path = options.output or (None if options.quick else PAGE)
    if path is not None:
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
