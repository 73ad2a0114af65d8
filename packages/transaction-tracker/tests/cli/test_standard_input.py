"""``-`` is standard input in each command that reads a file."""

import io
import json
from collections.abc import Iterator

import pytest
from cyclopts import App

from transaction_tracker.cli import main
from transaction_tracker.cli.app import application
from transaction_tracker.cli.flags import STDIN
from transaction_tracker.cli.importing import text_of

app = application()

SECRET = f"whsec_{'A' * 32}"
VERIFY = ["--id", "a", "--timestamp", "1", "--signature", "v1,x", "--secret", SECRET]
NEEDED = {("webhook", "verify"): VERIFY}
# Of a command that reads a file by an option.
OPTIONS = {("add",): ["--raw"]}


def readers(group: App = app, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """List the commands whose help says that they read standard input."""
    for name in group:
        if name.startswith("-"):
            continue
        command, here = group[name], (*path, name)
        yield from readers(command, here)
        if command.default_command is None:
            continue
        for argument in command.assemble_argument_collection(parse_docstring=True):
            if "standard input" in (argument.parameter.help or ""):
                yield here


READERS = [("add",), ("address", "import"), ("import",), ("webhook", "verify")]


def test_commands_that_read_a_file_are_known() -> None:
    assert sorted(readers()) == READERS


@pytest.mark.parametrize("path", READERS, ids=" ".join)
def test_hyphen_is_standard_input(path: tuple[str, ...]) -> None:
    words = [*path, *OPTIONS.get(path, ()), STDIN, *NEEDED.get(path, ())]
    _, bound, _ = app.parse_args(words, exit_on_error=False)

    assert STDIN in (*bound.args, *bound.kwargs.values())


@pytest.mark.parametrize("path", READERS, ids=" ".join)
def test_unknown_option_is_not_a_file(
    capsys: pytest.CaptureFixture[str], path: tuple[str, ...]
) -> None:
    status = main([*path, "--bogus", *NEEDED.get(path, ())])

    assert status == 2
    assert "nknown option" in " ".join(capsys.readouterr().err.replace("│", "").split())


def test_body_is_read_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"{}")))

    status = main(["webhook", "verify", "-", *VERIFY, "--json"])

    assert status == 1
    assert json.loads(capsys.readouterr().out)["signature"] is False


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_standard_input_is_utf_8_in_every_locale(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    data = io.BytesIO("\ufeffid,näme\n".encode() + b"0xab,\xff\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(data, encoding=encoding))

    with text_of(STDIN) as stream:
        lines = list(stream)

    assert lines == ["id,näme\n", "0xab,\N{REPLACEMENT CHARACTER}\n"]
    assert not data.closed
