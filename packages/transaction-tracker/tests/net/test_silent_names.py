"""A name server that does not answer does not delay the exit of a program."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, socket, threading

def silent(*_args, **_options):
    threading.Event().wait()

socket.getaddrinfo = silent

async def main():
    try:
        await ask()
    except Exception as error:
        print(type(error).__name__)

{ask}
asyncio.run(main())
"""
PROVIDER = """
from transaction_tracker.sources.ethereum.http import Http
from transaction_tracker.sources.ethereum.url import SecretUrl
async def ask():
    http = Http(SecretUrl("http://node.example"), 1_000)
    try:
        await http.post({}, 0.1)
    finally:
        await http.close()
"""
SOCKET = """
from transaction_tracker.providers.websocket import connect
from transaction_tracker.sources.ethereum.url import WEBSOCKET, SecretUrl
async def ask():
    async with connect(SecretUrl("ws://node.example", WEBSOCKET), 0.1, 0.1):
        pass
"""
ENDPOINT = """
from transaction_tracker.net import AllowList, CheckedClient
async def ask():
    client = CheckedClient(AllowList())
    try:
        await client.request("GET", "https://a.example", headers={}, deadline=0.1, max_bytes=9)
    finally:
        await client.close()
"""


@pytest.mark.parametrize(
    ("ask", "error"),
    [(PROVIDER, "LateError"), (SOCKET, "TransportError"), (ENDPOINT, "NoAnswerError")],
)
def test_unresponsive_name_server_does_not_delay_the_exit(ask: str, error: str) -> None:
    program = [sys.executable, "-c", PROGRAM.replace("{ask}", ask)]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True)
    try:
        out, _ = process.communicate(timeout=100.0)
    except subprocess.TimeoutExpired:
        process.kill()
        out = f"{process.communicate()[0]}and did not end"

    assert out == f"{error}\n"
