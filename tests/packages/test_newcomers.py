"""Newcomers reach their goal with the literal commands of the pages and the wheels alone.

`test_quick_start.py` does it for those who want to run the tracker.
"""

import asyncio
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from .environment import MARKS, PATIENCE, ROOT, new_machine
from .terminals import Terminal, terminals

pytestmark = [*MARKS, pytest.mark.once]

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"# (\w+\.py)\n")


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the blocks of a page with their languages."""
    return BLOCK.findall((ROOT / "docs" / page).read_text())


async def type_page(terminal: Terminal, page: str, program: str) -> None:
    """Do what a page says: paste blocks into a program and run it, save files, type commands.

    Fail unless the program prints what the page shows.
    """
    await terminal.run(f"> {program}")
    for kind, block in blocks(page):
        named = FILE.match(block)
        if named is not None:
            await terminal.run(written(named[1], block))
        elif kind == "python":
            await terminal.run(written(program, block))
        elif kind == "output":
            start = len(terminal.printed)
            await terminal.run(f"python {program}")
            # The blocks before print theirs, too.
            said = terminal.printed[start:-1]
            assert said[-len(block.splitlines()) :] == block.splitlines()
        elif kind == "sh":
            await type_lines(terminal, page, block.splitlines())


def written(file: str, block: str) -> str:
    """Return the command that appends a block to a file."""
    return f"cat >> {file} <<'END-OF-BLOCK'\n\n{block}END-OF-BLOCK"


async def type_lines(terminal: Terminal, page: str, lines: Iterable[str]) -> None:
    for line in lines:
        if " shell " in line:
            # What the page types at the prompt.
            said = (ROOT / "docs" / page).read_text().split("At the prompt, ")[1].split(". (")[0]
            typed = "\n".join([*re.findall(r"`([^`]+)`", said), "exit()"])
            await terminal.run(f"{line.partition('  #')[0]} <<'END'\n{typed}\nEND")
        else:
            await terminal.run(line)


async def install_library(terminal: Terminal) -> None:
    """Type the first two blocks of the install page."""
    for _, block in blocks("install.md")[:2]:
        await terminal.run(block)
    assert [line for line in terminal.printed if line.startswith("beamish ")]


async def test_every_command_of_the_install_page_works(
    dist: Path, constraints: Path, tmp_path: Path
) -> None:
    """Type the page from top to bottom: the blocks, and the commands of its tables."""
    variables = new_machine(tmp_path, dist, constraints)
    home = Path(variables["HOME"])
    (home / "packages").symlink_to(ROOT / "packages")
    text = (ROOT / "docs" / "install.md").read_text()
    commands = re.findall(r"^```sh\n(.*?)^```$|^\| `([^`]+)` \|", text, re.DOTALL | re.MULTILINE)
    assert len(commands) > 8

    async with asyncio.timeout(PATIENCE), terminals(1, home, variables) as (terminal,):
        for block, command in commands:
            await terminal.run(block or command)
            if "--no-binary" in command:
                await terminal.run("python -m beamish --version")
                core = "native core" if shutil.which("cc", path="/usr/bin") else "pure Python"
                assert core in terminal.printed[-2]
        await terminal.run("python -m pip check")

    assert [line for line in terminal.printed if "have the state that the chain says" in line]


async def test_newcomer_who_knows_asyncio_gets_a_program_and_a_test(
    dist: Path, constraints: Path, tmp_path: Path
) -> None:
    variables = new_machine(tmp_path, dist, constraints)
    home = Path(variables["HOME"])

    async with asyncio.timeout(PATIENCE), terminals(1, home, variables) as (terminal,):
        await install_library(terminal)
        await type_page(terminal, "ten_minutes/asyncio.md", "orders.py")

    assert [line for line in terminal.printed if "1 passed" in line]


async def test_newcomer_from_elixir_gets_a_program_a_tree_and_a_prompt(
    dist: Path, constraints: Path, tmp_path: Path
) -> None:
    variables = new_machine(tmp_path, dist, constraints)
    home = Path(variables["HOME"])

    async with asyncio.timeout(PATIENCE), terminals(1, home, variables) as (terminal,):
        await install_library(terminal)
        await type_page(terminal, "ten_minutes/elixir.md", "rooms.py")

    printed = "\n".join(terminal.printed)
    # The tree, then the tree at the prompt with a room in it, then the room.
    assert len(re.findall(r"^\W+Rooms\.Supervisor +#PID", printed, re.MULTILINE)) == 2
    assert len(re.findall(r"^\W+Rooms\.Registry / kitchen +#PID", printed, re.MULTILINE)) == 1
    assert re.search(r"^class +Room$", printed, re.MULTILINE)
