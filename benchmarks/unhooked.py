"""beamish as it would be without telemetry, to show what telemetry costs.

Its modules are compiled from the same files, in which each look at ``telemetry.enabled`` or
``telemetry.observes`` has become ``False``: the compiler then leaves out whatever hangs on it, in
the client functions that ``@call`` writes, too. What watches the event loop and the mailboxes goes
as well.
"""

import importlib.abc
import os
import re
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

HOOKS = (
    (re.compile(r"\b\w*telemetry\.(enabled|observes)\b"), "False"),
    (re.compile(r"[\w.]+\.suspects\.setdefault\([^()]*\)"), "None"),
    (re.compile(r"\bhooks\.runtime_created\.append\([^()]*\)"), "None"),
)


def without_hooks(source: str) -> str:
    """Take the hooks out of the source of a module."""
    for hook, instead in HOOKS:
        source = hook.sub(instead, source)
    return source


class Loader(SourceFileLoader):
    """Loads a module without its hooks, and never from a cache, which has them."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the module."""
        path = self.get_filename(fullname)
        source = self.get_data(path).decode()
        return compile(without_hooks(source), path, "exec", dont_inherit=True)


class Finder(importlib.abc.MetaPathFinder):
    """Finds the modules of beamish."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return a spec with `Loader` for modules of beamish."""
        if fullname.partition(".")[0] != "beamish":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = Loader(fullname, spec.origin)
        return spec


def install() -> None:
    """Load beamish without its hooks from now on."""
    if "beamish" in sys.modules:
        raise RuntimeError("beamish is loaded already, with its hooks")
    os.environ["BEAMISH_PURE"] = "1"  # the native core has the hooks, too
    sys.meta_path.insert(0, Finder())
