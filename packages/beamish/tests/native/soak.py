"""Runs the native core under AddressSanitizer and UBSan: every path, and every failed allocation.

``make soak-native`` calls it. The sanitizers report memory that is used after it was freed, or
beyond its end, and undefined behaviour; ``leaks.py`` reports memory that is not freed.
"""

import os
import runpy
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1]
CONFORMANCE = HERE.parent / "conformance"
_SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ROUNDS = "10"
LEAK_ROUNDS = "30"

PROGRAMS = (
    (str(HERE / "leaks.py"), ROUNDS),
    (str(HERE / "without_memory.py"),),
    *(
        ("-m", "pytest", "-q", "-p", "no:cacheprovider", str(CONFORMANCE / name))
        for name in ("test_client_and_dispatch.py", "test_many_in_a_turn.py")
    ),
)


def main() -> int:
    """Compile the core with sanitizers, and run each program with it."""
    compiler = runpy.run_path(str(PACKAGE / "native" / "compile.py"))
    with tempfile.TemporaryDirectory(prefix="soak-native-") as name:
        library = Path(name)
        ignored = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(PACKAGE / "src" / "beamish", library / "beamish", ignore=ignored)
        try:
            compiler["compile_core"](library / "beamish" / "_native", _SANITIZERS)
        except compiler["NotCompiledError"] as error:
            print(f"not run: {error}", file=sys.stderr)
            return 1
        sanitized = max(_run(library, program, _sanitizers()) for program in PROGRAMS)
        # With Python's own allocator, which counts its blocks.
        compiler["compile_core"](library / "beamish" / "_native")
        return max(sanitized, _run(library, (*PROGRAMS[0][:-1], LEAK_ROUNDS), {}))


def _run(library: Path, program: tuple[str, ...], variables: dict[str, str]) -> int:
    """Run a program in Python with the library; return its exit status."""
    known = {name: value for name, value in os.environ.items() if name != "BEAMISH_PURE"}
    print(shlex.join(program), flush=True)
    status = subprocess.run(
        [sys.executable, *program],
        env=known | {"PYTHONPATH": str(library)} | variables,
        check=False,
    )
    return abs(status.returncode)


def _sanitizers() -> dict[str, str]:
    """Return the variables with which Python runs with the sanitizers."""
    return {
        # Python itself has no sanitizers, so they must be loaded before it.
        "LD_PRELOAD": " ".join(_library(name) for name in ("libasan.so", "libubsan.so")),
        # CPython leaves memory to the end of the process; `leaks.py` counts what grows.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",  # so that each object is memory of its own
    }


def _library(name: str) -> str:
    """Return where the compiler has a library."""
    found = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
