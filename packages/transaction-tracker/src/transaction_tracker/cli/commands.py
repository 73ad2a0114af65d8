"""The commands of ``txtrack``, with their groups, their summaries and their modules."""

from collections.abc import Callable, Container
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import Annotated, Any, Final

from cyclopts import App, Group, Parameter

from transaction_tracker.cli.exits import BadInputError

# The entry points of another package's commands.
ENTRY_POINTS: Final = "txtrack.commands"

FIRST = Group("First steps", sort_key=1)
TRACK = Group("Transactions of a running service", sort_key=2)
MANAGE = Group("Manage the service", sort_key=3)


@dataclass(frozen=True, slots=True)
class Command:
    """A command that is imported only when it runs.

    Most commands are clients of a running service. They start several times faster without the
    modules of the service, the database and the demo.

    Attributes:
        name: Name of the command.
        place: Module and attribute: a function, or the `App` of a command with subcommands.
            ``None`` for a command of txtrack-devnode, which imports this package, not the other
            way round.
        group: Group in the help.
        summary: First sentence of the command's help.
        usage: Usage line of the help, if cyclopts cannot derive it.
    """

    name: str
    place: str | None
    group: Group
    summary: str
    usage: str | None = None

    def load(self) -> Any:
        """Import the command, or find it by its entry point."""
        if self.place is None:
            return provided(self.name)
        module, _, attribute = self.place.partition(":")
        return getattr(import_module(f"{__package__}.{module}"), attribute)


COMMANDS = (
    Command(
        "demo",
        None,
        FIRST,
        "Watch a few hundred transactions of every kind, on a chain of its own.",
    ),
    Command(
        "node",
        None,
        FIRST,
        "Run the development node: a small chain behind JSON-RPC, over HTTP and WebSocket.",
    ),
    Command(
        "watch",
        "watch:watch",
        FIRST,
        "Track transactions in this terminal until all have ended; no service is needed.",
    ),
    Command(
        "serve",
        "serve:serve",
        FIRST,
        "Run the service: track transactions, deliver events, serve the HTTP API.",
    ),
    Command(
        "add",
        "transactions:add",
        TRACK,
        "Track transactions with a running service.",
        usage="Usage: txtrack add [OPTIONS] [TRANSACTIONS]\n",
    ),
    Command(
        "import",
        "importing:import_",
        TRACK,
        "Track many transactions with a running service, from a file or standard input.",
        usage="Usage: txtrack import [OPTIONS] [FILE]\n",
    ),
    Command(
        "get",
        "transactions:get",
        TRACK,
        "Show a transaction: its state, confirmations and history.",
    ),
    Command(
        "ls",
        "transactions:ls",
        TRACK,
        "List all transactions with their states, sorted by id.",
    ),
    Command(
        "wait", "waiting:wait", TRACK, "Wait until transactions have ended, or are in a state."
    ),
    Command(
        "why",
        "transactions:why",
        TRACK,
        "Explain the state of a transaction, and what it waits for.",
    ),
    Command(
        "address",
        "addresses:app",
        TRACK,
        "Watch addresses: each payment to one becomes a tracked transaction.",
    ),
    Command(
        "events",
        "events:events",
        TRACK,
        "Print events: the state changes of transactions, in the order of recording.",
    ),
    Command(
        "change",
        "changing:change",
        TRACK,
        "Change what is required of a transaction that has not ended.",
    ),
    Command(
        "recheck",
        "transactions:recheck",
        TRACK,
        "Check a transaction at the source soon; a parked one gets a new tracker.",
    ),
    Command(
        "untrack",
        "transactions:untrack",
        TRACK,
        "Stop tracking a transaction; its history is kept.",
    ),
    Command(
        "doctor",
        "doctor:doctor",
        MANAGE,
        "Check everything that the service needs, and explain each problem.",
    ),
    Command(
        "alerts",
        "alerts:alerts",
        MANAGE,
        "List the alerts about the service: active ones first, then the last cleared ones.",
    ),
    Command("source", "sources:app", MANAGE, "Manage a service's sources, if it has several."),
    Command("provider", "providers:app", MANAGE, "Manage a service's RPC endpoints."),
    Command(
        "webhook",
        "webhooks:app",
        MANAGE,
        "Manage webhook endpoints, which receive events.",
    ),
    Command(
        "deliveries", "webhooks:deliveries", MANAGE, "Resume deliveries after a finality violation."
    ),
    Command("token", "tokens:app", MANAGE, "Create, list and revoke bearer tokens."),
    Command(
        "route",
        "route:route",
        MANAGE,
        "Serve one HTTP API in front of the shards of a service.",
    ),
    Command("config", "config:app", MANAGE, "Show, check and explain the configuration."),
    Command(
        "migrate",
        "database:migrate",
        MANAGE,
        "Create the database's tables, or upgrade old ones.",
    ),
    Command(
        "prune",
        "database:prune",
        MANAGE,
        "Remove transactions that ended long ago, with their events and deliveries.",
    ),
)


def register(app: App, wanted: Container[str]) -> None:
    """Register all commands with ``app``, but import only the ``wanted`` ones.

    The other commands are registered with their summaries, for the help and for suggestions.
    """
    for command in COMMANDS:
        if command.name not in wanted:
            app.command(App(name=command.name, group=command.group, help=command.summary))
        elif isinstance(loaded := command.load(), App):
            app.command(loaded)
        else:
            app.command(loaded, name=command.name, group=command.group, usage=command.usage)


def provided(name: str) -> Callable[..., Any]:
    """Return the installed command of this name, or one that names the package to install."""
    for entry in entry_points(group=ENTRY_POINTS, name=name):
        command: Callable[..., Any] = entry.load()
        return command
    return _not_installed(name)


def _not_installed(name: str) -> Callable[..., Any]:
    needs = f"txtrack {name} needs the demo package: pip install 'transaction-tracker[demo]'"

    def command(
        *arguments: Annotated[str, Parameter(allow_leading_hyphen=True, show=False)],
    ) -> None:
        del arguments
        raise BadInputError(needs)

    command.__doc__ = f"Not installed.\n\n{needs}\n\nExit status: 2."
    return command
