"""Python and Elixir supervise each other's processes."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent
HOST = "127.0.0.1"
START_SECONDS = 100.0

pytestmark = [pytest.mark.elixir, pytest.mark.slow]


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        reason = f"no {name}: install Debian's packages erlang and elixir"
        (pytest.fail if os.environ.get("BEAMISH_REQUIRE_TOOLS") == "1" else pytest.skip)(reason)
    return str(found)


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """The environment of both programs, with an epmd of their own."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        port = str(listening.getsockname()[1])
    with subprocess.Popen([tool("epmd"), "-address", HOST, "-port", port]) as epmd:
        try:
            wait_for(int(port))
            yield {**os.environ, "ERL_EPMD_PORT": port, "ERL_EPMD_ADDRESS": HOST, "COOKIE": "c"}
        finally:
            epmd.kill()


def wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with socket.socket() as trying:
            if trying.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("epmd does not start")


@contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as program:
        try:
            yield program
        finally:
            program.kill()


def lines_until(program: subprocess.Popen[str], last: str) -> list[str]:
    assert program.stdout is not None
    lines = []
    for line in program.stdout:
        lines.append(line.strip())
        if lines[-1] == last:
            return lines
    pytest.fail(f"ended after {lines}")


def test_each_side_supervises_a_process_of_the_other(environment: dict[str, str]) -> None:
    elixir = [tool("elixir"), "--name", "ex@127.0.0.1", "--cookie", "c"]
    with started([*elixir, str(EXAMPLES / "beside_elixir.exs")], environment) as theirs:
        assert lines_until(theirs, "started") == ["started"]  # known to epmd from now on
        python = [sys.executable, str(EXAMPLES / "beside_elixir.py")]
        with started(python, environment) as ours:
            assert lines_until(ours, "ready") == [
                "(b'one', 1)",
                "crashed: crashed",
                "(b'two', 1)",
                "ready",
            ]
            printed = lines_until(theirs, "done")  # with the report of the crash between them
            expected = ["{4, 1}", ":killed", "{5, 1}", "done"]
            assert [line for line in printed if line in expected] == expected
