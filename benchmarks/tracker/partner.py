"""Programs beside the tracker, which say what there is to say in lines of JSON."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Partner:
    """A program that runs.

    Args:
        process: It, with pipes to and from it.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hear(self) -> Any:
        """Return the next value that the program sends.

        Raises:
            RuntimeError: It has ended.
        """
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"program {self._process.pid} beside the tracker has ended")
        return json.loads(line)

    def tell(self, what: str) -> None:
        """Send a line to the program."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{what}\n".encode())


def say(thing: dict[str, Any]) -> None:
    """Send a value to the parent program."""
    print(json.dumps(thing), flush=True)


@asynccontextmanager
async def running(module: str, *args: str) -> AsyncIterator[Partner]:
    """Run a module as a program, and kill it in the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *args),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Partner(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
