"""The page with the results."""

import os
from pathlib import Path

from benchmarks.machine import Machine
from benchmarks.tracker import report
from benchmarks.tracker.samples import Samples
from benchmarks.tracker.sizes import Sizes
from benchmarks.tracker.works import catching_up, following, quick_blocks

TEMPLATE = Path(__file__).parent / "page.md"


def whole(provenance: str, targets: str, samples: Samples, sizes: Sizes) -> str:
    """Set the page."""
    text = TEMPLATE.read_text(encoding="utf-8").format(
        provenance=provenance,
        targets=targets,
        details=report.details(samples),
        misses=report.misses(samples),
        spread=report.spread(samples),
        block_seconds=following.BLOCK_SECONDS,
        per_block=following.PER_BLOCK,
        counted=sizes.counted,
        missed=sizes.missed,
        caught_required=catching_up.REQUIRED,
        quick=sizes.quick,
        quick_per_block=quick_blocks.PER_BLOCK,
        detected=sizes.detected,
        detected_per_block=sizes.per_block,
        starts=sizes.starts,
        hung=sizes.hung,
    )
    return f"{text.rstrip()}\n"


def provenance(machine: Machine, file_system: str, loads: tuple[float, float]) -> str:
    """Return the origin of the figures.

    Args:
        machine: What was measured on.
        file_system: The kind that the databases were on.
        loads: The machine's load in the minute before, and in the last minute of it.
    """
    return (
        f"Measured on {machine.date} on {machine.cpu}, {machine.cores} cores, {machine.system}; "
        f"{machine.python}; databases on {file_system}; load {loads[0]:.1f} before and "
        f"{loads[1]:.1f} at the end."
    )


def file_system(folder: Path) -> str:
    """Name the kind of file system that a folder is on, where the machine tells."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "an unknown file system"
    mounts = [line.split() for line in lines]
    above = [mount for mount in mounts if folder.resolve().is_relative_to(mount[1])]
    return max(above, key=lambda mount: len(mount[1]))[2] if above else "an unknown file system"


def load() -> float:
    """Return the machine's load average of the last minute."""
    return os.getloadavg()[0]
