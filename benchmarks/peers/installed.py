"""What this environment has of the libraries."""

import sys
from importlib.metadata import version
from importlib.util import find_spec

from benchmarks.peers.plan import ABOUT
from benchmarks.plan import Library


def libraries() -> list[Library]:
    """List the libraries that can be imported."""
    return [library for library in ABOUT if find_spec(library) is not None]


def versions() -> str:
    """Name the libraries that can be imported, with their versions."""
    return ", ".join(f"{library} {version(library)}" for library in libraries())


def python() -> tuple[int, int]:
    """Return the version of this Python."""
    return sys.version_info[:2]
