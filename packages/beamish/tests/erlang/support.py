"""What the tests of `beamish.erlang` share: an epmd of their own, and a real BEAM."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from beamish import Pid
from beamish.erlang import Cookie, ErlangNode

HOST = "127.0.0.1"
SECRET = "a-cookie-for-tests"
COOKIE = Cookie(SECRET)
ERLANG_NODE = "ex@127.0.0.1"
START_SECONDS = 100.0
LIMIT_SECONDS = 50.0


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it if all tools are required, as in CI."""
    if os.environ.get("BEAMISH_REQUIRE_TOOLS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def tool(name: str) -> str:
    """Return the path of a program of Erlang or Elixir."""
    found = shutil.which(name)
    if found is None:
        missing(f"no {name}: install Debian's packages erlang and elixir")
    return found


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def running_epmd() -> Iterator[int]:
    """Run an epmd of the tests' own, and return its port."""
    port = free_port()
    command = [tool("epmd"), "-address", HOST, "-port", str(port)]
    with subprocess.Popen(command) as epmd:
        try:
            _wait_for_port(port)
            yield port
        finally:
            epmd.kill()


def _wait_for_port(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection((HOST, port), 1.0).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)
        else:
            return


def environment(epmd_port: int) -> dict[str, str]:
    """Return the environment of a BEAM that uses the tests' epmd."""
    return {**os.environ, "ERL_EPMD_PORT": str(epmd_port), "ERL_EPMD_ADDRESS": HOST}


async def connect(node: Pid, peer: str) -> None:
    """Connect two nodes, however slow the machine is."""
    await ErlangNode.connect.timeout(LIMIT_SECONDS)(node, peer)
