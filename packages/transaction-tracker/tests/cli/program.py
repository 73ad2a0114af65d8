"""``txtrack serve`` as a program of its own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

SECONDS = 100.0


@asynccontextmanager
async def serving(
    *flags: str, **variables: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, object]]]:
    """Run it with JSON logs, until its line that says where it is."""
    process = await asyncio.create_subprocess_exec(
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
                if fact["event"] == "the service runs":
                    break
        yield process, fact
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
