"""The operator: starts and kills the program, and repeats each command until it is done."""

import asyncio
import itertools
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

TIMEOUT_SECONDS = 50.0
RETRY_SECONDS = 0.1
_MAX_CHARACTERS = 2_000
PROGRAM = Path(__file__).with_name("program.py")


@dataclass(frozen=True, slots=True)
class Command:
    """A command to the program.

    Attributes:
        number: Number of the command.
        action: What the program does.
        ids: Arguments: transaction ids, an address, or the URL of a webhook endpoint.
        deadline: Deadline of the transaction, in Unix seconds.
    """

    number: int
    action: str
    ids: tuple[str, ...]
    deadline: float | None = None


class Operator:
    """Runs one program again and again, one life after the other.

    Args:
        folder: Folder of the file for the program's standard error.
        options: Options of all lives.
        on_done: Called with each command that the program has done, and its result.
        on_error: Called with each command that failed, and its error; it is retried soon.

    Attributes:
        life: Number of the present or last life, from 1.
        ready: Set while the program is ready.
        outstanding: The commands that were sent and are not acknowledged.
        acknowledged: Number of acknowledged commands.
    """

    def __init__(
        self,
        folder: Path,
        options: dict[str, Any],
        on_done: Callable[[Command, Any], None],
        on_error: Callable[[Command, str], None],
    ) -> None:
        self._errors = folder / "errors.txt"
        self._options = options
        self._on_done = on_done
        self._on_error = on_error
        self._numbers = itertools.count(1)
        self._writer: asyncio.StreamWriter | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._pid: int | None = None
        self._ended: asyncio.Task[int] | None = None
        self.life = 0
        self.ready = asyncio.Event()
        self.outstanding: dict[int, Command] = {}
        self.acknowledged = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._handle_connection, "127.0.0.1", 0)
        self._options["port"] = self._server.sockets[0].getsockname()[1]
        with self._errors.open("wb") as errors:
            self._fork_server = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-W", "error", PROGRAM),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.kill()
        if self._ended is not None:
            await self._ended
        assert self._fork_server.stdin is not None
        self._fork_server.stdin.close()
        await self._fork_server.wait()
        self._server.close()
        await asyncio.gather(*self._connections)
        await self._server.wait_closed()

    @property
    def errors(self) -> str:
        """The end of the program's standard error."""
        return self._errors.read_text()[-_MAX_CHARACTERS:]

    @property
    def has_ended(self) -> bool:
        """Whether the last life has ended."""
        return self._pid is None

    # -- Lives

    async def start(self, kill: dict[str, object] | None = None) -> None:
        """Start a life; with ``kill``, the program kills itself at that moment."""
        self.life += 1
        self.ready.clear()
        assert self._fork_server.stdin is not None
        options = {**self._options, "life": self.life, "kill": kill}
        self._fork_server.stdin.write(json.dumps(options).encode() + b"\n")
        self._pid = int(await self._line())
        self._ended = asyncio.create_task(self._wait())

    def kill(self) -> None:
        """End the life with SIGKILL."""
        if self._pid is not None:
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(self._pid, signal.SIGKILL)

    async def wait_until_ready(self) -> bool:
        """Wait until the program is ready; return ``False`` if it ends before."""
        assert self._ended is not None
        ready = asyncio.ensure_future(self.ready.wait())
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await asyncio.wait([self._ended, ready], return_when="FIRST_COMPLETED")
        ready.cancel()
        return self.ready.is_set()

    async def wait(self, seconds: float) -> None:
        """Wait until the life ends, at most some seconds."""
        assert self._ended is not None
        await asyncio.wait([self._ended], timeout=seconds)

    async def wait_for_end(self) -> int:
        """Wait for the end of the life; return its exit status."""
        assert self._ended is not None
        async with asyncio.timeout(TIMEOUT_SECONDS):
            status = await self._ended
            # All messages of this life are read before the next life sends any.
            await asyncio.gather(*self._connections)
        return status

    async def stop(self) -> int:
        """Stop the program by a shutdown; return its exit status."""
        assert self._writer is not None
        self._writer.write_eof()
        return await self.wait_for_end()

    async def _wait(self) -> int:
        status = int(await self._line())
        self._pid = None
        return status

    async def _line(self) -> bytes:
        assert self._fork_server.stdout is not None
        line = await self._fork_server.stdout.readline()
        assert line, f"the program has ended:\n{self.errors}"
        return line

    # -- Commands

    def send(self, action: str, *ids: str, deadline: float | None = None) -> int:
        """Send a command, to this life and to the next ones until it is done; return its number."""
        command = Command(next(self._numbers), action, ids, deadline)
        self.outstanding[command.number] = command
        self._send([command])
        return command.number

    async def execute(self, action: str, *ids: str) -> None:
        """Send a command, and wait until it is done or the life ends."""
        number = self.send(action, *ids)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while number in self.outstanding and not self.has_ended:
                await asyncio.sleep(0.005)

    def _retry(self, number: int, life: int) -> None:
        # A new life has got all outstanding commands when it became ready.
        if life == self.life:
            self._send([self.outstanding[number]])

    def _send(self, commands: Sequence[Command]) -> None:
        if self._writer is not None and self.ready.is_set():
            lines = [json.dumps(asdict(command)).encode() + b"\n" for command in commands]
            # Not writelines: in CPython 3.12.1, it fails when the peer has closed the connection.
            self._writer.write(b"".join(lines))

    async def _handle_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._read(reader, writer)
        except ConnectionResetError:
            pass  # the program was killed with unread data
        finally:
            self._connections.discard(task)
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The connection of an earlier life can be accepted late, and is ignored.
        if json.loads(await reader.readline() or b"{}").get("life") != self.life:
            return
        self._writer = writer
        try:
            while (line := await reader.readline()).endswith(b"\n"):
                self._handle(json.loads(line))
        finally:
            self._writer = None
            self.ready.clear()

    def _handle(self, message: dict[str, Any]) -> None:
        match message:
            case {"ready": _}:
                self.ready.set()
                self._send([*self.outstanding.values()])
            case {"number": number, "error": error}:
                self._on_error(self.outstanding[number], error)
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._retry, number, self.life)
            case {"number": number, "result": result}:
                self.acknowledged += 1
                self._on_done(self.outstanding.pop(number), result)
