"""The tool that counts the calls of walks through our source: what it counts, and what not."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
_ROW = re.compile(r"^(.+?) {2,}(\d+) +(\d+) +(\d+)$", re.MULTILINE)
_LISTED = re.compile(r"^ +(\d+)  (\S+):(\d+) (.+)$")


class Row(NamedTuple):
    """A row of the table."""

    name: str
    calls: int
    functions: int
    files: int


class Listed(NamedTuple):
    """A function of a walk."""

    calls: int
    file: str
    name: str


def walks(*arguments: str) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, ROOT / "tools" / "walks", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


@cache
def counted() -> tuple[list[Row], dict[str, list[Listed]]]:
    """Walk a twice, then b and c; return the table and the functions of each walk."""
    status, output = walks("a", "a", "b", "c", "--list")
    assert status == 0, output
    table, *lists = output.strip().split("\n\n")
    rows = [Row(name, *map(int, numbers)) for name, *numbers in _ROW.findall(table)]
    functions = {}
    for title, *lines in (part.splitlines() for part in lists):
        found = [_LISTED.match(line) for line in lines]
        assert all(found), lines
        functions[title] = [Listed(int(m[1]), m[2], m[4]) for m in found if m]
    return rows, functions


def test_every_walk_has_calls_in_its_row() -> None:
    rows, _ = counted()

    assert [row.name[0] for row in rows] == ["a", "a", "a", "a", "b", "c"]
    assert all(row.calls >= row.functions >= row.files > 0 for row in rows)


def test_same_walk_has_the_same_numbers_twice() -> None:
    rows, _ = counted()

    assert rows[:2] == rows[2:4]


def test_call_to_an_idle_server_has_fewer_calls_than_to_a_busy_one() -> None:
    (idle, busy, *_), _ = counted()

    assert idle.calls < busy.calls


def test_only_files_of_our_source_count() -> None:
    _, functions = counted()

    for listed in functions.values():
        for file in {function.file for function in listed}:
            assert Path(file).parts[1] == "src"
            assert (ROOT / "packages" / file).is_file()


def test_rows_are_the_sums_of_the_listed_functions() -> None:
    rows, functions = counted()

    for row in rows:
        listed = functions[row.name]
        assert row.calls == sum(function.calls for function in listed)
        assert row.functions == len(listed)
        assert row.files == len({function.file for function in listed})


def test_function_that_waits_counts_once() -> None:
    _, functions = counted()

    busy = {function.name: function.calls for function in functions["a call, busy server"]}

    assert busy["<beamish Adder.increment> client"] == 1


def test_unknown_walk_fails() -> None:
    status, output = walks("a", "z")

    assert status == 2
    assert "unknown walk z" in output
