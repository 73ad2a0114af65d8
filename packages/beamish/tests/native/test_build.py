"""A wheel has the native core where it can be compiled, and the build never fails without it."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from .conftest import MAX_SECONDS, PACKAGE

pytestmark = pytest.mark.native

VERSION = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]["version"]
Build = Callable[..., tuple[Path, str]]
PURE = f"beamish-{VERSION}-py3-none-any.whl"


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build a wheel of a copy of the package; return it, and what was printed."""
    copy, folder = tmp_path / "copy", tmp_path / "dist"
    ignored = shutil.ignore_patterns("tests", "__pycache__", "*.so")
    shutil.copytree(PACKAGE, copy, ignore=ignored)

    def build(**variables: str) -> tuple[Path, str]:
        own = ("BEAMISH_NATIVE", "BEAMISH_PURE", "CC")
        env = {name: value for name, value in os.environ.items() if name not in own}
        options = ("--no-isolation", "--wheel", "--outdir", str(folder))
        done = subprocess.run(
            [sys.executable, "-m", "build", *options, str(copy)],
            env=env | variables,
            capture_output=True,
            text=True,
            timeout=MAX_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert not list(copy.rglob("*.so")), "the sources are as before"
        (wheel,) = folder.iterdir()
        return wheel, done.stdout + done.stderr

    return build


def cores(wheel: Path) -> list[str]:
    with ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if name.startswith("beamish/_native/_core.")]


@pytest.mark.usefixtures("library")  # skips where the core cannot be compiled
def test_wheel_has_the_core_of_its_interpreter(build: Build) -> None:
    wheel, _ = build()

    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    assert wheel.name.startswith(f"beamish-{VERSION}-{tag}-{tag}-")
    assert len(cores(wheel)) == 1


def test_missing_compiler_is_one_line_and_a_pure_wheel(build: Build) -> None:
    wheel, printed = build(CC="/no/such/compiler")

    assert (wheel.name, cores(wheel)) == (PURE, [])
    line = (
        "beamish: no native core, pure Python is used: there is no C compiler '/no/such/compiler'"
    )
    assert printed.count(line) == 1


def test_core_is_left_out_on_request(build: Build) -> None:
    wheel, printed = build(BEAMISH_NATIVE="0")

    assert (wheel.name, cores(wheel)) == (PURE, [])
    assert "native core" not in printed
