"""Programs that run ``txtrack`` and start in a few milliseconds.

A new interpreter imports the service for more than a second, and the tests start a hundred. So each
test run starts one process that imports the service, and forks a child for each program. The child
is a process like any other, with its own pid, arguments, environment, folder, pipes and exit
status; it ends as an interpreter does. The forking process has no thread and no event loop.

Imports are hidden by this: a module that forgets one can work in a child. So each kind of command
is also started in a new interpreter, by ``start(..., fresh=True)``.
"""

import asyncio
import atexit
import gc
import importlib
import json
import os
import pkgutil
import resource
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

MODULE = "transaction_tracker"
# macOS has no such sockets.
CAN_FORK = sys.platform == "linux"
_MAX_REQUEST_BYTES = 1 << 20


class ForkedProgram:
    """A forked program, with the attributes and methods of ``asyncio.subprocess.Process``.

    Args:
        pid: Process id.
        pipes: Standard output and standard error, as far as they are pipes.
        status: Yields the exit status as a line.
    """

    def __init__(
        self, pid: int, pipes: Mapping[str, asyncio.StreamReader], status: asyncio.StreamReader
    ) -> None:
        self.pid = pid
        self.stdout = pipes.get("stdout")
        self.stderr = pipes.get("stderr")
        self.returncode: int | None = None
        self._ended = asyncio.create_task(self._read(status))

    async def wait(self) -> int:
        """Wait for the end of the program, and return the exit status."""
        return await asyncio.shield(self._ended)

    async def communicate(self) -> tuple[bytes, bytes]:
        """Return all output, after the end of the program."""
        pipes = (self.stdout, self.stderr)
        out, err = await asyncio.gather(*(_rest(pipe) for pipe in pipes))
        await self.wait()
        return out, err

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    async def _read(self, status: asyncio.StreamReader) -> int:
        self.returncode = int(await status.readline())
        # The pipe is closed at its end.
        await status.read()
        return self.returncode


Program: TypeAlias = asyncio.subprocess.Process | ForkedProgram


async def start(
    *arguments: str,
    stdout: int | None = None,
    stderr: int | None = None,
    env: Mapping[str, str] | None = None,
    open_files: int | None = None,
    fresh: bool = False,
) -> Program:
    """Start ``txtrack``.

    Args:
        arguments: Command line.
        stdout: ``PIPE`` or ``DEVNULL``. Default: that of this process.
        stderr: The same, or ``STDOUT``.
        env: Environment. Default: that of this process.
        open_files: Limit of its open files. Default: that of this process.
        fresh: Whether a new interpreter runs it.
    """
    environment = dict(os.environ if env is None else env)
    if fresh or not CAN_FORK or _interpreter(environment) != _INTERPRETER:
        limited = ("sh", "-c", f'ulimit -n {open_files} && exec "$@"', "sh") if open_files else ()
        return await asyncio.create_subprocess_exec(
            *(*limited, sys.executable, "-m", MODULE, *arguments),
            stdout=stdout,
            stderr=stderr,
            env=environment,
        )
    request = {
        "arguments": arguments,
        "folder": str(Path.cwd()),
        "environment": environment,
        "open_files": open_files,
    }
    return await _fork(request, stdout, stderr)


def _interpreter(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that an interpreter reads when it starts."""
    names = ("PYTHON", "LANG", "LC_")
    return {name: value for name, value in environment.items() if name.startswith(names)}


_INTERPRETER = _interpreter(os.environ)  # those of the forking process


async def _fork(request: dict[str, Any], stdout: int | None, stderr: int | None) -> ForkedProgram:
    readers: dict[str, int] = {}
    given: list[int] = []

    def pipe(name: str) -> int:
        readers[name], end = os.pipe()
        given.append(end)
        return end

    def opened(name: str, kind: int | None, default: int) -> int:
        if kind == subprocess.PIPE:
            return pipe(name)
        if kind == subprocess.DEVNULL:
            given.append(os.open(os.devnull, os.O_RDWR))
            return given[-1]
        return default

    out = opened("stdout", stdout, 1)
    err = out if stderr == subprocess.STDOUT else opened("stderr", stderr, 2)
    try:
        descriptors = [0, out, err, pipe("status")]
        socket.send_fds(_forking_process(), [json.dumps(request).encode()], descriptors)
    finally:
        for descriptor in given:
            os.close(descriptor)
    pipes = {name: await _reader(descriptor) for name, descriptor in readers.items()}
    status = pipes.pop("status")
    return ForkedProgram(int(await status.readline()), pipes, status)


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader


async def _rest(pipe: asyncio.StreamReader | None) -> bytes:
    return b"" if pipe is None else await pipe.read()


@cache
def _forking_process() -> socket.socket:
    """Start the forking process, once; it ends when the socket is closed."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            [sys.executable, __file__, str(its.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )

    @atexit.register
    def _() -> None:
        ours.close()
        process.wait()

    return ours


# -- The forking process


def main(control: socket.socket) -> None:
    """Fork a program for each request, until the end of the socket; run it in the child."""
    _import_everything()
    # A child would have a copy of its locks, but not the thread.
    assert threading.active_count() == 1, threading.enumerate()
    gc.freeze()
    statuses: dict[int, int] = {}

    def report(*_: object) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                _write(statuses[pid], os.waitstatus_to_exitcode(status))
                os.close(statuses.pop(pid))

    signal.signal(signal.SIGCHLD, report)
    while True:
        text, descriptors, *_ = socket.recv_fds(control, _MAX_REQUEST_BYTES, 4)
        if not text:
            return None
        *standard, status = descriptors
        # Otherwise, a program that ends at once could be reported before its pid is known.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        pid = os.fork()
        if pid == 0:
            control.detach()
            return _become(json.loads(text), standard)
        statuses[pid] = status
        _write(status, pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        for descriptor in standard:
            os.close(descriptor)


def _import_everything() -> None:
    for name in (f"{MODULE}.cli", "txtrack_devnode.commands"):
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)


def _write(status: int, number: int) -> None:
    with suppress(BrokenPipeError):  # the test has ended
        os.write(status, f"{number}\n".encode())


def _become(request: dict[str, Any], standard: list[int]) -> None:
    """Become the program of a request, and run it as ``python -m`` does."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    os.closerange(3, 1 << 16)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    if limit := request["open_files"]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    sys.argv[1:] = request["arguments"]
    sys.path[0] = request["folder"]
    runpy.run_module(MODULE, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
