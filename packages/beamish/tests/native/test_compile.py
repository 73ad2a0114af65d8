"""The native core is compiled where that is possible, and missed nowhere."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import PACKAGE, Run

pytestmark = pytest.mark.native

COMPILE = str(PACKAGE / "native" / "compile.py")
MODE = "from beamish._native import core; print(core is None)"


def test_missing_compiler_is_named(
    compiler: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BEAMISH_PURE", raising=False)
    monkeypatch.setenv("CC", "/no/such/compiler")

    with pytest.raises(compiler["NotCompiledError"], match="no C compiler '/no/such/compiler'"):
        compiler["compile_core"](tmp_path)


def test_module_of_older_sources_does_not_stay(
    compiler: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BEAMISH_PURE", raising=False)
    old = compiler["compile_core"](tmp_path)
    monkeypatch.setenv("CC", "false")

    with pytest.raises(compiler["NotCompiledError"], match="the C compiler failed"):
        compiler["compile_core"](tmp_path)

    assert not old.exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("arguments", "status"), [((), 0), (("--required",), 1)])
def test_missing_core_is_an_error_only_where_it_is_required(
    arguments: tuple[str, ...], status: int
) -> None:
    ran = subprocess.run(
        [sys.executable, COMPILE, *arguments],
        env=os.environ | {"BEAMISH_PURE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == status
    assert ran.stderr == ("beamish: no native core, pure Python is used: BEAMISH_PURE is set\n")


def test_core_is_used_unless_it_is_switched_off(run: Run) -> None:
    assert run("-c", MODE).stdout == "False\n"
    assert run("-c", MODE, BEAMISH_PURE="1").stdout == "True\n"
    assert run("-c", MODE, BEAMISH_PURE="0").stdout == "False\n"


def test_second_copy_of_the_library_does_without(run: Run) -> None:
    ran = run(
        "-c",
        "import sys\n"
        "import beamish\n"
        "for name in [name for name in sys.modules if name.split('.')[0] == 'beamish']:\n"
        "    del sys.modules[name]\n"
        f"{MODE}\n"
        "from beamish import Registry\n"
        "import inspect, asyncio\n"
        "print(inspect.isfunction(Registry.lookup), inspect.isfunction(beamish.Registry.lookup))",
    )

    assert ran.stdout == "True\nTrue False\n", ran.stderr


def test_core_of_other_sources_is_refused(run: Run) -> None:
    ran = run("-c", "import beamish._accelerate as a; a.core = object(); a.install()")

    assert "ImportError: the compiled core of beamish does not match its Python code" in ran.stderr
    assert "BEAMISH_PURE=1" in ran.stderr
