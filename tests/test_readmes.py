"""The programs in the READMEs run as they stand there."""

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md"))]
# What a unit measures, and its size.
UNITS = {
    **{
        name: ("time", Decimal(size)) for name, size in (("µs", 1), ("ms", 1_000), ("s", 1_000_000))
    },
    **{name: ("size", Decimal(1_000) ** n) for n, name in enumerate(("B", "KB", "MB", "GB"))},
}


def programs() -> list[tuple[str, str]]:
    found = []
    for readme in READMES:
        blocks = re.findall(r"^```python\n(.*?)^```", readme.read_text(), re.DOTALL | re.MULTILINE)
        found += [
            (f"{readme.relative_to(ROOT)}:{number}", block)
            for number, block in enumerate(blocks, 1)
            if re.search(r"^(asyncio\.)?run\(", block, re.MULTILINE)
        ]
    return found


@pytest.mark.parametrize(("where", "program"), programs(), ids=[where for where, _ in programs()])
def test_program_runs(where: str, program: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, f"{where}: {ran.stderr}"


def test_every_readme_shows_a_program_that_runs() -> None:
    shown = {where.split(":")[0] for where, _ in programs()}

    assert shown >= {"README.md", "packages/beamish/README.md"}


def figures(text: str) -> list[tuple[Decimal, str]]:
    """Return the numbers that have a unit, in the order of the text."""
    # Two cells of a table can share their unit: 0.13 / 0.59 µs.
    text = re.sub(r"([\d.,]+) / ([\d.,]+) (µs)", r"\1 \3 / \2 \3", text)
    found = re.findall(r"(?<![\d.,])(\d[\d,]*(?:\.\d+)?) (µs|ms|s|B|KB|MB|GB)\b", text)
    return [(Decimal(number.replace(",", "")), unit) for number, unit in found]


def rounds(measured: tuple[Decimal, str], shown: tuple[Decimal, str]) -> bool:
    """Return whether a measured figure becomes the shown one, in its unit and with its digits."""
    (value, unit), (number, other) = measured, shown
    value *= UNITS[unit][1] / UNITS[other][1]
    step = Decimal(1).scaleb(int(number.as_tuple().exponent))
    # A page shows three digits: half of the last one is lost before.
    near = abs(value - number) <= step / 2 * Decimal("1.01")
    return near and UNITS[unit][0] == UNITS[other][0]


def test_figures_of_the_readme_are_those_that_were_measured() -> None:
    section = (ROOT / "README.md").read_text().split("## How fast")[1].split("\n## ")[0]
    pages = ("benchmarks.md", "tracker-figures.md")
    measured = figures("".join((ROOT / "docs" / name).read_text() for name in pages))

    shown = figures(section)

    assert len(shown) > 40
    assert [f for f in shown if not any(rounds(each, f) for each in measured)] == []


def test_dates_of_the_readme_are_those_of_the_measurements() -> None:
    section = (ROOT / "README.md").read_text().split("## How fast")[1].split("\n## ")[0]
    measured = re.compile(r"Measured on (\d{4}-\d\d-\d\d)")
    pages = [ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "tracker-figures.md"]
    dates = [date for page in pages for date in measured.findall(page.read_text())[:1]]

    assert re.findall(r"\d{4}-\d\d-\d\d", section) == dates


@pytest.mark.parametrize("page", [*READMES, *sorted(ROOT.glob("*.md")), *ROOT.glob("docs/*.md")])
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    # The forge serves these beside the files: no file holds the address of the repository.
    links = [link for link in links if not link.startswith("../../actions/")]

    assert [link for link in links if not (page.parent / link).exists()] == []
