"""The wheels and source distributions hold what an index and its users need."""

import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from .conftest import REPOSITORY
from .environment import MARKS, PACKAGES, ROOT
from .pages import READMES

pytestmark = [*MARKS, pytest.mark.once]


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
