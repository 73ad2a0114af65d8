"""``txtrack serve`` as a separate program."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SECONDS = 100.0


@asynccontextmanager
async def serving(
    *flags: str, open_files: int | None = None, **variables: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, object]]]:
    """Run it with JSON logs, until its line that says where it is.

    Args:
        flags: More of its command line.
        open_files: Limit of its open files; as many as this program has unless given.
        variables: More of its environment.
    """
    limited = ("sh", "-c", f'ulimit -n {open_files} && exec "$@"', "sh") if open_files else ()
    process = await asyncio.create_subprocess_exec(
        *limited,
        *(sys.executable, "-m", "transaction_tracker", "serve", "--port", "0"),
        *("--log-format", "json", *flags),
        env=os.environ | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
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
