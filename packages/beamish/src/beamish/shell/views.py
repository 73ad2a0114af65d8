"""The helpers of the shell's prompt: `processes`, `tree`, `info` and `pid`.

When not to use it: in a program; `beamish.process` returns values instead of text.

Source:
    ``observer_cli``, and the helpers of Elixir's ``IEx``.
"""

import time
from collections.abc import Callable
from typing import Any

from beamish import _checks, process
from beamish.application import Application
from beamish.errors import NoProcessError
from beamish.pid import Dest, Pid, Via
from beamish.process import ProcessInfo
from beamish.shell.table import aligned, shown
from beamish.shell.tree import CHILDREN, look, render

PROCESSES = 50
"""Default number of listed processes."""

_HEADER = ("pid", "name", "class", "status", "queue", "handled", "memory")


def processes(match: str = "", limit: int = PROCESSES) -> None:
    """Print a table of the processes, oldest first.

    Args:
        match: Text that the class, name or label must contain.
        limit: Maximum number of rows; the rest is counted.
    """
    _checks.count("limit", limit)
    found = [pid for pid in process.processes() if not match or match in _searched(pid)]
    listed = [info for pid in found[:limit] if (info := process.info(pid)) is not None]
    print(aligned([_HEADER, *(_row(info) for info in listed)]))
    if len(found) > limit:
        print(f"… {len(found) - limit:,} more")


def _searched(pid: Pid) -> str:
    found = process.info(pid)
    return "" if found is None else f"{found.class_name} {_named(found)} {found.label}"


def _row(found: ProcessInfo) -> tuple[str, ...]:
    counts = found.message_queue_len, found.messages_handled, found.memory_bytes
    shown_counts = (f"{count:,}" for count in counts)
    return repr(found.id), _named(found), found.class_name, found.status, *shown_counts


def _named(found: ProcessInfo) -> str:
    if found.names:
        return shown(found.names[0])
    return "" if found.label is None else shown(found.label)


def pid(serial: int) -> Pid:
    """Return the pid with this number: 104 for ``#PID<0.104.0>``.

    Raises:
        NoProcessError: No live process has this number.

    Source:
        ``IEx.Helpers.pid/1``.
    """
    for known in process.processes():
        if known.serial == serial:
            return known
    raise NoProcessError(advice=f"no live process #PID<0.{serial}.0>")


def info(dest: Dest | int) -> None:
    """Print the facts about a process.

    Args:
        dest: A pid, the number in a pid, or a name.

    Raises:
        NoProcessError: The process does not exist.
        TypeError: ``dest`` has another type.

    Source:
        ``IEx.Helpers.process_info/1``.
    """
    if isinstance(dest, bool) or not isinstance(dest, Pid | Via | str | int):
        raise TypeError(
            f"info takes a pid, the number of a pid such as 104, or a name; got {dest!r}"
        )
    found = process.info(pid(dest) if isinstance(dest, int) else dest)
    if found is None:
        raise NoProcessError(dest)
    print(aligned(_facts(found)))


def _facts(found: ProcessInfo) -> list[tuple[str, str]]:
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.started_at))
    return [
        ("pid", repr(found.id)),
        ("class", found.class_name),
        ("names", _listed(found.names)),
        ("label", "-" if found.label is None else shown(found.label)),
        ("status", found.status),
        ("callback", found.current_callback or "-"),
        ("queue", f"{found.message_queue_len:,} messages"),
        ("handled", f"{found.messages_handled:,} messages"),
        ("memory", f"{found.memory_bytes:,} bytes, without objects that its state refers to"),
        ("trap_exit", str(found.trap_exit)),
        ("links", _listed(found.links)),
        ("monitors", _listed(found.monitors)),
        ("monitored by", _listed(found.monitored_by)),
        ("started", f"{started} by {_listed(found.ancestors, ' < ')}"),
    ]


def _listed(values: tuple[Any, ...], between: str = ", ") -> str:
    text = between.join(shown(value) for value in values[:10])
    more = f", … {len(values) - 10:,} more" if len(values) > 10 else ""
    return (text + more) or "-"


def tree_of(application: Application) -> Callable[..., None]:
    """Return the helper that prints the supervision tree of ``application``."""

    def tree(supervisor: Dest | None = None, children: int = CHILDREN) -> None:
        """Print the supervision tree.

        Args:
            supervisor: Pid or name of the root; by default the application's supervisor.
            children: Maximum number of children listed for each supervisor; the rest is counted.
        """
        top = application.supervisor if supervisor is None else supervisor
        if top is None:
            raise NoProcessError(advice="the application has stopped")
        print(render(look(top, children)))

    return tree
