"""Output for people on a terminal, and for programs in a pipe."""

import io
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from rich.console import Console

from transaction_tracker.cli import output
from transaction_tracker.cli.importing import progress

HASH = "0x" + "ab" * 32


ROWS = f"{HASH}\t\ntwo lines\t3\n"


@pytest.mark.parametrize(("header", "out"), [(True, f"id\tstate\n{ROWS}"), (False, ROWS)])
def test_table_in_a_pipe_has_tabs(
    capsys: pytest.CaptureFixture[str], header: bool, out: str
) -> None:
    output.table(("id", "state"), [(HASH, None), ("two\nlines", 3)], header=header)

    assert capsys.readouterr().out == out


@pytest.mark.parametrize(("header", "out"), [(True, "id\tstate\n"), (False, "")])
def test_empty_table_has_its_header(
    capsys: pytest.CaptureFixture[str], header: bool, out: str
) -> None:
    output.table(("id", "state"), [], header=header)

    assert capsys.readouterr().out == out


@pytest.mark.parametrize("header", [True, False])
def test_long_table_is_aligned_over_its_parts_with_one_header(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, header: bool
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    output.table(("id", "n"), [(HASH, number) for number in range(1_234)], header=header)

    out = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    lines = [line.rstrip() for line in out.splitlines() if line.strip()]
    rows = [line for line in lines if line.startswith(HASH)]
    assert [int(line.split()[1]) for line in rows] == list(range(1_234))
    assert len({line.rindex(f" {line.split()[1]}") for line in rows}) == 1
    assert [line.split() for line in lines if line not in rows][:1] == ([["id", "n"]] * header)
    assert len(lines) - len(rows) == 2 * header


async def counted(count: int | None) -> AsyncIterator[int]:
    for number in range(5 if count is None else min(count, 5)):
        yield number


@pytest.mark.parametrize(
    ("limit", "shown", "said"),
    [(None, 5, ""), (5, 5, ""), (6, 5, ""), (4, 4, "txtrack: 4 shown, more available; ask on\n")],
)
async def test_limited_list_prints_a_note(
    capsys: pytest.CaptureFixture[str], limit: int | None, shown: int, said: str
) -> None:
    found = [number async for number in output.limited(counted, limit, "ask on")]

    assert found == list(range(shown))
    assert capsys.readouterr().err == said


def test_table_on_a_terminal_has_complete_hashes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")

    output.table(("id", "state"), [(HASH, "confirmed")])

    out = capsys.readouterr().out
    assert HASH in out
    assert "\x1b[32mconfirmed" in out


def test_control_codes_are_removed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.say("a\x1b[2Jb")
    output.note("a\x1b[2Jb")
    output.facts({"note": "a\x1b[2Jb"})
    output.table(("id",), [("a\x1b[2Jb",)])

    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err


def test_import_shows_its_progress(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(output, "errors", lambda: Console(file=shown, force_terminal=True))
    file = tmp_path / "ids"
    file.write_text("x\n" * 1_000)

    with file.open() as stream, progress(stream) as moved:
        stream.readlines()
        moved()

    assert "importing" in shown.getvalue()
