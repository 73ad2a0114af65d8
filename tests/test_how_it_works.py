"""The page about the inside names functions and files that exist."""

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "how_it_works.md"
SOURCES = [*ROOT.glob("packages/*/src")]


def source(path: str) -> Path | None:
    """Return the file or folder of the source with this path, if there is one."""
    return next((folder / path for folder in SOURCES if (folder / path).exists()), None)


def defined(file: Path) -> set[str]:
    """Return the names of the functions, classes and methods of a module."""
    names = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{part.name}"
                for part in node.body
                if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return names


def test_functions_of_the_walks_exist_in_their_files() -> None:
    text = " ".join(PAGE.read_text().split())
    named = re.findall(r"`([\w.]+)` in `([\w/]+\.py)`", text)

    missing = [
        f"{name} in {path}"
        for name, path in named
        if (file := source(path)) is None or name not in defined(file)
    ]
    assert len(named) > 30
    assert missing == []


def test_paths_of_the_page_exist() -> None:
    paths = re.findall(r"`((?:beamish|transaction_tracker)/[\w/.]*)`", PAGE.read_text())

    assert len(paths) > 30
    assert [path for path in paths if source(path) is None] == []
