"""What a call between an Elixir node and a Python node takes; run ``python -m benchmarks.erlang``.

Both nodes are on this machine, with an epmd of their own. One process calls and waits for the reply
before it calls again; beside it, the same call between two Elixir nodes. Printed are the medians
of some passes, with the processor time of the Python node.
"""

import argparse
import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from beamish import GenServer, Pid, call, process, run
from beamish.erlang import Atom, Cookie, ErlangNode

HOST = "127.0.0.1"
FIRST, SECOND, PYTHON = f"one@{HOST}", f"two@{HOST}", f"py@{HOST}"
CALLS = 3_000
PASSES = 7
START_SECONDS = 60.0

# A GenServer with a counter; its node runs until its standard input is closed.
NODE = """
defmodule Counter do
  use GenServer
  def init(count), do: {:ok, count}
  def handle_call({:add, by}, _from, count), do: {:reply, count + by, count + by}

  def seconds(dest, calls) do
    {microseconds, _} = :timer.tc(fn -> for _ <- 1..calls, do: GenServer.call(dest, {:add, 1}) end)
    microseconds / calls / 1.0e6
  end
end
{:ok, _} = GenServer.start(Counter, 0, name: :counter)
IO.puts("ready")
IO.read(:eof)
"""


class Counter(GenServer):
    """The same in Python."""

    def __init__(self) -> None:
        self.count = 0

    @call
    def add(self, by: int) -> int:
        """Return the new count."""
        self.count += by
        return self.count


@contextmanager
def epmd() -> Iterator[int]:
    """Run an epmd on a free port; yield the port."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        port: int = listening.getsockname()[1]
    with subprocess.Popen(["epmd", "-address", HOST, "-port", str(port)]) as program:
        try:
            deadline = time.monotonic() + START_SECONDS
            while time.monotonic() < deadline:
                with suppress(OSError), socket.create_connection((HOST, port), 1.0):
                    break
                time.sleep(0.02)
            yield port
        finally:
            program.kill()


@contextmanager
def elixir(name: str, port: int, cookie: str) -> Iterator[None]:
    """Run an Elixir node."""
    env = os.environ | {"ERL_EPMD_PORT": str(port), "ERL_EPMD_ADDRESS": HOST}
    command = ["elixir", "--name", name, "--cookie", cookie, "-e", NODE]
    with subprocess.Popen(
        command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            assert program.stdout is not None
            if program.stdout.readline() != "ready\n":
                raise RuntimeError(f"the Elixir node {name} did not start")
            yield
        finally:
            program.kill()


@asynccontextmanager
async def python_node(port: int, cookie: str) -> AsyncIterator[Pid]:
    """Run this program as a node that is connected with both others."""
    await Counter.start(name="counter")
    options: dict[str, Any] = {"cookie": Cookie(cookie), "epmd": (HOST, port)}
    node = await ErlangNode.start(PYTHON, exposed=["counter"], **options)
    try:
        for peer in (FIRST, SECOND):
            await ErlangNode.connect(node, peer)
        yield node
    finally:
        await GenServer.stop(node)


async def to_elixir(node: Pid, calls: int) -> float:
    """Return the seconds of a call from Python to Elixir."""
    dest, request = ErlangNode.via(node, FIRST, "counter"), (Atom("add"), 1)
    began = time.perf_counter()
    for _ in range(calls):
        await GenServer.call(dest, request)
    return (time.perf_counter() - began) / calls


async def from_elixir(node: Pid, to: str, calls: int) -> float:
    """Return the seconds of a call from Elixir to another node."""
    arguments = [(Atom("counter"), Atom(to)), calls]
    found: float = await ErlangNode.rpc(node, FIRST, "Elixir.Counter", "seconds", arguments, 600.0)
    return found


async def measure(node: Pid, calls: int, passes: int) -> dict[str, tuple[float, float]]:
    """Return the median seconds of a call, and those of the Python node's processor."""
    kinds = {
        "Python to Elixir": lambda: to_elixir(node, calls),
        "Elixir to Python": lambda: from_elixir(node, PYTHON, calls),
        "Elixir to Elixir": lambda: from_elixir(node, SECOND, calls),
    }
    samples: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for number in range(passes + 1):
        for kind, one in kinds.items():
            used = time.process_time()
            seconds = await one()
            if number:  # the first pass warms up
                samples[kind].append((seconds, (time.process_time() - used) / calls))
    return {
        kind: (
            statistics.median(seconds for seconds, _ in found),
            statistics.median(used for _, used in found),
        )
        for kind, found in samples.items()
    }


async def main(calls: int, passes: int) -> None:
    """Measure, and print a table."""
    process.attach()
    cookie = secrets.token_hex(16)
    with epmd() as port, elixir(FIRST, port, cookie), elixir(SECOND, port, cookie):
        async with python_node(port, cookie) as node:
            found = await measure(node, calls, passes)
    print("| call | time | processor time of Python |\n|---|---:|---:|")
    for kind, (seconds, used) in found.items():
        shown = "" if kind == "Elixir to Elixir" else f"{used * 1e6:.0f} µs"
        print(f"| {kind} | {seconds * 1e6:.0f} µs | {shown} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS, help="calls of one pass")
    parser.add_argument("--passes", type=int, default=PASSES, help="passes after the first")
    options = parser.parse_args()
    if shutil.which("elixir") is None or shutil.which("epmd") is None:
        sys.exit("Elixir is missing: install Debian's packages erlang and elixir")
    run(main(options.calls, options.passes))
