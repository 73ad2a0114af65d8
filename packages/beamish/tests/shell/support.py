"""A shell behind a pseudo-terminal, and what is typed into it."""

import fcntl
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import pytest

DEADLINE_SECONDS = 30.0

PROMPT = ">>> "

CTRL_C, CTRL_D, TAB = "\x03", "\x04", "\t"

SHOP = """
import asyncio
import os

from beamish import *

LOCAL = "a name of the module"


class Worker(GenServer, restart="transient"):
    def __init__(self, label="worker"):
        self.label = label
        self.ticks = 0

    @call
    def hello(self):
        return f"hello from {self.label}"

    @call
    async def slow(self):
        await asyncio.Event().wait()

    @call
    def dig(self, path):
        print("digging", flush=True)
        while not os.path.exists(path):
            pass
        return "dug"

    def handle_cast(self, request):
        raise ValueError(request)

    def terminate(self, reason):
        print(self.label, "stops for", reason, flush=True)


class Shop(Application):
    name = "Shop.Supervisor"

    def children(self):
        return [
            Registry.child_spec(keys="unique", name="Shop.Registry"),
            Worker.child_spec("first", name="first"),
            Worker.child_spec("second", name="second"),
            DynamicSupervisor.child_spec(name="Shop.Workers"),
        ]

    def stop(self):
        print("stopped", flush=True)


class Fragile(Shop):
    max_restarts = 0


class NoDatabase(GenServer):
    def init(self):
        raise ConnectionError("no database")


class Broken(Application):
    def children(self):
        return [NoDatabase]


class Twins(Application):
    def children(self):
        return [Worker, Worker]


class Faulty(Application):
    def children(self):
        return [self.config["url"]]


class Clumsy(Shop):
    def stop(self):
        raise RuntimeError("dropped")


class Demanding(Application):
    def __init__(self, url):
        super().__init__(url=url)


class Refusing(Application):
    def __init__(self):
        raise KeyError("SHOP_URL")


def spin():
    print("spinning", flush=True)
    while True:
        pass


async def nap():
    print("napping", flush=True)
    await asyncio.Event().wait()


def make():
    return Shop()


def make_nothing():
    pass


instance = Shop()
"""


def beamish(folder: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``python -m beamish`` to its end."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "beamish", *arguments],
        cwd=folder,
        env=environment(folder),
        input=text,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


Command: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
"""Runs the command line with these arguments, in this very process."""


def environment(folder: Path) -> dict[str, str]:
    """What the program sees: a home of its own, and a terminal without colours."""
    return {
        **os.environ,
        "HOME": str(folder),
        "TERM": "dumb",
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "INPUTRC": "/dev/null",
        "PYTHONUNBUFFERED": "1",
    }


class Typist:
    """Types into a program that runs in a pseudo-terminal, and reads what it shows."""

    def __init__(self, program: subprocess.Popen[bytes], terminal: int) -> None:
        self.program = program
        self.terminal = terminal
        self._unread = ""
        self.seen = ""

    def until(self, text: str) -> str:
        """Read up to ``text``, and return what came before it."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while text not in (shown := plain(self._unread)):
            if not self._read(deadline):
                pytest.fail(f"{text!r} did not come; the terminal shows:\n{self.seen}")
        before, _, self._unread = shown.partition(text)
        return before

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self.terminal], [], [], deadline - time.monotonic())
        if not ready:
            return False
        try:
            found = os.read(self.terminal, 65536).decode(errors="replace").replace("\r\n", "\n")
        except OSError:  # how Linux tells that the program has closed its end
            return False
        self._unread += found
        self.seen += found
        return bool(found)

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self.terminal, text.encode())

    def run(self, line: str) -> str:
        """Type an input at the prompt, and return what is shown until the next prompt."""
        self.type(f"{line}\r")
        self.until("\n")  # the echo
        # Typed before the prompt has switched off the terminal's own echo, it is shown twice.
        return self.until(PROMPT).removeprefix(f"{line}\n")

    def rest(self) -> tuple[str, int]:
        """Read until the program ends; return that, and the exit status."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self._read(deadline):
            pass
        status = self.program.wait(DEADLINE_SECONDS)
        left, self._unread = plain(self._unread), ""
        return left, status


@contextmanager
def typing_into(folder: Path, *arguments: str, term: str = "dumb") -> Iterator[Typist]:
    """Run ``python -m beamish`` in a pseudo-terminal."""
    terminal, end = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "beamish", *arguments],
        cwd=folder,
        env={**environment(folder), "TERM": term},
        stdin=end,
        stdout=end,
        stderr=end,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # so that Ctrl-C is a signal
    ) as program:
        os.close(end)
        try:
            yield Typist(program, terminal)
        finally:
            with suppress(ProcessLookupError):
                os.kill(program.pid, signal.SIGKILL)
            os.close(terminal)


@contextmanager
def shell(folder: Path, target: str = "shop:Shop") -> Iterator[Typist]:
    """Run the shell, up to its first prompt."""
    with typing_into(folder, "shell", target) as typist:
        typist.until(PROMPT)
        yield typist


def plain(text: str) -> str:
    """Leave out what only a terminal understands."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\r\x07]", "", text)
