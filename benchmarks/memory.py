"""How much memory this process has."""

import os
import resource
import sys
from pathlib import Path


def resident_bytes() -> int:
    """Return the resident set size, or its maximum so far where only that is known."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return pages * os.sysconf("SC_PAGE_SIZE")
