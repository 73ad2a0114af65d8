"""``python -m beamish``: a shell with an application running, and its supervision tree."""

import argparse
import platform
import sys
from pathlib import Path

import beamish
from beamish.shell import command
from beamish.shell.tree import CHILDREN

_HISTORY = "~/.beamish_history"

_TARGET = (
    "module:Application, such as shop.main:Shop. The name is that of an Application class that "
    "needs no arguments, of an instance, or of a function that makes one. The module is looked "
    "for in the current folder, too."
)

_SHELL = """\
Start the application, and a Python prompt in the same event loop: await works at the prompt, and
the application goes on while you type. The names of beamish and of the module are in scope, and

  processes()   a table of the processes; processes("Tracker") only those
  tree()        the supervision tree
  info(pid)     what is known of a process, by pid, by the number in it, or by name
  pid(104)      the process that prints as #PID<0.104.0>

Ctrl-C interrupts what runs at the prompt, never the application. Ctrl-D stops the application in
order and leaves with status 0; exit(3) with 3. When the application dies of itself, so does the
shell, with status 1. IPython is used if it is installed."""

_TREE = """\
Start the application, print its supervision tree from the top supervisor down, and stop it in
order: ids, pids, classes, status, and how many restarts of those allowed have happened lately."""


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line says, and exit.

    Args:
        arguments: Those after the program's name; ``sys.argv`` has them otherwise.

    Raises:
        SystemExit: Always: 0 when all went well; 1 when the application failed to start or died;
            2 when the command line names no application.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "tree":
        sys.exit(command.tree(options.target, options.children))
    if options.command == "shell":
        history = Path(options.history).expanduser() if options.history else None
        sys.exit(command.shell(options.target, history, plain=options.plain))
    parser.print_help()


class _Version(argparse.Action):
    """Print the versions of beamish and Python; read only when asked for, which takes a while."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"beamish {beamish.__version__}, Python {platform.python_version()}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m beamish",
        description="Run a beamish application and look into it.",
        epilog="`python -m beamish COMMAND --help` tells more of a command.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version, and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    shell = _add(commands, "shell", "a prompt with the application running", _SHELL)
    shell.add_argument(
        "--plain", action="store_true", help="use the plain prompt even if IPython is installed"
    )
    shell.add_argument(
        "--history",
        metavar="FILE",
        default=_HISTORY,
        help="keeps what you type, '' keeps nothing (default: %(default)s)",
    )
    tree = _add(commands, "tree", "print the application's supervision tree", _TREE)
    tree.add_argument(
        "--children",
        metavar="N",
        type=_count,
        default=CHILDREN,
        help="list so many children of each supervisor, count the others (default: %(default)s)",
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
        raise argparse.ArgumentTypeError(f"expected a number of children from 0 on, got {text!r}")
    return int(text)


if __name__ == "__main__":
    main()
