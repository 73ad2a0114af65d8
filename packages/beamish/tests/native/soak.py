"""Runs the native core under AddressSanitizer and UBSan: every path, and every failed allocation.

``make soak-native`` calls it. The sanitizers report memory that is used after it was freed, or
beyond its end, and undefined behaviour; ``leaks.py`` reports memory that is not freed. Where the
machine has a debug build of the same CPython (Debian: ``python3.11-dbg``), everything runs with
it, too: it checks what CPython assumes, and counts references.
"""

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parents[1]
CONFORMANCE = HERE.parent / "conformance"
_SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
# Run by the interpreter that the core is for.
_COMPILE = f"""
import runpy, sys
from pathlib import Path
compiler = runpy.run_path({str(PACKAGE / "native" / "compile.py")!r})
try:
    compiler["compile_core"](Path(sys.argv[1]), sys.argv[2:])
except compiler["NotCompiledError"] as error:
    sys.exit(f"not run: {{error}}")
"""
Program = tuple[str, ...]
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
    """Compile the core with sanitizers and for a debug build; run each program with both."""
    sanitized = soak(sys.executable, _SANITIZERS, _sanitizers(), PROGRAMS)
    # With Python's own allocator, which counts its blocks.
    counted = soak(sys.executable, (), {}, ((*PROGRAMS[0][:-1], LEAK_ROUNDS),))
    debug = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}-dbg")
    if debug is None:
        print(
            "not run: this machine lacks a debug build of this CPython (python3.x-dbg)",
            file=sys.stderr,
        )
        return max(sanitized, counted)
    return max(sanitized, counted, soak(debug, ("-g", "-O1"), _debug_build(), PROGRAMS))


def soak(
    python: str, flags: Sequence[str], variables: dict[str, str], programs: Sequence[Program]
) -> int:
    """Compile the core for an interpreter, and run programs with it.

    Args:
        python: The interpreter.
        flags: More flags for the compiler.
        variables: Environment variables of the programs.
        programs: Arguments of the interpreter, for each program.

    Returns:
        The highest exit status.
    """
    with tempfile.TemporaryDirectory(prefix="soak-native-") as name:
        library = Path(name)
        ignored = shutil.ignore_patterns("__pycache__", "*.so")
        shutil.copytree(PACKAGE / "src" / "beamish", library / "beamish", ignore=ignored)
        folder = library / "beamish" / "_native"
        compiled = subprocess.run([python, "-c", _COMPILE, str(folder), *flags], check=False)
        if compiled.returncode:
            return compiled.returncode
        return max(_run(python, library, program, variables) for program in programs)


def _run(python: str, library: Path, program: Program, variables: dict[str, str]) -> int:
    """Run a program in Python with the library; return its exit status."""
    known = {name: value for name, value in os.environ.items() if name != "BEAMISH_PURE"}
    print(shlex.join((Path(python).name, *program)), flush=True)
    paths = os.pathsep.join(filter(None, (str(library), variables.get("PYTHONPATH"))))
    status = subprocess.run(
        [python, *program], env=known | variables | {"PYTHONPATH": paths}, check=False
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


def _debug_build() -> dict[str, str]:
    """Return the variables with which a debug build runs the tests."""
    # It can import what is installed for the same version: the two have one binary interface.
    return {"PYTHONPATH": sysconfig.get_path("purelib")}


def _library(name: str) -> str:
    """Return where the compiler has a library."""
    found = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
