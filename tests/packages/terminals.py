"""Terminals in which a test types the commands of a page."""

import asyncio
import os
import random
import re
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

# A line that no command prints.
_DONE = "-- the commands have ended --"
# Below the ports that systems give to clients and to servers that ask for any.
_RESERVED = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """Return ports on 127.0.0.1 that are free, and that other programs are unlikely to take."""
    found: list[int] = []
    for port in random.sample(_RESERVED, len(_RESERVED)):
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"needs {count} free ports, found {len(found)}")


async def until_listening(port: int) -> None:
    """Wait until a program accepts connections on a port of 127.0.0.1."""
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return


class Terminal:
    """A shell that reads commands, and what it has printed so far."""

    def __init__(self, shell: asyncio.subprocess.Process) -> None:
        self._shell = shell
        self.printed: list[str] = []

    def type(self, commands: str) -> None:
        """Type commands, and do not wait for their end."""
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{commands}\n".encode())

    async def run(self, commands: str) -> None:
        """Type commands, and wait for their end; fail if one of them fails."""
        self.type(f"{commands}\necho '{_DONE}'")
        await self.until(re.escape(_DONE))

    async def until(self, pattern: str) -> None:
        """Read what is printed until a line matches a pattern; fail if the shell ends."""
        assert self._shell.stdout is not None
        while line := await self._shell.stdout.readline():
            self.printed.append(line.decode().rstrip())
            if re.search(pattern, self.printed[-1]):
                return
        raise AssertionError("a command has failed:\n" + "\n".join(self.printed))

    async def close(self) -> None:
        """End the shell and all that it runs."""
        with suppress(ProcessLookupError):
            os.killpg(self._shell.pid, signal.SIGKILL)
        rest, _ = await self._shell.communicate()
        self.printed += rest.decode().splitlines()


@asynccontextmanager
async def terminals(
    count: int, folder: Path, variables: Mapping[str, str]
) -> AsyncIterator[list[Terminal]]:
    """Open terminals in a folder while the block runs.

    Args:
        count: How many.
        folder: The working directory of the shells.
        variables: The environment of the shells.

    Raises:
        AssertionError: The block has timed out; the message has what the terminals printed.
    """
    opened: list[Terminal] = []
    try:
        for _ in range(count):
            shell = await asyncio.create_subprocess_exec(
                *("bash", "--noprofile", "--norc", "-e"),
                cwd=folder,
                env=variables,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            opened.append(Terminal(shell))
        yield opened
    except asyncio.CancelledError:
        for terminal in opened:
            await terminal.close()
        printed = [f"== {n}\n" + "\n".join(one.printed) for n, one in enumerate(opened, 1)]
        raise AssertionError("timed out\n" + "\n".join(printed)) from None
    finally:
        for terminal in opened:
            await terminal.close()
