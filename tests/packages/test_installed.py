"""The packages as a user gets them: installed outside the repository, run and type-checked.

The dependencies come from the package index that pip is configured for, in the locked versions.
"""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from .environment import MARKS, PACKAGES, ROOT, Environment
from .pages import READMES, programs

pytestmark = MARKS


@pytest.fixture(scope="session")
def scripts(installed: Environment) -> list[Path]:
    """Given: the programs of all READMEs, as files outside the repository."""
    files = []
    for page in READMES:
        for number, program in enumerate(programs(page)):
            name = page.parent.name.replace("-", "_") if page.parent != ROOT else "workspace"
            files.append(installed.outside / f"{name}_{number}.py")
            files[-1].write_text(program)
    return files


def test_beamish_needs_nothing_else(bare: Environment) -> None:
    (program,) = programs(ROOT / "packages" / "beamish" / "README.md")
    python = bare.program("python")

    bare.run([python, "-W", "error", "-c", program])

    show = "from importlib.metadata import distributions as d; print(*(p.name for p in d()))"
    assert bare.run([python, "-c", show]).split() == ["beamish"]
    said = bare.run([python, "-m", "beamish", "--version"])
    assert re.match(r"beamish \d+\.\d+\.\d+ \(pure Python\), Python 3\.\d+", said)


def test_demo_of_the_tracker_runs(installed: Environment) -> None:
    said = installed.run([installed.program("txtrack"), "demo", "--fast"])

    assert "have the state that the chain says" in said


def test_tracker_is_installed_without_a_driver_for_postgresql(installed: Environment) -> None:
    show = "from importlib.metadata import requires as r; from importlib.util import find_spec as f"
    show += "; print(f('psycopg'), *r('transaction-tracker'), sep='\\n')"

    said = installed.run([installed.program("python"), "-c", show]).splitlines()

    assert said[0] == "None"
    (driver,) = (line for line in said if "psycopg" in line)
    assert driver.endswith("extra == 'postgresql'")


def test_programs_of_the_readmes_run(installed: Environment, scripts: list[Path]) -> None:
    assert len(scripts) >= len(READMES)
    for script in scripts:
        installed.run([installed.program("python"), "-W", "error", script])


@pytest.mark.once
def test_programs_of_the_readmes_pass_mypy_strict(
    installed: Environment, scripts: list[Path]
) -> None:
    python = installed.program("python")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull]

    installed.run([*command, "--python-executable", python, *scripts])


@pytest.mark.once
def test_programs_of_the_readmes_pass_pyright_strict(
    installed: Environment, scripts: list[Path]
) -> None:
    (installed.outside / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')

    installed.run([sys.executable, "-m", "basedpyright", *scripts])


@pytest.mark.once
def test_steps_of_the_container_install_the_service(tmp_path: Path) -> None:
    """The steps of the first stage, in a folder with only what the build context has."""
    for name in ("packages", "requirements.lock"):
        (tmp_path / name).symlink_to(ROOT / name)
    text = (ROOT / "deploy" / "Containerfile").read_text().replace("\\\n", " ")
    stage = text.split("\nFROM ")[1]
    steps = re.findall(r"^RUN (.*)$", stage, re.MULTILINE)
    target = tmp_path / "opt"

    for step in steps:
        command = step.replace("/opt/txtrack", str(target))
        # The image has python, and no cache of pip that this test could use.
        command = command.replace("python -m venv", f"{sys.executable} -m venv")
        command = command.replace("--no-cache-dir", "")
        Environment(tmp_path).run(["sh", "-ec", command])

    said = Environment(tmp_path).run([target / "bin" / "txtrack", "--version"])
    assert re.match(r"\d+\.\d+\.\d+", said)
    shown = "from importlib.util import find_spec as f; print(bool(f('psycopg')), f('pytest'))"
    assert Environment(tmp_path).run([target / "bin" / "python", "-c", shown]) == "True None\n"


@pytest.mark.once
@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_have_types_that_pyright_knows(installed: Environment, package: str) -> None:
    command = [sys.executable, "-m", "basedpyright", "--verifytypes", package, "--ignoreexternal"]

    ran = installed.attempt([*command, "--outputjson"])

    symbols = json.loads(ran.stdout)["typeCompleteness"]["symbols"]
    assert len(symbols) > 100
    # A method that refuses calls can have the type of its result, so `Fail` is a subclass of Any.
    unknown = {symbol["name"] for symbol in symbols if not symbol["isTypeKnown"]}
    assert unknown - {"beamish.Fail", "beamish.results.Fail"} == set()
