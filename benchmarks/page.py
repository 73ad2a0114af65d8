"""The page with the results. Pure."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.machine import Machine
from benchmarks.measurements import Measurements

HERE = Path(__file__).parent
NEXT = "\n## "
PEERS = "## Beside other Python libraries"


def whole(
    machine: Machine, measurements: Measurements, summary: str, sections: Sequence[str]
) -> str:
    """Set the page; ``sections`` are those with measurements of their own."""
    text = template("page.md").format(
        provenance=report.provenance(machine),
        summary=summary,
        spread=report.spread(measurements),
        sections="\n".join(sections),
    )
    return f"{text.rstrip()}\n"


def targets(machine: Machine, measurements: Measurements) -> str:
    """Set the section about missed targets."""
    return template("targets.md").format(
        provenance=report.provenance(machine),
        table=report.targets(measurements),
        misses=report.misses(measurements),
        spread=report.spread(measurements),
    )


def telemetry(machine: Machine, measurements: Measurements) -> str:
    """Set the section about telemetry."""
    return template("telemetry.md").format(
        provenance=report.provenance(machine, beam=False),
        table=report.variants(measurements),
        spread=report.spread(measurements),
    )


def without_section(page: str, heading: str) -> str:
    """Take the section with a heading out."""
    return "\n\n".join(part.strip() for part in around(page, heading)).strip() + "\n"


def with_section(page: str, section: str) -> str:
    """Put a section in the place of the one with the same heading, or at the end."""
    heading, _, _ = section.partition("\n")
    before, following = around(page, heading)
    parts = (part.strip() for part in (before, section, following))
    return "\n\n".join(part for part in parts if part) + "\n"


def section_of(page: str, heading: str) -> str:
    """Return the section with a heading; empty if the page has none."""
    before, following = around(page, heading)
    return page.removeprefix(before).removesuffix(following)


def around(page: str, heading: str) -> tuple[str, str]:
    """Return what stands before and after the section with a heading."""
    before, found, rest = page.partition(f"{heading}\n")
    _, mark, following = rest.partition(NEXT)
    return before, f"{mark.lstrip()}{following}" if found else ""


def template(name: str) -> str:
    """Read what stands around the figures."""
    return (HERE / name).read_text(encoding="utf-8")
