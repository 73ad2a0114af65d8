"""The commands of ``txtrack``: what the help says of each, and which module has it."""

from collections.abc import Container
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from cyclopts import App, Group

from transaction_tracker.cli.groups import CARE, FIRST, FOLLOW


@dataclass(frozen=True, slots=True)
class Command:
    """A command that is imported only where it is used.

    Most commands are clients of a running service. They start several times faster when the
    modules of the service, the database and the demo are not imported with them.

    Attributes:
        name: What is typed after ``txtrack``.
        place: Its module in this package and its attribute there: a function, or the `App` of
            a command that has commands of its own.
        group: Where the help lists it.
        summary: The first sentence of its own help.
        usage: How its help shows its arguments, where cyclopts cannot know.
    """

    name: str
    place: str
    group: Group
    summary: str
    usage: str | None = None

    def load(self) -> Any:
        """Import the command."""
        module, _, attribute = self.place.partition(":")
        return getattr(import_module(f"{__package__}.{module}"), attribute)


COMMANDS = (
    Command(
        "demo",
        "optional:demo",
        FIRST,
        "Watch a few hundred transactions of every kind, on a chain of its own.",
    ),
    Command(
        "node",
        "optional:node",
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
        "Run the service: follow transactions, deliver events, answer the HTTP API.",
    ),
    Command("add", "transactions:add", FOLLOW, "Track transactions with a running service."),
    Command(
        "import",
        "importing:import_",
        FOLLOW,
        "Track many transactions with a running service, from a file or standard input.",
        usage="Usage: txtrack import [OPTIONS] [FILE]\n",
    ),
    Command(
        "get",
        "transactions:get",
        FOLLOW,
        "Show a transaction: its state, confirmations and history.",
    ),
    Command(
        "ls",
        "transactions:ls",
        FOLLOW,
        "List all transactions with their states, in the order of their ids.",
    ),
    Command("wait", "wait:wait", FOLLOW, "Wait until transactions have ended, or are in a state."),
    Command(
        "why",
        "transactions:why",
        FOLLOW,
        "Explain why a transaction is in its state, and what it waits for.",
    ),
    Command(
        "events",
        "events:events",
        FOLLOW,
        "Print events: each transition of each transaction, in the order of writing.",
    ),
    Command(
        "recheck",
        "transactions:recheck",
        FOLLOW,
        "Ask the source about a transaction soon; a parked one gets a new tracker.",
    ),
    Command(
        "untrack",
        "transactions:untrack",
        FOLLOW,
        "Stop tracking a transaction; what is known of it is kept.",
    ),
    Command(
        "doctor",
        "doctor:doctor",
        CARE,
        "Look at everything that the service needs, and explain what is wrong.",
    ),
    Command("provider", "providers:app", CARE, "Manage a service's RPC endpoints."),
    Command(
        "webhook",
        "webhooks:app",
        CARE,
        "Manage the webhook endpoints that events are delivered to.",
    ),
    Command("deliveries", "deliveries:app", CARE, "Resume deliveries after a finality violation."),
    Command("token", "tokens:app", CARE, "Make, list and revoke bearer tokens, in the database."),
    Command("config", "config:app", CARE, "Show, check and explain the configuration."),
    Command(
        "migrate",
        "database:migrate",
        CARE,
        "Make the database's tables, or bring old ones up to date.",
    ),
    Command(
        "prune",
        "database:prune",
        CARE,
        "Remove transactions that ended long ago, with their events and deliveries.",
    ),
)


def register(app: App, wanted: Container[str]) -> None:
    """Register all commands with ``app``, and import those whose names are ``wanted``.

    Of the others, ``app`` has what its own help and its suggestions for wrong names need.
    """
    for command in COMMANDS:
        if command.name not in wanted:
            app.command(App(name=command.name, group=command.group, help=command.summary))
        elif isinstance(loaded := command.load(), App):
            app.command(loaded)
        else:
            app.command(loaded, name=command.name, group=command.group, usage=command.usage)
