"""Measure one thing and print its figures as a line of JSON.

Usage: ``python -m benchmarks.tracker.worker WORK '{"option": value}'``
"""

import asyncio
import importlib
import json
import logging
import sys


def main(work: str, options: str) -> None:
    """Import what is measured, and nothing else: its memory is measured too."""
    # It warns of what blocks the event loop for long, as masses at once do: they are timed here.
    logging.getLogger("beamish").setLevel(logging.ERROR)
    module = importlib.import_module(f"benchmarks.tracker.works.{work}")
    print(json.dumps(asyncio.run(module.run(**json.loads(options)))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
