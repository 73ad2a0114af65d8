"""Loads the native core, the innermost paths of calls, casts and look-ups in C, if it is there.

The Python code is the reference and works alone: where the core is not compiled, and with
``BEAMISH_PURE=1`` in the environment. `_accelerate` puts the core into the library.
"""

from importlib import import_module
from os import environ
from typing import Any


def _load() -> Any:
    if environ.get("BEAMISH_PURE", "0") not in ("", "0"):
        return None
    try:
        module: Any = import_module("beamish._native._core")
        module.claim()
    except ImportError:  # not compiled for this interpreter, or used by another one
        return None
    return module


core: Any = _load()
"""The extension module, or ``None`` if the Python code runs alone."""
