"""``txtrack``: help and version."""

from collections.abc import Awaitable, Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from transaction_tracker.cli import main
from transaction_tracker.cli.app import application
from transaction_tracker.cli.commands import COMMANDS as LISTED
from transaction_tracker.cli.commands import Command

Txtrack = Callable[..., Awaitable[Any]]

app = application()


def every_command(group: App = app, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in group:
        if not name.startswith("-"):
            inside = group[name]
            yield (*path, name)
            yield from every_command(inside, (*path, name))


def _at(path: tuple[str, ...]) -> App:
    command = app
    for name in path:
        command = command[name]
    return command


COMMANDS = sorted(every_command())


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["--help"])

    assert status == 0
    out = capsys.readouterr().out
    for words in (
        *(path[0] for path in COMMANDS),
        "Track transactions in this terminal until all have ended",
    ):
        assert words in out


def test_all_commands_exist() -> None:
    groups = {path[0] for path in COMMANDS}

    assert groups == {
        *(
            "add",
            "address",
            "alerts",
            "change",
            "config",
            "deliveries",
            "demo",
            "doctor",
            "events",
            "get",
            "import",
            "ls",
        ),
        *("migrate", "node", "provider", "prune", "recheck", "route", "serve", "source", "token"),
        *("untrack", "wait", "watch", "webhook", "why"),
    }


@pytest.mark.parametrize("command", LISTED, ids=lambda command: command.name)
def test_summary_is_the_first_sentence_of_the_help(command: Command) -> None:
    own = app[command.name]

    assert own.help.split("\n\n")[0].replace("\n", " ") == command.summary
    assert own.group == (command.group,)


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_help(capsys: pytest.CaptureFixture[str], path: tuple[str, ...]) -> None:
    status = main([*path, "--help"])

    out = capsys.readouterr().out
    assert status == 0
    assert f"Usage: txtrack {' '.join(path)}" in out
    assert "Exit status" in out or " COMMAND" in out
    # Defaults of the parser library.
    assert [odd for odd in ("[ARGS", "--empty-", ": False]", "()]", "('") if odd in out] == []


@pytest.mark.parametrize(
    "path", [path for path in COMMANDS if _at(path).default_command], ids=" ".join
)
def test_flags_have_help_and_unique_names(path: tuple[str, ...]) -> None:
    arguments = [
        one for one in _at(path).assemble_argument_collection(parse_docstring=True) if one.show
    ]

    names = [name for one in arguments for name in one.names]
    assert [one.name for one in arguments if not one.parameter.help] == []
    assert sorted(names) == sorted(set(names))


def test_completion_script_is_installed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    status = main(["--install-completion", "--shell", "bash"])

    assert status == 0
    scripts = [path for path in tmp_path.rglob("*txtrack*") if path.is_file()]
    assert "complete" in scripts[0].read_text()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            "watch",
            ["--rpc", "--chain-id", "--database", "--timeout", "Exit status", "6: the node cannot"],
        ),
    ],
)
def test_help_of_a_command_is_complete(
    capsys: pytest.CaptureFixture[str], command: str, words: list[str]
) -> None:
    status = main([command, "--help"])

    text = " ".join(capsys.readouterr().out.split())
    assert status == 0
    assert [word for word in words if word not in text] == []


async def test_version_is_that_of_the_package(txtrack: Txtrack) -> None:
    ran = await txtrack("--version", fresh=True)

    assert (ran.status, ran.out) == (0, f"{version('transaction-tracker')}\n")
