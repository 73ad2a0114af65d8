"""The programs and commands of the pages."""

import re
from pathlib import Path

from .environment import ROOT

READMES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md"))]


def programs(page: Path) -> list[str]:
    """Return the programs that a README shows."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if re.search(r"^(asyncio\.)?run\(", block, re.MULTILINE)]


def page_of(name: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the program of a page, and its other blocks with their languages."""
    text = (ROOT / "docs" / name).read_text()
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    program = "\n\n".join(block for language, block in blocks if language == "python")
    return program, [(language, block) for language, block in blocks if language != "python"]
