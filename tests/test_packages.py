"""The packages as a user gets them: built, installed outside the repository, run and type-checked.

The dependencies come from the package index that pip is configured for, in the locked versions.
"""

import fcntl
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("beamish", "transaction_tracker", "txtrack_devnode")
READMES = [ROOT / "README.md", *sorted(ROOT.glob("packages/*/README.md"))]
REPOSITORY = "https://forge.example/beamish"
# As the README of the tracker and the pages install it.
TRACKER = "transaction-tracker[demo]"
PATIENCE = 600.0

# Installing takes minutes on a busy machine.
pytestmark = [pytest.mark.packages, pytest.mark.slow, pytest.mark.timeout(900)]


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


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Given: the wheels and source distributions, with the links of a repository."""
    with shared(tmp_path_factory, "dist") as (folder, complete):
        if not complete:
            command = [sys.executable, ROOT / "tools" / "dist", "--repository", REPOSITORY]
            Environment(folder).run([*command, folder])
    return folder


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


@pytest.fixture(scope="module")
def bare(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Given: an environment with beamish alone, installed without any index."""
    with shared(tmp_path_factory, "bare") as (folder, complete):
        if not complete:
            install(create(folder), "--no-index", *dist.glob("beamish-*.whl"))
    return Environment(folder)


