"""The commands of the package txtrack-devnode, if it is not installed."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints, requires

import pytest

from transaction_tracker.cli import commands
from transaction_tracker.cli.exits import BadInputError

# The program on a machine without such entry points.
WITHOUT_PACKAGE = """
import importlib.metadata, sys
importlib.metadata.entry_points = lambda **wanted: ()
from transaction_tracker.cli import main
sys.exit(main())
"""


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that replaces the installed entry points."""

    def install(**places: str) -> None:
        found = EntryPoints(
            EntryPoint(name, place, commands.ENTRY_POINTS) for name, place in places.items()
        )
        monkeypatch.setattr(commands, "entry_points", found.select)

    return install


def test_command_is_that_of_the_entry_point(installed: Callable[..., None]) -> None:
    installed(another="no.such.module:at_all", demo="transaction_tracker.cli.exits:of_states")

    assert commands.provided("demo").__name__ == "of_states"


@pytest.mark.parametrize("name", ["demo", "node"])
def test_command_without_its_package_names_what_to_install(
    installed: Callable[..., None], name: str
) -> None:
    installed()

    with pytest.raises(BadInputError) as caught:
        commands.provided(name)("--port", "0")

    assert str(caught.value) == (
        f"txtrack {name} needs the demo package: pip install 'transaction-tracker[demo]'"
    )


@pytest.mark.parametrize("arguments", [["demo", "--fast"], ["node", "--port=0", "-x", "y"]])
def test_program_without_the_package_ends_with_status_2(arguments: list[str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGE, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"txtrack: txtrack {arguments[0]} needs the demo package: "
        "pip install 'transaction-tracker[demo]'\n"
    )


def test_help_without_the_package_names_what_to_install() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_PACKAGE, "demo", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0
    assert "pip install 'transaction-tracker[demo]'" in " ".join(ran.stdout.split())


def test_extra_installs_the_package() -> None:
    wanted = [line for line in requires("transaction-tracker") or () if "extra == 'demo'" in line]

    assert [line.split(">")[0].split("<")[0] for line in wanted] == ["txtrack-devnode"]
