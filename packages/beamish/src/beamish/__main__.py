"""``python -m beamish``: a shell in an application, and a look into a running program."""

import argparse
import os
import platform
import sys
from pathlib import Path
from typing import TypeAlias

import beamish
from beamish._native import core
from beamish._snapshots.query import SORTS
from beamish.shell import command, running
from beamish.shell.top import Choice
from beamish.shell.tree import CHILDREN

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_HISTORY = "~/.beamish_history"

_TARGET = (
    "module:Application, such as shop.main:Shop. The name is an Application class without "
    "arguments, an instance, or a function that returns an application. The module can be in the "
    "current folder."
)

_SHELL = """\
Start the application and a Python prompt in the same event loop. await works at the prompt, and
the application runs while you type. The names of beamish and of the module are in scope, and these
helpers:

  processes()   a table of the processes; processes("Tracker") filters it
  tree()        the supervision tree
  info(pid)     the facts about a process, by pid, number or name
  pid(104)      the pid #PID<0.104.0>

Ctrl-C interrupts the running input, never the application. Ctrl-D stops the application in order
and exits with status 0; exit(3) exits with 3. When the application stops by itself, the shell exits
with status 1."""

_PROGRAM = (
    "A running program, by the path of the socket that its Observer opens or by the URL of its "
    "pages (with a token in BEAMISH_OBSERVER_TOKEN); or module:Application, which starts a copy."
)

_TREE = """\
Print the supervision tree: ids, pids, classes, status, and the restarts used of those allowed."""

_TOP = """\
Show the processes that have handled most messages since the last refresh, live. Keys: q quits,
< and > sort by another column, r reverses the order, space pauses. Without a terminal, print them
once."""

_INFO = """\
Print the facts about one process: its status and callback, links, monitors, crashes, and of a
supervisor the restarts used of those allowed."""

_TRACE = """\
Print each message that a server handles, each reply and each change of its state, for 60 s or 1,000
events. A running program must have started its Observer with allow_actions=True."""

_STORE = "BEAMISH_CLUSTER_STORE"

_CLUSTER = """\
Print the shards of a cluster: the epoch of each owner, the rest of its lease, its children that
run and that were given up, its host and node. Exits with status 0 if every shard has an owner, 1 if
one has none or the store does not answer, and 2 if an argument is wrong."""

_PID = "the number in its pid, its pid, or its local name"


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    Args:
        arguments: The arguments after the program's name; by default those of ``sys.argv``.

    Raises:
        SystemExit: Always: 0 after success; 1 when the application failed to start or stopped by
            itself; 2 when the command line does not name an application.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
    else:
        sys.exit(options.run(options))


class _Version(argparse.Action):
    """Print the versions of beamish and Python; reading them is slow, so only on demand."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        mode = "pure Python" if core is None else "native core"
        print(f"beamish {beamish.__version__} ({mode}), Python {platform.python_version()}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m beamish",
        description="Run a beamish application and inspect it.",
        epilog="`python -m beamish COMMAND --help` describes a command.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    _add_shell(commands)
    _add_tree(commands)
    _add_top(commands)
    _add_info(commands)
    _add_trace(commands)
    _add_cluster(commands)
    return parser


def _add_shell(commands: _Commands) -> None:
    parser = _add(commands, "shell", "open a prompt in a new copy of the application", _SHELL)
    parser.add_argument(
        "--history",
        metavar="FILE",
        default=_HISTORY,
        help="the file for the history, '' keeps none (default: %(default)s)",
    )
    parser.set_defaults(run=_shell)


def _shell(options: argparse.Namespace) -> command.Status:
    history = Path(options.history).expanduser() if options.history else None
    return command.shell(options.target, history)


def _add_tree(commands: _Commands) -> None:
    parser = _add(commands, "tree", "print the supervision tree", _TREE, program=True)
    parser.add_argument(
        "--children",
        metavar="N",
        type=_count,
        default=CHILDREN,
        help="maximum number of children listed for each supervisor (default: %(default)s)",
    )
    parser.set_defaults(run=lambda options: running.tree(options.target, options.children))


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a number of children, 0 or more; got {text!r}")
    return int(text)


def _add_top(commands: _Commands) -> None:
    parser = _add(commands, "top", "show the busiest processes, live", _TOP, program=True)
    parser.add_argument(
        "--sort",
        choices=SORTS,
        default=SORTS[0],
        help="the column to sort by (default: %(default)s)",
    )
    parser.add_argument(
        "--search", metavar="TEXT", default="", help="show only processes that contain this text"
    )
    parser.add_argument(
        "--every",
        metavar="SECONDS",
        type=int,
        choices=(1, 2, 5, 15),
        default=2,
        help="time between two refreshes: 1, 2, 5 or 15 (default: %(default)s)",
    )
    parser.set_defaults(run=_top)


def _top(options: argparse.Namespace) -> command.Status:
    choice = Choice(options.sort, search=options.search, every=options.every)
    return running.top(options.target, choice)


def _add_info(commands: _Commands) -> None:
    parser = _add(commands, "info", "print the facts about a process", _INFO, program=True)
    parser.add_argument("pid", metavar="PROCESS", help=_PID)
    parser.set_defaults(run=lambda options: running.info(options.target, options.pid))


def _add_trace(commands: _Commands) -> None:
    parser = _add(commands, "trace", "print what a server does", _TRACE, program=True)
    parser.add_argument("pid", metavar="PROCESS", help=_PID)
    parser.set_defaults(run=lambda options: running.trace(options.target, options.pid))


def _add_cluster(commands: _Commands) -> None:
    parser = commands.add_parser("cluster", help="inspect a cluster", description=_CLUSTER)
    parser.add_argument("action", choices=("status",), help="print the shards and their owners")
    parser.add_argument("name", metavar="NAME", help="the name of the cluster")
    parser.add_argument(
        "--store",
        metavar="DSN",
        help=f"the connection string of its store (default: the environment variable {_STORE})",
    )
    parser.set_defaults(run=_cluster)


def _cluster(options: argparse.Namespace) -> command.Status:
    from beamish.cluster.status import status  # the other commands load nothing of the cluster

    store = options.store or os.environ.get(_STORE)
    if not store:
        print(f"error: give --store, or the connection string in {_STORE}", file=sys.stderr)
        return 2
    return status(options.name, store)


def _add(
    commands: _Commands,
    name: str,
    short: str,
    long: str,
    *,
    program: bool = False,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=short,
        description=long,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if program:
        parser.add_argument("target", metavar="TARGET", help=_PROGRAM)
    else:
        parser.add_argument("target", metavar="module:Application", help=_TARGET)
    return parser


if __name__ == "__main__":
    main()