@pytest.fixture(scope="module")
def installed(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Given: an environment with the wheels of all three packages, as the README says."""
    # Without the hashes: pip would want one for our wheels, too.
    lock = (ROOT / "requirements.lock").read_text()
    constraints = re.findall(r"^([\w.-]+(?:\[[\w,-]+\])?==[^\n\\]+)", lock, re.MULTILINE)
    with shared(tmp_path_factory, "installed") as (folder, complete):
        if not complete:
            locked = folder / "constraints"
            locked.write_text("\n".join(constraints))
            options = ("-c", locked, "--find-links", dist)
            install(create(folder), *options, TRACKER)
    return Environment(folder)


def programs(page: Path) -> list[str]:
    """Return the programs that a README shows."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if re.search(r"^(asyncio\.)?run\(", block, re.MULTILINE)]


@pytest.fixture(scope="module")
def scripts(installed: Environment) -> list[Path]:
    """Given: the programs of all READMEs, as files outside the repository."""
    files = []
    for page in READMES:
        for number, program in enumerate(programs(page)):
            name = page.parent.name.replace("-", "_") if page.parent != ROOT else "workspace"
            files.append(installed.outside / f"{name}_{number}.py")
            files[-1].write_text(program)
    return files


def names(archive: Path) -> list[str]:
    if archive.suffix == ".whl":
        return zipfile.ZipFile(archive).namelist()
    with tarfile.open(archive) as file:
        return [name.partition("/")[2] for name in file.getnames()]


@pytest.mark.parametrize("package", PACKAGES)
def test_wheel_and_source_distribution_hold_the_licence_and_no_tests(
    dist: Path, package: str
) -> None:
    (wheel,) = dist.glob(f"{package}-*.whl")
    (source,) = dist.glob(f"{package}-*.tar.gz")

    in_wheel, in_source = names(wheel), names(source)
    assert [name for name in in_wheel if name.endswith(".dist-info/licenses/LICENSE")]
    assert f"{package}/py.typed" in in_wheel
    assert {"LICENSE", "README.md", "pyproject.toml"} <= set(in_source)
    known = {".c", ".css", ".h", ".html", ".js", ".py", ".svg", ".toml", ".typed", ".md", ""}
    assert {Path(name).suffix for name in in_source} <= known
    assert [name for name in in_source if name.startswith("tests")] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_metadata_has_links_of_the_repository_and_no_relative_ones(
    dist: Path, package: str
) -> None:
    (wheel,) = dist.glob(f"{package}-*.whl")
    (name,) = (name for name in names(wheel) if name.endswith(".dist-info/METADATA"))

    metadata = zipfile.ZipFile(wheel).read(name).decode()

    assert f"Project-URL: Repository, {REPOSITORY}\n" in metadata
    assert "Author: The beamish authors\n" in metadata
    assert "License-Expression: Apache-2.0\n" in metadata
    assert re.findall(r"\]\((?!https://|#)[^)]*\)", metadata) == []


def test_native_core_is_in_the_source_distribution_only(dist: Path) -> None:
    (wheel,) = dist.glob("beamish-*.whl")
    (source,) = dist.glob("beamish-*.tar.gz")

    assert {"native/compile.py", "native/core.h", "hatch_build.py"} <= set(names(source))
    assert wheel.name.endswith("-py3-none-any.whl")
    assert [name for name in names(wheel) if name.endswith((".c", ".so"))] == []


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


def test_programs_of_the_readmes_pass_mypy_strict(
    installed: Environment, scripts: list[Path]
) -> None:
    python = installed.program("python")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", os.devnull]

    installed.run([*command, "--python-executable", python, *scripts])


def test_programs_of_the_readmes_pass_pyright_strict(
    installed: Environment, scripts: list[Path]
) -> None:
    (installed.outside / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')

    installed.run([sys.executable, "-m", "basedpyright", *scripts])


def page_of(name: str) -> tuple[str, list[tuple[str, str]]]:
    """Return the program of a page, and its other blocks with their languages."""
    text = (ROOT / "docs" / name).read_text()
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    program = "\n\n".join(block for language, block in blocks if language == "python")
    return program, [(language, block) for language, block in blocks if language != "python"]


def lines(blocks: list[tuple[str, str]]) -> list[str]:
    """Return the commands of the shell blocks of a page, without their comments."""
    text = "".join(block for language, block in blocks if language == "sh")
    return [line.partition("  #")[0].strip() for line in text.splitlines()]


def test_newcomer_who_knows_asyncio_gets_a_program_and_a_test(installed: Environment) -> None:
    """The commands and blocks of the page, as they stand there."""
    program, blocks = page_of("ten_minutes/asyncio.md")
    (test,) = (block for _, block in blocks if block.startswith("# test_orders.py"))
    install_tools, run_tests = lines(blocks)
    (installed.outside / "orders.py").write_text(program)
    (installed.outside / "test_orders.py").write_text(test)

    assert install_tools.startswith("pip install ")
    install(installed, *install_tools.split()[2:])
    installed.run([installed.program("python"), "orders.py"])
    said = installed.run([installed.program("python"), *run_tests.split()[1:]])

    assert "1 passed" in said


def test_newcomer_from_elixir_gets_a_program_and_sees_its_tree(installed: Environment) -> None:
    program, blocks = page_of("ten_minutes/elixir.md")
    tree, shell = lines(blocks)
    (installed.outside / "rooms.py").write_text(program)

    said = installed.run([installed.program("python"), *tree.split()[1:]])

    assert "Rooms.Registry" in said
    assert shell == tree.replace("tree", "shell")


def test_newcomer_who_runs_the_tracker_installs_what_the_pages_say() -> None:
    """`test_pages.py` of the tracker runs the other steps of the quick start."""
    _, blocks = page_of("tracker/quick_start.md")
    commands = "".join(block for _, block in blocks).splitlines()

    assert f"pip install '{TRACKER}'" in commands
    assert f"pip install '{TRACKER}'" in (ROOT / "docs" / "install.md").read_text()


def test_commands_of_the_install_page_work(installed: Environment) -> None:
    text = (ROOT / "docs" / "install.md").read_text()
    commands = re.findall(r"^(python -m beamish .*|txtrack [^#\n]*)", text, re.MULTILINE)

    assert len(commands) == 3
    for command in commands:
        installed.run([installed.program(command.split()[0]), *command.split()[1:]])


def test_extras_of_the_pages_exist(dist: Path) -> None:
    pages = [*READMES, *ROOT.glob("docs/**/*.md")]
    text = "".join(page.read_text() for page in pages if "_build" not in page.parts)
    named = set(re.findall(r"(beamish|transaction-tracker)\[(\w+)\]", text))

    offered = set()
    for wheel in dist.glob("*.whl"):
        (name,) = (name for name in names(wheel) if name.endswith(".dist-info/METADATA"))
        metadata = zipfile.ZipFile(wheel).read(name).decode()
        (package,) = re.findall(r"^Name: (.*)$", metadata, re.MULTILINE)
        extras = re.findall(r"^Provides-Extra: (.*)$", metadata, re.MULTILINE)
        offered |= {(package, extra) for extra in extras}
    assert named
    assert named <= offered


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


@pytest.mark.parametrize("package", PACKAGES)
def test_public_names_have_types_that_pyright_knows(installed: Environment, package: str) -> None:
    command = [sys.executable, "-m", "basedpyright", "--verifytypes", package, "--ignoreexternal"]

    ran = installed.attempt([*command, "--outputjson"])

    symbols = json.loads(ran.stdout)["typeCompleteness"]["symbols"]
    assert len(symbols) > 100
    # A method that refuses calls can have the type of its result, so `Fail` is a subclass of Any.
    unknown = {symbol["name"] for symbol in symbols if not symbol["isTypeKnown"]}
    assert unknown - {"beamish.Fail", "beamish.results.Fail"} == set()
