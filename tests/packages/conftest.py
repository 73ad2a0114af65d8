"""The packages, built, and environments with them."""

import sys
from pathlib import Path

import pytest

from .environment import ROOT, TRACKER, Environment, create, install, locked, shared

REPOSITORY = "https://forge.example/beamish"


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Given: the wheels and source distributions, with the links of a repository."""
    with shared(tmp_path_factory, "dist") as (folder, complete):
        if not complete:
            command = [sys.executable, ROOT / "tools" / "dist", "--repository", REPOSITORY]
            Environment(folder).run([*command, folder])
    return folder


@pytest.fixture(scope="session")
def bare(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Given: an environment with beamish alone, installed without any index."""
    with shared(tmp_path_factory, "bare") as (folder, complete):
        if not complete:
            install(create(folder), "--no-index", *dist.glob("beamish-*.whl"))
    return Environment(folder)


@pytest.fixture(scope="session")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Given: a file with the locked versions."""
    with shared(tmp_path_factory, "locked") as (folder, complete):
        if not complete:
            (folder / "constraints").write_text(locked())
    return folder / "constraints"


@pytest.fixture(scope="session")
def installed(
    dist: Path, constraints: Path, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """Given: an environment with the wheels of all three packages, as the README says."""
    with shared(tmp_path_factory, "installed") as (folder, complete):
        if not complete:
            install(create(folder), "-c", constraints, "--find-links", dist, TRACKER)
    return Environment(folder)
