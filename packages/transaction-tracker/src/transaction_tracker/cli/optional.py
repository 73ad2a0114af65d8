"""``txtrack demo`` and ``txtrack node``, which another package provides.

The package txtrack-devnode imports this package, not the other way round, so this module finds its
commands by entry points.
"""

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Annotated, Any, Final

from cyclopts import Parameter

from transaction_tracker.cli.exits import BadInputError

ENTRY_POINTS: Final = "txtrack.commands"
NAMES: Final = frozenset({"demo", "node"})

Command = Callable[..., Any]


def __getattr__(name: str) -> Command:
    """Load a command on first use, so that other commands start without the search."""
    if name not in NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return load(name)


def load(name: str) -> Command:
    """Return the installed command of this name, or one that names the package to install."""
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        command: Command = entry.load()
        return command
    return _not_installed(name)


def _not_installed(name: str) -> Command:
    needs = f"txtrack {name} needs the demo package: pip install 'transaction-tracker[demo]'"

    def command(
        *arguments: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)],
    ) -> None:
        del arguments
        raise BadInputError(needs)

    command.__doc__ = f"Not installed.\n\n{needs}\n\nExit status: 2."
    return command
