"""Compiles the native core of beamish with the C compiler of the machine.

``python packages/beamish/native/compile.py`` puts it beside the Python code, for the interpreter
that runs; an installation from the source distribution has it, too (``hatch_build.py``). Without a
compiler, or where the core does not run, it says so in one line, and the Python code works alone.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent / "src" / "beamish" / "_native"
_FLAGS = ("-std=c11", "-O3", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra")
# CPython's own casts of functions, and structs that end where the rest is zero.
_QUIET = ("-Wno-cast-function-type", "-Wno-missing-field-initializers")
_MAX_SECONDS = 300.0


class NotCompiledError(Exception):
    """The core cannot be compiled; the message says why."""


def compile_core(folder: Path = PACKAGE, flags: Sequence[str] = ()) -> Path:
    """Compile the core for the running interpreter.

    Args:
        folder: The folder for the extension module.
        flags: More flags for the compiler, such as those of a sanitizer.

    Returns:
        The extension module.

    Raises:
        NotCompiledError: This interpreter cannot use it, or the compiler is missing or fails.
    """
    _check_interpreter()
    module = _module(folder)
    # Renamed when it is complete: another process can import it at any time.
    new = module.with_name(f"new{module.name}")
    include = f"-I{sysconfig.get_path('include')}"
    sources = sorted(str(source) for source in HERE.glob("*.c"))
    command = [*_linker(), *_FLAGS, *_QUIET, *flags, include, *sources, "-o", str(new)]
    # If it fails, a module from older sources must not stay.
    module.unlink(missing_ok=True)
    try:
        subprocess.run(  # noqa: S603 - the compiler of this interpreter, or the user's own
            command, check=True, capture_output=True, text=True, timeout=_MAX_SECONDS
        )
    except FileNotFoundError:
        raise NotCompiledError(f"there is no C compiler {command[0]!r}") from None
    except subprocess.CalledProcessError as error:
        first = next((line for line in error.stderr.splitlines() if "error" in line), "no message")
        raise NotCompiledError(f"the C compiler failed: {first}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotCompiledError(f"the C compiler could not run: {error}") from None
    new.replace(module)
    return module


def _module(folder: Path) -> Path:
    return folder / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"


def _check_interpreter() -> None:
    if os.environ.get("BEAMISH_PURE", "0") not in ("", "0"):
        raise NotCompiledError("BEAMISH_PURE is set")
    if sys.implementation.name != "cpython":
        raise NotCompiledError(f"it is for CPython, this is {sys.implementation.name}")
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise NotCompiledError("it is for CPython 3.11 to 3.13")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise NotCompiledError("it needs the global interpreter lock")
    if os.name != "posix":
        raise NotCompiledError(f"it is compiled on POSIX systems only, this is {os.name}")


def _linker() -> list[str]:
    """Return the command that compiles and links a shared library."""
    linker = shlex.split(sysconfig.get_config_var("LDSHARED") or "cc -shared")
    compiler = os.environ.get("CC")
    return [*shlex.split(compiler), *linker[1:]] if compiler else linker


def main() -> int:
    """Compile the core beside the Python code; 0 also if that is not possible, unless it must be.

    With ``--required``, a core that cannot be compiled is an error. With ``--remove``, one that was
    compiled is removed.
    """
    if "--remove" in sys.argv[1:]:
        _module(PACKAGE).unlink(missing_ok=True)
        return 0
    try:
        print(f"beamish: native core compiled: {compile_core()}")
    except NotCompiledError as error:
        print(f"beamish: no native core, pure Python is used: {error}", file=sys.stderr)
        return 1 if "--required" in sys.argv[1:] else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
