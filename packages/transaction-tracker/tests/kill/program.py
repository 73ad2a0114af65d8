"""The program that is killed: the real application, which executes the operator's commands.

It is run by its path, and imports its modules once. Each line of standard input, a JSON object of
options, forks a life, which runs until it is killed or the operator closes the connection. Standard
output gets the process id at the start, and the exit code at the end of the life.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import alembic.command  # noqa: F401 - imported once, before the forks, for migrations
import psycopg  # noqa: F401
from sqlalchemy import Engine, Pool, event

from transaction_tracker import (
    Event,
    ProviderSettings,
    Settings,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.delivery import endpoints
from transaction_tracker.sources.ethereum import SecretUrl
from transaction_tracker.tracker import watching

Message = dict[str, Any]

# Whether a database transaction is of a sort, by the first words of its statements.
WRITES: dict[str, Callable[[set[str]], bool]] = {
    "any": lambda _: True,
    "event": lambda statements: "INSERT INTO events" in statements,
    "block": lambda statements: "INSERT INTO blocks" in statements,
    "undo": lambda statements: (
        "DELETE FROM blocks" in statements and "INSERT INTO blocks" not in statements
    ),
    "delivery": lambda statements: (
        "UPDATE outbox SET" in statements and "INSERT INTO events" not in statements
    ),
    "registration": lambda statements: "INSERT INTO transactions" in statements,
    "deposit": lambda statements: "UPDATE addresses SET" in statements,
    "search": lambda statements: bool(
        {"UPDATE address_searches SET", "DELETE FROM address_searches"} & statements
    ),
}


def main() -> None:
    # Faulty nodes cause warnings; an error must not occur.
    logging.basicConfig(level=logging.ERROR)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(run(json.loads(line)))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run(options: Message) -> int:
    """Run a life; return the exit status."""
    try:
        asyncio.run(serve(options))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


async def serve(options: Message) -> None:
    async with operator(options) as (reader, writer):
        watch_commits(options)
        async with application(options):
            send(writer, {"ready": options["life"]})
            async with asyncio.TaskGroup() as tasks:
                async for line in reader:
                    tasks.create_task(handle(json.loads(line), writer))


@asynccontextmanager
async def operator(
    options: Message,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", options["port"])
    send(writer, {"life": options["life"]})
    try:
        yield reader, writer
    finally:
        writer.close()


def send(writer: asyncio.StreamWriter, message: Message) -> None:
    writer.write(json.dumps(message).encode() + b"\n")


def application(options: Message) -> TransactionTrackerApplication:
    settings = Settings(
        providers=tuple(ProviderSettings(SecretUrl(url)) for url in options["nodes"]),
        chain_id=31337,
        confirmations=options["confirmations"],
        database=options["database"],
        poll_interval=0.01,
        drop_after_blocks=3,
        drop_after_seconds=0.3,
        allow_private=("127.0.0.1",),
    )
    return TransactionTrackerApplication(settings, on_event=EventLog(options))


async def handle(message: Message, writer: asyncio.StreamWriter) -> None:
    """Execute a command of the operator, and send the result or the error."""
    try:
        reply = {"result": await execute(message)}
    except Exception as error:  # the operator counts any error, and retries
        reply = {"error": f"{type(error).__name__}: {error}"}
    send(writer, {"number": message["number"], **reply})


async def execute(message: Message) -> Any:
    ids = message["ids"]
    match message["action"]:
        case "start":
            await TransactionTracker.start(
                ids[0], deadline=message["deadline"], metadata={"payment": ids[0]}
            )
        case "start_many":
            registrations = [
                TransactionTracker.registration(id_, metadata={"payment": id_}) for id_ in ids
            ]
            await TransactionTracker.start_many(registrations)
        case "untrack":
            return (await TransactionTracker.untrack(ids[0])).state
        case "watch":
            # Its deposits of before are searched, so the chain says all that must be found.
            await _watch(ids[0])
        case "deliver":
            (url,) = ids
            if url not in [endpoint.url for endpoint in await endpoints.list_all()]:
                await endpoints.add(url)
    return None


async def _watch(address: str) -> None:
    while True:
        try:
            await watching.watch(address, metadata={"address": address}, from_block=0)
            return
        except watching.InvalidSearchError:
            # The first block has not been applied yet.
            await asyncio.sleep(0.02)


class EventLog:
    """The ``on_event`` callback: it appends each event to a file at once."""

    def __init__(self, options: Message) -> None:
        # Without a buffer: each line is in the file even if the program is killed right after.
        self._file = os.open(options["event_log"], os.O_WRONLY | os.O_APPEND)
        self._kill = options["kill"] or {}
        self._calls = 0

    def __call__(self, event_: Event) -> None:
        self._calls += 1
        self._kill_at("hearing")
        os.write(self._file, f"{event_.id}\n".encode())
        self._kill_at("heard")

    def _kill_at(self, kind: str) -> None:
        if (self._kill.get("kind"), self._kill.get("count")) == (kind, self._calls):
            kill_self()


def watch_commits(options: Message) -> None:
    """Kill the program just before or just after a certain commit, if the options say so."""
    match options["kill"]:
        case {"kind": "commit" | "committed" as kind, "count": count, "sort": sort}:
            watch = CommitWatch(count, WRITES[sort])
            event.listen(Engine, "before_cursor_execute", watch.execute)
            event.listen(Engine, "commit", watch.commit)
            if kind == "commit":
                event.listen(Engine, "commit", watch.kill_if_due)
            else:
                # A connection returns to the pool after its commit.
                event.listen(Pool, "checkin", watch.kill_if_due)


class CommitWatch:
    """Counts the database transactions of a sort, by what they write.

    Args:
        count: Number of the transaction at which the program is killed.
        is_counted: Returns whether a transaction counts, by the first words of its statements.
    """

    def __init__(self, count: int, is_counted: Callable[[set[str]], bool]) -> None:
        self._left = count
        self._is_counted = is_counted
        self._statements: set[str] = set()
        self._counts = False

    def execute(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self._statements.add(" ".join(statement.split(maxsplit=3)[:3]))

    def commit(self, _connection: object) -> None:
        self._counts = self._is_counted(self._statements)
        self._statements = set()

    def kill_if_due(self, *_: object) -> None:
        if self._counts:
            self._counts = False
            self._left -= 1
            if self._left == 0:
                kill_self()


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()  # the signal can take a moment


if __name__ == "__main__":
    main()
