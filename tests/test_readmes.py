"""The programs in the READMEs run as they stand there."""

import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md"))]
# The rows of the README's table, and those of the benchmarks that have their figures.
ROWS = {
    "call, one server": ["| call, one server "],
    "call, round robin over 10,000": ["| call, round robin over 10,000 "],
    "call, 100 clients over 10,000": ["| call, 100 clients over 10,000 "],
    "start a supervised, registered server": [
        *("| start, per server  ", "| start, per server, string keys", "| memory, per server  ")
    ],
    "crash, restart, found again": ["| crash to found again (BEAM", "| … (BEAM: one"],
    "stop 100,000 children": ["| stop 100,000 children", "| … (BEAM: one"],
    "cast, one server / spread over 10,000": ["| cast, one server ", "| cast, spread"],
    "look up by id": ["| look up by id, 10,000 ", "| look up, string keys"],
}
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
        check=False,
    )

    assert ran.returncode == 0, f"{where}: {ran.stderr}"


@pytest.mark.once
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


def how_fast() -> tuple[list[str], str]:
    """Return the rows of the README's table of figures, and the text around it."""
    section = (ROOT / "README.md").read_text().split("## How fast")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| \w", line)]
    return rows, "\n".join(line for line in section.splitlines() if line not in rows)


@pytest.mark.once
def test_rows_of_the_readme_have_the_figures_of_the_same_rows_of_the_benchmarks() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text().split("## How it is measured")[0]
    rows, _ = how_fast()

    assert [row.split("|")[1].strip() for row in rows] == list(ROWS)
    for row, names in zip(rows, ROWS.values(), strict=True):
        lines = [line for line in page.splitlines() if line.startswith(tuple(names))]
        measured = figures("\n".join(lines))
        wrong = [f for f in figures(row) if not any(rounds(each, f) for each in measured)]
        assert wrong == [], row


@pytest.mark.once
def test_text_of_the_readme_has_figures_that_were_measured() -> None:
    _, text = how_fast()
    pages = ("benchmarks.md", "tracker-figures.md")
    measured = figures("".join((ROOT / "docs" / name).read_text() for name in pages))

    shown = figures(text)

    assert len(shown) > 8
    assert [f for f in shown if not any(rounds(each, f) for each in measured)] == []


@pytest.mark.once
def test_dates_of_the_readme_are_those_of_the_measurements() -> None:
    section = (ROOT / "README.md").read_text().split("## How fast")[1].split("\n## ")[0]
    measured = re.compile(r"Measured on (\d{4}-\d\d-\d\d)")
    pages = [ROOT / "docs" / "benchmarks.md", ROOT / "docs" / "tracker-figures.md"]
    dates = [date for page in pages for date in measured.findall(page.read_text())[:1]]

    assert re.findall(r"\d{4}-\d\d-\d\d", section) == dates


@pytest.mark.once
@pytest.mark.parametrize("page", [*READMES, *sorted(ROOT.glob("*.md")), *ROOT.glob("docs/*.md")])
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    # The forge serves these beside the files: no file holds the address of the repository.
    links = [link for link in links if not link.startswith("../../actions/")]

    assert [link for link in links if not (page.parent / link).exists()] == []
