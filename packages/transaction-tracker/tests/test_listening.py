"""The server of the tests leaves no connection behind."""

import asyncio
import gc
import socket
from contextlib import suppress

import pytest

from .listening import listening


@pytest.mark.parametrize("rounds", range(5))
async def test_no_connection_is_lost_at_the_end(rounds: int) -> None:
    begun = asyncio.Event()
    ended: list[str] = []

    async def hang(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    async with listening(hang) as port:
        client = socket.create_connection(("127.0.0.1", port))
        for _ in range(rounds):
            await asyncio.sleep(0)

    assert len(ended) == begun.is_set()
    with client, suppress(ConnectionResetError):
        client.settimeout(50.0)
        assert client.recv(1) == b""
    gc.collect()  # a lost socket fails the test by its warning


async def test_error_of_a_handler_is_raised() -> None:
    async def fail(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        raise OSError("broken handler")

    with pytest.raises(OSError, match="broken handler"):
        async with listening(fail) as port:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(0)
            writer.close()
