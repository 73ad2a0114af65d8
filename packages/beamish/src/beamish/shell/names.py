"""What is in scope at the prompt.

When not to use it: outside a shell.
"""

import asyncio
import sys
from importlib import import_module
from typing import Any

from beamish.shell.target import Target
from beamish.shell.views import info, pid, processes, tree_of


def names_for(target: Target) -> dict[str, Any]:
    """Collect the names of beamish, of the application's module, and the helpers.

    Of two that are the same, the later counts. The module itself is there, too, for names of it
    that a helper hides: ``shop.main.info``.
    """
    beamish = import_module("beamish")  # whole: this module is a part of it
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
