"""The tools of a release: the version, the changelog, and the README on a page of an index."""

import importlib.machinery
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
BLOB = "https://forge.example/beamish/blob/v0.1.0"


def tool(name: str) -> ModuleType:
    """Return a tool as a module; its file has no suffix."""
    loader = importlib.machinery.SourceFileLoader(name, str(ROOT / "tools" / name))
    spec = importlib.util.spec_from_loader(name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def run(name: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools" / name), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def project(folder: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return table


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Given: a copy of what a release changes, with three fragments of the changelog."""
    for package in PACKAGES:
        copy = tmp_path / package.relative_to(ROOT)
        copy.mkdir(parents=True)
        shutil.copy(package / "pyproject.toml", copy)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n<!-- releases -->\n\n## 0.0.1 (then)\n")
    shutil.copy(ROOT / "CITATION.cff", tmp_path)
    (tmp_path / "changelog.d").mkdir()
    for name in ("10.added", "2.added", "7.fixed"):
        (tmp_path / "changelog.d" / f"{name}.md").write_text(f"About {name}.\n")
    return tmp_path


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_package_has_the_licence_and_names_its_pythons(package: Path) -> None:
    supported = (ROOT / "tools" / "pythons").read_text().split('supported="')[1].split('"')[0]
    named = [word.rpartition(" :: ")[2] for word in project(package)["classifiers"]]

    assert (package / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert [word for word in named if word.startswith("3.")] == supported.split()


def test_each_fragment_of_the_changelog_has_a_kind() -> None:
    kinds = "added|changed|deprecated|removed|fixed|security"
    names = [path.name for path in (ROOT / "changelog.d").glob("*.md")]

    assert [name for name in names if not re.fullmatch(rf"\d+\.({kinds})\.md", name)] == []


def test_packages_have_one_version() -> None:
    (version,) = {project(package)["version"] for package in PACKAGES}

    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text()


def test_release_sets_all_versions_and_the_bounds_among_the_packages(tree: Path) -> None:
    ran = run("release", tree, "0.7.3")

    assert ran.returncode == 0, ran.stderr
    for package in PACKAGES:
        ours = project(tree / package.relative_to(ROOT))
        assert ours["version"] == "0.7.3"
        required = ours["dependencies"] + ours.get("optional-dependencies", {}).get("demo", [])
        names = tuple(path.name for path in PACKAGES)
        bounds = {text.partition(">")[2] for text in required if text.startswith(names)}
        assert bounds <= {"=0.7,<0.8"}
    assert "\nversion: 0.7.3\n" in (tree / "CITATION.cff").read_text()
    assert "git tag v0.7.3" in ran.stdout


def test_release_gathers_the_changelog_by_kind_and_issue(tree: Path) -> None:
    run("release", tree, "0.7.3")

    text = (tree / "CHANGELOG.md").read_text()
    parts = ["<!-- releases -->", "## 0.7.3 (", "### Added", "2.added", "10.added", "### Fixed"]
    places = [text.index(part) for part in [*parts, "7.fixed", "## 0.0.1"]]
    assert places == sorted(places)
    assert list((tree / "changelog.d").iterdir()) == []


@pytest.mark.parametrize("version", ["0.0.9", "0.1.0", "1.0", "v0.2.0", "0.2.0rc1", "0.02.0", ""])
def test_release_refuses_another_form_and_an_older_version(tree: Path, version: str) -> None:
    ran = run("release", tree, version)

    assert ran.returncode == 2
    assert f"got {version}" in ran.stderr or f"got {version!r}" in ran.stderr
    assert len(list((tree / "changelog.d").iterdir())) == 3


def test_changelog_has_the_place_for_releases() -> None:
    assert (ROOT / "CHANGELOG.md").read_text().count(tool("release").MARK) == 1


@pytest.mark.parametrize("name", [path.name for path in PACKAGES])
def test_readme_links_lead_to_existing_files_of_the_tag(name: str) -> None:
    dist = tool("dist")

    text = dist.readme(name, BLOB)

    targets = [target.partition("#")[0] for _, target in dist.RELATIVE_LINK.findall(text)]
    assert targets == []
    ours = [part.split(")")[0].split("#")[0] for part in text.split(f"]({BLOB}/")[1:]]
    assert ours
    assert [path for path in ours if not (ROOT / path).exists()] == []


def test_readme_has_plain_text_for_links_without_an_address() -> None:
    text = tool("dist").readme("beamish", None)

    assert "The parity page compares" in text
    assert "](.." not in text


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--tag", "v9.9.9"], "--tag must be v"),
        (["--repository", "http://forge.example/x"], "must be an https URL"),
        (["--repository", "https://forge.example/x/"], "must be an https URL"),
        (["--repository", 'https://forge.example/"'], "must be an https URL"),
    ],
)
def test_dist_refuses_a_wrong_tag_or_address(
    tmp_path: Path, arguments: list[str], error: str
) -> None:
    ran = run("dist", tmp_path, *arguments, str(tmp_path / "dist"))

    assert ran.returncode == 2
    assert error in ran.stderr
    assert not (tmp_path / "dist").exists()
