"""Programs that run beside a test, and what they print."""

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

SHOP = """
import asyncio
import sys
import beamish
from beamish import Application, GenServer, StartError, Stop, process

def say(*words):
    print(*words, flush=True)

class Worker(GenServer):
    def __init__(self, label):
        self.label = label

    def init(self):
        say(self.label, "starts")

    def handle_info(self, message):
        raise ValueError(message)

    def terminate(self, reason):
        say(self.label, "stops", reason)

class Ready(GenServer):
    def init(self):
        say("ready")

class Slow(Worker, shutdown=0.05):
    async def terminate(self, reason):
        say(self.label, "lingers")
        await asyncio.Event().wait()

class Endless(Worker, shutdown=None):
    async def terminate(self, reason):
        say(self.label, "lingers")
        await asyncio.Event().wait()

class Shop(Application):
    def children(self):
        first, second = (Worker.child_spec(label, name=label) for label in ("first", "second"))
        return [first, second, *self.more(), Ready]

    def more(self):
        return []

    def prep_stop(self):
        say("prep_stop")

    def stop(self):
        say("stop")
"""

STARTED = ["first starts", "second starts", "ready"]
STOPPED = ["prep_stop", "second stops shutdown", "first stops shutdown", "stop"]


@contextmanager
def program(text: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program that runs beside the test and ends with it."""
    source = SHOP + textwrap.dedent(text)
    with subprocess.Popen(
        [sys.executable, "-c", source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def until(running: subprocess.Popen[str], line: str) -> list[str]:
    """What the program says up to this line."""
    said: list[str] = []
    while not said or said[-1] != line:
        words = running.stdout.readline()
        if not words:
            pytest.fail(f"ended before {line!r}: {said}\n{running.stderr.read()}")
        said.append(words.rstrip("\n"))
    return said


def rest(running: subprocess.Popen[str]) -> list[str]:
    """What the program says from here to its end."""
    out, _ = running.communicate(timeout=50)
    return out.splitlines()
