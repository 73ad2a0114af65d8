"""The program that is killed: the real application, told by its operator what to register.

It is run by its path. What it imports is imported once; each order, a JSON object on a line of
standard input, forks a life that serves until it is killed, or until its operator hangs up. The
process id comes back on standard output, and how the life ended when it has.
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

import alembic.command  # noqa: F401 - so that no life has to import it for a migration
import psycopg  # noqa: F401
from sqlalchemy import Engine, Pool, event

from transaction_tracker import (
    Event,
    Policy,
    ProviderSettings,
    Settings,
    TransactionTracker,
    TransactionTrackerApplication,
)
from transaction_tracker.delivery import endpoints
from transaction_tracker.sources.ethereum import SecretUrl

Message = dict[str, Any]

# What the statements of each sort of database transactions begin with.
WRITES: dict[str, Callable[[set[str]], bool]] = {
    "any": lambda _: True,
    "event": lambda said: "INSERT INTO events" in said,
    "block": lambda said: "INSERT INTO blocks" in said,
    "undo": lambda said: "DELETE FROM blocks" in said and "INSERT INTO blocks" not in said,
    "delivery": lambda said: "UPDATE outbox SET" in said and "INSERT INTO events" not in said,
    "registration": lambda said: "INSERT INTO transactions" in said,
}


def main() -> None:
    # Nodes that misbehave are nothing to speak of here; a crash is.
    logging.basicConfig(level=logging.ERROR)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(live(json.loads(line)))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def live(order: Message) -> int:
    """Serve, and give the exit status."""
    try:
        asyncio.run(serve(order))
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


async def serve(order: Message) -> None:
    async with operator(order) as (reader, writer):
        lurk(order)
        async with application(order):
            tell(writer, {"ready": order["life"]})
            async with asyncio.TaskGroup() as tasks:
                async for line in reader:
                    tasks.create_task(obey(json.loads(line), writer))


@asynccontextmanager
async def operator(
    order: Message,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", order["port"])
    tell(writer, {"life": order["life"]})
    try:
        yield reader, writer
    finally:
        writer.close()


def tell(writer: asyncio.StreamWriter, message: Message) -> None:
    writer.write(json.dumps(message).encode() + b"\n")


def application(order: Message) -> TransactionTrackerApplication:
    settings = Settings(
        providers=tuple(ProviderSettings(SecretUrl(url)) for url in order["nodes"]),
        chain_id=31337,
        confirmations=order["confirmations"],
        database=order["database"],
        poll_interval=0.01,
        policy=Policy(drop_blocks=3, drop_seconds=0.3),
        allow_private=("127.0.0.1",),
    )
    return TransactionTrackerApplication(settings, on_event=Diary(order))


async def obey(message: Message, writer: asyncio.StreamWriter) -> None:
    """Do what the operator wants, and say what came of it once it is done."""
    try:
        said = {"answer": await act(message)}
    except Exception as error:  # whatever it is, the operator has to know
        said = {"error": f"{type(error).__name__}: {error}"}
    tell(writer, {"number": message["number"], **said})


async def act(message: Message) -> Any:
    ids = message["ids"]
    match message["do"]:
        case "start":
            await TransactionTracker.start(
                ids[0], deadline=message["deadline"], metadata={"payment": ids[0]}
            )
        case "start_many":
            asked = [
                TransactionTracker.registration(each, metadata={"payment": each}) for each in ids
            ]
            await TransactionTracker.start_many(asked)
        case "untrack":
            return (await TransactionTracker.untrack(ids[0])).state
        case "deliver":
            (url,) = ids
            if url not in [each.url for each in await endpoints.list_all()]:
                await endpoints.add(url)
    return None


class Diary:
    """The program's own code that hears of events: it writes them into a file at once."""

    def __init__(self, order: Message) -> None:
        # Without a buffer: what was written is there, whatever becomes of the program.
        self._file = os.open(order["diary"], os.O_WRONLY | os.O_APPEND)
        self._die = order["die"] or {}
        self._heard = 0

    def __call__(self, heard: Event) -> None:
        self._heard += 1
        self._die_when("hearing")
        os.write(self._file, f"{heard.id}\n".encode())
        self._die_when("heard")

    def _die_when(self, kind: str) -> None:
        if (self._die.get("kind"), self._die.get("count")) == (kind, self._heard):
            die()


def lurk(order: Message) -> None:
    """Die just before the database writes for the so manieth time, or just after."""
    match order["die"]:
        case {"kind": "commit" | "committed" as kind, "count": count, "sort": sort}:
            watch = CommitWatch(count, WRITES[sort])
            event.listen(Engine, "before_cursor_execute", watch.execute)
            event.listen(Engine, "commit", watch.commit)
            if kind == "commit":
                event.listen(Engine, "commit", watch.strike)
            else:
                # When the connection goes back, what was to be written is.
                event.listen(Pool, "checkin", watch.strike)


class CommitWatch:
    """Counts the database transactions of a sort, by what they write.

    Args:
        count: The one to die at.
        wanted: Says by the first words of its statements whether a transaction counts.
    """

    def __init__(self, count: int, wanted: Callable[[set[str]], bool]) -> None:
        self._left = count
        self._wanted = wanted
        self._said: set[str] = set()
        self._counts = False

    def execute(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self._said.add(" ".join(statement.split(maxsplit=3)[:3]))

    def commit(self, _connection: object) -> None:
        self._counts = self._wanted(self._said)
        self._said = set()

    def strike(self, *_: object) -> None:
        if self._counts:
            self._counts = False
            self._left -= 1
            if self._left == 0:
                die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    threading.Event().wait()  # the signal is on its way


if __name__ == "__main__":
    main()
