"""``txtrack serve`` as a separate program."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .forked import Program, start

SECONDS = 100.0


@asynccontextmanager
async def serving(
    *flags: str, open_files: int | None = None, fresh: bool = False, **variables: str
) -> AsyncIterator[tuple[Program, dict[str, object]]]:
    """Run it with JSON logs, until its line that says where it is.

    Args:
        flags: More of its command line.
        open_files: Limit of its open files; as many as this program has unless given.
        fresh: Whether a new interpreter runs it.
        variables: More of its environment.
    """
    process = await start(
        *("serve", "--port", "0", "--log-format", "json", *flags),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | variables,
        open_files=open_files,
        fresh=fresh,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(SECONDS):
            async for line in process.stderr:
                fact = json.loads(line)
                if fact["event"] == "the service is running":
                    break
        yield process, fact
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
