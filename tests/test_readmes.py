"""The programs in the READMEs run as they stand there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
READMES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md"))]


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


@pytest.mark.parametrize("page", [*READMES, *sorted(ROOT.glob("*.md")), *ROOT.glob("docs/*.md")])
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    # The forge serves these beside the files: no file holds the address of the repository.
    links = [link for link in links if not link.startswith("../../actions/")]

    assert [link for link in links if not (page.parent / link).exists()] == []
