"""What people see on a terminal, and what programs read elsewhere."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from transaction_tracker.cli import output
from transaction_tracker.cli.importing import progress

HASH = "0x" + "ab" * 32


def test_table_has_tabs_and_no_header_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("id", "state"), [(HASH, None), ("two\nlines", 3)])

    assert capsys.readouterr().out == f"{HASH}\t\ntwo lines\t3\n"


def test_table_shows_whole_hashes_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")

    output.table(("id", "state"), [(HASH, "confirmed")])

    out = capsys.readouterr().out
    assert HASH in out
    assert "\x1b[32mconfirmed" in out


def test_control_codes_of_others_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.say("a\x1b[2Jb")
    output.note("a\x1b[2Jb")
    output.facts({"note": "a\x1b[2Jb"})
    output.table(("id",), [("a\x1b[2Jb",)])

    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err


def test_import_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(output, "errors", lambda: Console(file=shown, force_terminal=True))
    file = tmp_path / "ids"
    file.write_text("x\n" * 1_000)

    with file.open() as stream, progress(stream) as moved:
        stream.readlines()
        moved()

    assert "importing" in shown.getvalue()
