"""``python -m beamish``: its help, its errors, and the command ``tree``."""

import platform
from importlib.metadata import version
from pathlib import Path

import pytest

import beamish as beamish_package
from beamish._native import core

from .support import Command, beamish


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_lists_the_commands(folder: Path, arguments: tuple[str, ...]) -> None:
    ran = beamish(folder, *arguments)

    assert ran.returncode == 0
    assert "shell" in ran.stdout
    assert "tree" in ran.stdout
    assert ran.stderr == ""


def test_version_is_printed(folder: Path) -> None:
    ran = beamish(folder, "--version")

    mode = "pure Python" if core is None else "native core"
    version, python = beamish_package.__version__, platform.python_version()
    assert ran.returncode == 0
    assert ran.stdout == f"beamish {version} ({mode}), Python {python}\n"


def test_version_is_that_of_the_distribution() -> None:
    assert beamish_package.__version__ == version("beamish")


def test_package_has_no_attributes_but_its_own() -> None:
    with pytest.raises(AttributeError, match="'nothing'"):
        beamish_package.nothing  # noqa: B018


def test_help_of_the_shell_names_the_helpers(folder: Path) -> None:
    ran = beamish(folder, "shell", "--help")

    assert ran.returncode == 0
    assert all(word in ran.stdout for word in ("processes()", "tree()", "info(pid)", "Ctrl-D"))


def test_unknown_command_is_refused(folder: Path) -> None:
    ran = beamish(folder, "observe")

    assert ran.returncode == 2
    assert "invalid choice: 'observe'" in ran.stderr


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("shop", "expected module:Application, such as shop.main:Shop; got 'shop'"),
        ("shop:", "expected module:Application"),
        (":Shop", "expected module:Application"),
        ("shop.Shop", "did you mean shop:Shop?"),
        ("shop.py:Shop", "'shop.py' is a file, its module is shop"),
        ("./shop/main.py:Shop", "its module is shop.main"),
        ("nowhere:Shop", "no module named 'nowhere'; run this in the folder that contains it"),
        ("shop.nowhere:Shop", "no module named 'shop.nowhere'"),
        ("shop:Shp", "module 'shop' has no 'Shp'; its applications: shop:Shop, "),
        ("json:Shop", "it defines no Application"),
        ("shop:Worker", "must be an Application (a class, an instance, or a function"),
        ("shop:LOCAL", "must be an Application"),
        ("shop:Demanding", "shop:Demanding needs arguments (missing a required argument: 'url')"),
        ("shop:make_nothing", "must return an Application; it returned None"),
        ("shop:nap", "must return an Application; it returned <coroutine"),
        ("..:Shop", "expected module:Application"),
    ],
)
@pytest.mark.parametrize("name", ["tree", "shell"])
def test_wrong_target_is_one_line_that_says_what_to_do(
    command: Command, name: str, target: str, said: str
) -> None:
    ran = command(name, target)

    assert ran.returncode == 2
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert ran.stderr.startswith("beamish: ")
    assert ran.stdout == ""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os\nos.environ['SHOP_URL']", "KeyError: 'SHOP_URL'"),
        ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
        ("import sys\nsys.exit('no')", "SystemExit: no"),
        ("def f(:\n    pass", "SyntaxError: invalid syntax"),
    ],
)
def test_module_that_raises_shows_its_own_traceback(
    command: Command, folder: Path, source: str, said: str
) -> None:
    (folder / "bad.py").write_text(source)

    ran = command("tree", "bad:Shop")

    assert ran.returncode == 2
    assert said in ran.stderr
    assert 'bad.py", line' in ran.stderr
    assert "importlib" not in ran.stderr
    assert "beamish/shell" not in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("beamish: importing 'bad' failed: ")


def test_application_whose_init_raises_shows_its_own_traceback(command: Command) -> None:
    ran = command("tree", "shop:Refusing")

    assert ran.returncode == 2
    assert "KeyError: 'SHOP_URL'" in ran.stderr
    assert "beamish/shell" not in ran.stderr
    assert ran.stderr.splitlines()[-1] == "beamish: shop:Refusing() failed: KeyError('SHOP_URL')"


@pytest.mark.parametrize("name", ["tree", "shell"])
def test_tree_that_does_not_start_is_status_one_with_the_child_s_traceback(
    command: Command, name: str
) -> None:
    ran = command(name, "shop:Broken")

    assert ran.returncode == 1
    assert "ConnectionError: no database" in ran.stderr
    assert ran.stderr.count("Traceback") == 1
    assert "beamish/application.py" not in ran.stderr
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("beamish: shop:Broken did not start: ")
    assert "NoDatabase" in last


def test_tree_that_is_put_together_wrongly_is_one_line(command: Command) -> None:
    ran = command("tree", "shop:Twins")

    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert "two children have the id" in ran.stderr


@pytest.mark.parametrize(
    ("target", "line", "last"),
    [
        ("shop:Faulty", 'self.config["url"]', "shop:Faulty did not start: KeyError('url')"),
        ("shop:Clumsy", 'RuntimeError("dropped")', "shop:Clumsy failed: RuntimeError('dropped')"),
    ],
)
def test_methods_of_the_application_that_raise_show_their_own_traceback(
    command: Command, target: str, line: str, last: str
) -> None:
    ran = command("tree", target)

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[1].endswith(("in children", "in stop"))
    assert line in ran.stderr
    assert ran.stderr.splitlines()[-1] == f"beamish: {last}"


@pytest.mark.parametrize("target", ["shop:Shop", "shop:instance", "shop:make"])
def test_tree_prints_the_tree_and_stops_it_in_order(command: Command, target: str) -> None:
    ran = command("tree", target)

    assert ran.returncode == 0
    assert ran.stderr == ""
    pids = [word for word in ran.stdout.split() if word.startswith("#PID")]
    assert pids == sorted(pids, key=lambda pid: int(pid.split(".")[1]))
    assert [line.split()[:2] for line in ran.stdout.splitlines()] == [
        ["id", "pid"],
        ["Shop.Supervisor", pids[0]],
        ["├─", "Shop.Registry"],
        ["├─", "first"],
        ["├─", "second"],
        ["└─", "Shop.Workers"],
        ["second", "stops"],
        ["first", "stops"],
        ["stopped"],
    ]


def test_tree_limits_the_listed_children(command: Command) -> None:
    ran = command("tree", "--children", "1", "shop:Shop")

    assert "└─ … 3 more" in ran.stdout
    assert "Shop.Workers" not in ran.stdout


@pytest.mark.parametrize("number", ["-1", "many"])
def test_invalid_number_of_children_is_refused(command: Command, number: str) -> None:
    ran = command("tree", f"--children={number}", "shop:Shop")

    assert ran.returncode == 2
    assert f"must be a number of children, 0 or more; got {number!r}" in ran.stderr
