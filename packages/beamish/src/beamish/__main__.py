"""``python -m beamish``: a shell in a running application, and its supervision tree."""

import argparse
import platform
import sys
from pathlib import Path

import beamish
from beamish._native import core
from beamish.shell import command
from beamish.shell.tree import CHILDREN

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

_TREE = """\
Start the application, print its supervision tree, and stop the application in order. The tree shows
ids, pids, classes, status, and the restarts used of those allowed."""


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
    if options.command == "tree":
        sys.exit(command.tree(options.target, options.children))
    if options.command == "shell":
        history = Path(options.history).expanduser() if options.history else None
        sys.exit(command.shell(options.target, history))
    parser.print_help()


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
    shell = _add(commands, "shell", "open a prompt in the running application", _SHELL)
    shell.add_argument(
        "--history",
        metavar="FILE",
        default=_HISTORY,
        help="the file for the history, '' keeps none (default: %(default)s)",
    )
    tree = _add(commands, "tree", "print the application's supervision tree", _TREE)
    tree.add_argument(
        "--children",
        metavar="N",
        type=_count,
        default=CHILDREN,
        help="maximum number of children listed for each supervisor (default: %(default)s)",
    )
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    short: str,
    long: str,
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=short,
        description=long,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("target", metavar="module:Application", help=_TARGET)
    return command


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a number of children, 0 or more; got {text!r}")
    return int(text)


if __name__ == "__main__":
    main()
