"""The library with a core that is compiled from the sources of this tree, in its own folder."""

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[2]
MAX_SECONDS = 280.0

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def compiler() -> dict[str, Any]:
    return runpy.run_path(str(PACKAGE / "native" / "compile.py"))


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, compiler: dict[str, Any]) -> Path:
    """A folder with the package and its core."""
    folder = tmp_path_factory.mktemp("native")
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(PACKAGE / "src" / "beamish", folder / "beamish", ignore=ignored)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("BEAMISH_PURE", raising=False)
        try:
            compiler["compile_core"](folder / "beamish" / "_native")
        except compiler["NotCompiledError"] as error:
            if os.environ.get("BEAMISH_REQUIRE_TOOLS"):
                raise
            pytest.skip(f"no native core: {error}")
    return folder


@pytest.fixture(scope="session")
def run(library: Path) -> Run:
    """A function that runs Python with that library."""

    def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        known = {name: value for name, value in os.environ.items() if name != "BEAMISH_PURE"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=PACKAGE.parents[1],
            env=known | {"PYTHONPATH": str(library)} | variables,
            capture_output=True,
            text=True,
            timeout=MAX_SECONDS,
            check=False,
        )

    return run
