"""The code in the documentation runs, and prints what the page says it prints.

The python blocks of one page, one under another, are one program: that is how a reader would paste
them into a file. It runs by itself, in an interpreter of its own, with all warnings as errors. To
make it, every line of the page that is not code becomes an empty one, so that a traceback names
the page and its line.

An ``output`` block is what has been printed since the one before it; ``…`` in it stands for any
text, and so does the number in a pid; a page may leave all output out. A page that defines tests is
run by pytest.

All pages together pass ``mypy --strict``, so that what a reader pastes has types; and with them the
programs of the cookbook.

Blocks in ``sh``, ``text`` and ``elixir`` are only shown.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
COOKBOOK = DOCS.parent / "examples" / "cookbook"
# Apart from the cache of `make check`, because both can run at the same time.
CACHE = DOCS.parent / ".mypy_cache" / "docs"
SHOWN = {"elixir", "sh", "text"}
ROLES = {"{toctree}", "{eval-rst}"}

_MARK = "\x1e"  # printed where an output block stands
_PYTEST = ["-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"]
_PID = re.compile(r"#PID<0\.\d+\.0>")


def blocks(page: Path) -> Iterator[tuple[str, int, list[str]]]:
    """Yield the language, the line of the first fence and the lines of each block."""
    language, start, inside = "", 0, []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if not start and line.lstrip().startswith("```"):
            language, start, inside = line.strip("` "), number, []
            assert line.startswith("```"), f"{page}:{number}: a block that is indented is not run"
        elif start and line.startswith("```"):
            yield language, start, inside
            start = 0
        elif start:
            inside.append(line)
    assert not start, f"{page}:{start}: a block without an end"


def program(page: Path) -> str:
    """Return the page as a program, line for line."""
    lines = [""] * len(page.read_text().splitlines())
    for language, start, inside in blocks(page):
        if language == "python":
            lines[start : start + len(inside)] = inside
        elif language == "output":
            lines[start - 1] = f"print(chr({ord(_MARK)}), end='')"
    return "\n".join(lines)


def pages_with(language: str) -> list[Path]:
    return [page for page in PAGES if any(block[0] == language for block in blocks(page))]


def shown(page: Path) -> str:
    return str(page.relative_to(DOCS))


def matches(printed: str, expected: list[str]) -> bool:
    """Return whether ``printed`` is what the page says."""
    text = _PID.sub("#PID<…>", "\n".join(expected))
    pattern = ".*".join(re.escape(part.rstrip()) for part in text.split("…"))
    return re.fullmatch(pattern, _PID.sub("#PID<…>", printed).rstrip(), re.DOTALL) is not None


def is_tested(page: Path) -> bool:
    return re.search(r"^(async )?def test_", program(page), re.MULTILINE) is not None


def run(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the page in an interpreter of its own.

    A page that hangs is ended by the time limit of all tests: how long the others take depends on
    the machine.
    """
    command = ["-c", "import sys; exec(compile(sys.argv[1], sys.argv[2], 'exec'))"]
    command += [program(page), str(page)]
    if is_tested(page):
        file = folder / f"test_{page.stem}.py"
        file.write_text(program(page))
        command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *_PYTEST, str(file)]
    return subprocess.run(
        [sys.executable, "-W", "error", *command],
        capture_output=True,
        cwd=folder,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("page", pages_with("python"), ids=shown)
def test_page_is_a_program_that_prints_what_the_page_says(page: Path, tmp_path: Path) -> None:
    ran = run(page, tmp_path)

    assert ran.returncode == 0, f"{shown(page)}:\n{ran.stdout}{ran.stderr}"
    if is_tested(page):
        return
    expected = [(start, inside) for language, start, inside in blocks(page) if language == "output"]
    printed = ran.stdout.split(_MARK)
    wrong = [
        f"{page}:{start} shows another output than this:\n{text}"
        for (start, inside), text in zip(expected, printed, strict=False)
        if not matches(text, inside)
    ]
    assert not wrong, "\n".join(wrong)
    assert not expected or not printed[-1].strip(), f"{page} does not show: {printed[-1]}"


@pytest.mark.once
def test_programs_of_all_pages_and_of_the_cookbook_pass_mypy_strict(tmp_path: Path) -> None:
    files = {}
    for page in pages_with("python"):
        name = re.sub(r"\W", "_", shown(page.with_suffix(""))) + ".py"
        files[name] = shown(page)
        (tmp_path / name).write_text(program(page))

    # The configuration of the repository is strict, and knows the folders of the packages.
    config = ["--config-file", str(DOCS.parent / "pyproject.toml"), "--cache-dir", str(CACHE)]
    # Together, because each run of mypy reads all that they import.
    programs = [*(tmp_path / name for name in files), *sorted(COOKBOOK.glob("*.py"))]
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", *config, *map(str, programs)],
        capture_output=True,
        cwd=DOCS.parent,
        env=os.environ | {"MYPYPATH": str(COOKBOOK)},
        text=True,
        check=False,
    )

    said = ran.stdout
    for name, page_name in files.items():
        said = said.replace(str(tmp_path / name), f"docs/{page_name}").replace(name, page_name)
    assert ran.returncode == 0, said + ran.stderr


@pytest.mark.once
@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_blocks_are_run_or_known_to_be_only_shown(page: Path) -> None:
    strange = [
        f"{page}:{start}: {language or 'no language'}"
        for language, start, _ in blocks(page)
        if language not in {"python", "output"} | SHOWN | ROLES
    ]

    assert not strange


@pytest.mark.once
def test_tutorial_and_guides_show_code() -> None:
    folders = {page.parent.name for page in pages_with("python")}

    assert folders >= {"tutorial", "guides"}
