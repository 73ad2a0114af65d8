"""Virtual environments outside the repository, in which tests install and run the packages."""

import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("beamish", "transaction_tracker", "txtrack_devnode")
# As the README of the tracker and the pages install it.
TRACKER = "transaction-tracker[demo]"
PATIENCE = 600.0

# Installing takes minutes on a busy machine.
MARKS = [pytest.mark.packages, pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Environment:
    """A folder with a virtual environment, and a folder outside the repository to run it in."""

    folder: Path

    @property
    def outside(self) -> Path:
        """The working directory of the programs."""
        return self.folder / "outside"

    def run(self, command: Sequence[str | Path]) -> str:
        """Run a command; return its output, or fail with it."""
        ran = self.attempt(command)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def attempt(self, command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run a command without the variables that lead to the repository."""
        hidden = ("PYTHONPATH", "VIRTUAL_ENV", "BEAMISH_DIRECT", "BEAMISH_PURE")
        env = {name: value for name, value in os.environ.items() if name not in hidden}
        # pyright looks for the packages of the python that is first on the path.
        env["PATH"] = f"{self.folder / 'venv' / 'bin'}{os.pathsep}{env['PATH']}"
        return subprocess.run(
            [str(word) for word in command],
            cwd=self.outside if self.outside.exists() else self.folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def program(self, name: str) -> Path:
        """Return the path of an installed program."""
        return self.folder / "venv" / "bin" / name


@contextmanager
def shared(factory: pytest.TempPathFactory, name: str) -> Iterator[tuple[Path, bool]]:
    """Yield a folder that all workers of pytest-xdist share, and whether it is complete.

    One worker fills it; the others wait for the lock meanwhile.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder, (folder / "complete").exists()
        (folder / "complete").touch()


def create(folder: Path) -> Environment:
    environment = Environment(folder)
    environment.outside.mkdir()
    environment.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"])
    return environment


def install(environment: Environment, *arguments: str | Path) -> None:
    """Install with uv, or with the pip beside our own interpreter."""
    python = environment.program("python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--no-compile"]
    if find_spec("pip") is None:
        pip = ["uv", "pip", "install", "--python", python]
    environment.run([*pip, "-q", *arguments])


def new_machine(folder: Path, dist: Path, constraints: Path) -> dict[str, str]:
    """Return the variables of a shell that has a Python, and an index with the built packages.

    Its home, where the shell starts, is empty. Nothing of the environment that runs the tests is on
    the path.

    Args:
        folder: An empty folder.
        dist: The folder of the wheels and source distributions.
        constraints: File with the versions that pip can install.
    """
    home, programs = folder / "home", folder / "bin"
    for new in (home, programs):
        new.mkdir()
    (programs / "python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (programs / "python3").chmod(0o755)
    ours = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return ours | {
        "HOME": str(home),
        "PATH": f"{programs}:/usr/bin:/bin",
        "PIP_CACHE_DIR": str(Path.home() / ".cache" / "pip"),
        "PIP_CONSTRAINT": str(constraints),
        "PIP_FIND_LINKS": f"{dist} {ours.get('PIP_FIND_LINKS', '')}",
    }


def locked() -> str:
    """Return the locked versions as constraints, without hashes.

    With hashes, pip would require one for our wheels, too.
    """
    lock = (ROOT / "requirements.lock").read_text()
    found = re.findall(r"^([\w.-]+(?:\[[\w,-]+\])?==[^\n\\]+)", lock, re.MULTILINE)
    return "\n".join(found)
