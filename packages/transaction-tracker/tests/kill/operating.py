"""Who runs the program: starts it, kills it, and repeats every command until it was done."""

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

PATIENCE = 50.0
AGAIN_SECONDS = 0.1
_MOST_CHARACTERS = 2_000
PROGRAM = Path(__file__).with_name("victim.py")


@dataclass(frozen=True, slots=True)
class Command:
    """Something that the program is to do.

    Attributes:
        number: Its name.
        do: What.
        ids: To whom.
        deadline: Unix seconds.
    """

    number: int
    do: str
    ids: tuple[str, ...]
    deadline: float | None = None


class Operator:
    """One program that is started again and again, one life after the other.

    Args:
        folder: Where to write what it prints as errors.
        order: What all of its lives are told.
        on_done: Called for each command that the program says it has done, with its answer.
        on_error: Called for each that failed; it is told again soon.

    Attributes:
        life: The number of the one that goes on, or was the last; from 1 up.
        ready: Set while it says that it runs.
        outstanding: What it was told, and has not said that it did.
        acknowledged: Counts what it has said so.
    """

    def __init__(
        self,
        folder: Path,
        order: dict[str, Any],
        on_done: Callable[[Command, Any], None],
        on_error: Callable[[Command, str], None],
    ) -> None:
        self._errors = folder / "errors.txt"
        self._order = order
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
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._order["port"] = self._server.sockets[0].getsockname()[1]
        with self._errors.open("wb") as errors:
            self._zygote = await asyncio.create_subprocess_exec(
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
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        await self._zygote.wait()
        self._server.close()
        await asyncio.gather(*self._connections)
        await self._server.wait_closed()

    @property
    def errors(self) -> str:
        """The last that the program has printed."""
        return self._errors.read_text()[-_MOST_CHARACTERS:]

    @property
    def over(self) -> bool:
        """Whether no life goes on."""
        return self._pid is None

    # -- Life and death

    async def begin(self, die: dict[str, object] | None = None) -> None:
        """Start a life, which may be told when to die."""
        self.life += 1
        self.ready.clear()
        assert self._zygote.stdin is not None
        order = {**self._order, "life": self.life, "die": die}
        self._zygote.stdin.write(json.dumps(order).encode() + b"\n")
        self._pid = int(await self._line())
        self._ended = asyncio.create_task(self._wait())

    def kill(self) -> None:
        """End the life, as a power cut does."""
        if self._pid is not None:
            with suppress(ProcessLookupError):  # it has just ended, and nobody has said so yet
                os.kill(self._pid, signal.SIGKILL)

    async def runs(self) -> bool:
        """Wait until the program says that it runs; ``False`` when it ends before."""
        assert self._ended is not None
        ready = asyncio.ensure_future(self.ready.wait())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([self._ended, ready], return_when="FIRST_COMPLETED")
        ready.cancel()
        return self.ready.is_set()

    async def lives(self, seconds: float) -> None:
        """Wait for so long, or until the life is over."""
        assert self._ended is not None
        await asyncio.wait([self._ended], timeout=seconds)

    async def end(self) -> int:
        """Wait for the end of the life, and give its exit status."""
        assert self._ended is not None
        async with asyncio.timeout(PATIENCE):
            status = await self._ended
            # What it has said is heard to the end, before the next one says anything.
            await asyncio.gather(*self._connections)
        return status

    async def stop(self) -> int:
        """Let the life end in order, and give its exit status."""
        assert self._writer is not None
        self._writer.write_eof()
        return await self.end()

    async def _wait(self) -> int:
        status = int(await self._line())
        self._pid = None
        return status

    async def _line(self) -> bytes:
        assert self._zygote.stdout is not None
        line = await self._zygote.stdout.readline()
        assert line, f"the program is gone:\n{self.errors}"
        return line

    # -- Commands

    def tell(self, do: str, *ids: str, deadline: float | None = None) -> int:
        """Have something done, in this life or in the next, and give its number."""
        command = Command(next(self._numbers), do, ids, deadline)
        self.outstanding[command.number] = command
        self._send([command])
        return command.number

    async def does(self, do: str, *ids: str) -> None:
        """Have something done in this life."""
        number = self.tell(do, *ids)
        async with asyncio.timeout(PATIENCE):
            while number in self.outstanding and not self.over:
                await asyncio.sleep(0.005)

    def _again(self, number: int, life: int) -> None:
        # A new life was told of it as it began.
        if life == self.life:
            self._send([self.outstanding[number]])

    def _send(self, commands: Sequence[Command]) -> None:
        if self._writer is not None and self.ready.is_set():
            lines = [json.dumps(asdict(command)).encode() + b"\n" for command in commands]
            # Not writelines: CPython 3.12.1 lets that fail when the other side has gone.
            self._writer.write(b"".join(lines))

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._listen(reader, writer)
        except ConnectionResetError:
            pass  # it was killed with something unread
        finally:
            self._connections.discard(task)
            writer.close()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A life that is over already may be heard late: only the present one is talked to.
        if json.loads(await reader.readline() or b"{}").get("life") != self.life:
            return
        self._writer = writer
        try:
            while (line := await reader.readline()).endswith(b"\n"):
                self._hear(json.loads(line))
        finally:
            self._writer = None
            self.ready.clear()

    def _hear(self, message: dict[str, Any]) -> None:
        match message:
            case {"ready": _}:
                self.ready.set()
                self._send([*self.outstanding.values()])
            case {"number": number, "error": error}:
                self._on_error(self.outstanding[number], error)
                asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._again, number, self.life)
            case {"number": number, "answer": answer}:
                self.acknowledged += 1
                self._on_done(self.outstanding.pop(number), answer)
