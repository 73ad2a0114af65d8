"""The page with the results. Pure."""

from pathlib import Path

from benchmarks import report
from benchmarks.machine import Machine
from benchmarks.measurements import Measurements

HERE = Path(__file__).parent
SECTION = "## What telemetry costs\n"


def whole(machine: Machine, measurements: Measurements, summary: str, section: str) -> str:
    """Set the page; ``section`` is that about telemetry, if it has been measured."""
    text = template("page.md").format(
        provenance=report.provenance(machine),
        summary=summary,
        spread=report.spread(measurements),
        telemetry=section,
    )
    return f"{text.rstrip()}\n"


def telemetry(machine: Machine, measurements: Measurements) -> str:
    """Set the section about telemetry."""
    return template("telemetry.md").format(
        provenance=report.provenance(machine, beam=False),
        table=report.variants(measurements),
        spread=report.spread(measurements),
    )


def with_telemetry(page: str, section: str) -> str:
    """Put the section about telemetry, which is the last one, in the place of the old one."""
    before, _, _ = page.partition(SECTION)
    return f"{before.rstrip()}\n\n{section}".lstrip()


def template(name: str) -> str:
    """Read what stands around the figures."""
    return (HERE / name).read_text(encoding="utf-8")
