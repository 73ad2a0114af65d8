"""The namespace of the prompt.

When not to use it: outside a shell.
"""

import asyncio
import sys
from importlib import import_module
from typing import Any

from beamish.shell.target import Target
from beamish.shell.views import info, pid, processes, tree_of


def names_for(target: Target) -> dict[str, Any]:
    """Return the names of beamish, of the application's module, and of the helpers.

    A later name hides an earlier one. The module itself is included, to reach its names that a
    helper hides: ``shop.main.info``.
    """
    beamish = import_module("beamish")  # not imported above: this module is a part of it
    top = target.module.__name__.partition(".")[0]
    return {
        "__name__": "__console__",
        "asyncio": asyncio,
        "beamish": beamish,
        **{name: getattr(beamish, name) for name in beamish.__all__},
        top: sys.modules[top],
        **{name: value for name, value in vars(target.module).items() if name[:2] != "__"},
        "app": target.application,
        "processes": processes,
        "tree": tree_of(target.application),
        "info": info,
        "pid": pid,
    }
