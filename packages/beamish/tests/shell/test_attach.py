"""The commands ``top``, ``tree``, ``info`` and ``trace``, of a running program and of a copy."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from beamish import GenServer, Pid, Registry, Supervisor, call, process
from beamish.__main__ import main
from beamish.observer import Observer
from beamish.shell import attach
from beamish.shell.attach import TOKEN_VARIABLE, AttachError, Remote, is_address, meant
from beamish.shell.facts import safe
from beamish.shell.top import Choice, lines

from .support import environment, typing_into

TOKEN = "a-token-for-the-tests"


class Counter(GenServer, restart="transient"):
    def __init__(self) -> None:
        self.count = 0

    @call
    def add(self, by: int) -> int:
        self.count += by
        return self.count

    def handle_cast(self, request: object) -> None:
        raise ValueError(request)


class Ran(NamedTuple):
    """A command that has ended."""

    status: int
    out: str
    err: str


Run = Callable[..., Awaitable[Ran]]


@pytest.fixture
async def program(tmp_path: Path) -> AsyncIterator[Path]:
    """Run a program with an observer, and return the path of its socket."""
    children = [
        Registry.child_spec(keys="unique", name="Running.Registry"),
        Counter.child_spec(name="counter"),
        *(Counter.child_spec(name=f"counter{number}") for number in range(5)),
    ]
    async with Supervisor.running(children, name="Running.Top", max_restarts=9) as pid:
        spec = Observer.child_spec(
            host=None, socket=tmp_path / "o.sock", allow_actions=True, name="observer"
        )
        await Supervisor.start_child(pid, spec)
        yield tmp_path / "o.sock"


@pytest.fixture
def command(folder: Path) -> Run:
    """Return a function that runs ``python -m beamish`` beside this program."""

    async def run(*arguments: object, **variables: str) -> Ran:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-m", "beamish", *map(str, arguments)),
            cwd=folder,
            env={**environment(folder), **variables},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(50):
            out, err = await program.communicate()
        return Ran(program.returncode or 0, out.decode(), err.decode())

    return run


# -- A running program


async def test_tree_of_a_running_program(program: Path, command: Run) -> None:
    ran = await command("tree", program, "--children", 3)

    assert (ran.status, ran.err) == (0, "")
    assert ran.out.splitlines()[0].split() == ["id", "pid", "class", "status", "restarts"]
    assert "Running.Top" in ran.out.splitlines()[1]
    assert "0 of 9 in 5 s" in ran.out.splitlines()[1]
    line = next(line for line in ran.out.splitlines() if line.startswith("├─ counter "))
    assert line.split()[1:3] == ["counter", repr(process.whereis("counter"))]
    assert "… 5 more" in ran.out


async def test_info_of_a_process_in_a_running_program(program: Path, command: Run) -> None:
    before = process.whereis("counter")
    Counter.cast("counter", "a bad request")
    async with asyncio.timeout(50):
        while process.whereis("counter") in (None, before):
            await asyncio.sleep(0.001)

    ran = await command("info", program, "counter")

    assert (ran.status, ran.err) == (0, "")
    facts = dict(line.split(maxsplit=1) for line in ran.out.splitlines() if len(line.split()) > 1)
    assert facts["pid"] == repr(process.whereis("counter"))
    assert facts["class"] == "Counter"
    assert facts["restarts"] == "1 since the recording began"
    assert facts["crash"].endswith(f"{before!r} ValueError: a bad request")


@pytest.mark.parametrize("form", ["{}", "#PID<0.{}.0>"])
async def test_info_by_number_and_by_pid(program: Path, command: Run, form: str) -> None:
    pid = process.whereis("Running.Top")
    assert pid is not None

    ran = await command("info", program, form.format(pid.serial))

    assert "restarts used  0 of 9 in 5 s" in ran.out


async def test_top_without_a_terminal_is_printed_once(program: Path, command: Run) -> None:
    for _ in range(7):
        await Counter.add("counter3", 1)

    ran = await command("top", program, "--sort", "handled", "--search", "counter")

    assert (ran.status, ran.err) == (0, "")
    _, figures, _, _, header, busiest = ran.out.splitlines()[:6]
    assert figures.startswith("processes 6 of ")
    assert "handled↓" in header
    assert busiest.split() == [
        *(repr(process.whereis("counter3")), "counter3", "-", "-", "7", "0", "waiting", "Counter")
    ]


async def test_trace_prints_what_a_server_does(program: Path, folder: Path) -> None:
    tracing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "beamish", "trace", str(program), "counter"),
        env=environment(folder),
        stdout=asyncio.subprocess.PIPE,
    )
    assert tracing.stdout is not None
    pid = process.whereis("counter")
    async with asyncio.timeout(50):
        while pid is None or pid._process.debugging is None:
            await asyncio.sleep(0.001)
        await Counter.add("counter", 42)
        read = [(await tracing.stdout.readline()).decode() for _ in range(3)]
        await Supervisor.terminate_child("Running.Top", "counter")
        rest = (await tracing.stdout.read()).decode()

    assert read[0].startswith("received call add(42) from ")
    assert read[1:] == ["changed count = 42\n", "handled add, which returned 42\n"]
    assert rest.splitlines()[-1] == "ended: the process has exited"
    assert await tracing.wait() == 0


async def test_url_and_token_attach_like_the_socket(program: Path, command: Run) -> None:
    pid = await Observer.start(port=0, token=TOKEN)
    url = await Observer.url(pid) or ""

    without = await command("tree", url)
    wrong = await command("tree", url, **{TOKEN_VARIABLE: "another-token-than-that"})
    right = await command("tree", url.rstrip("/"), **{TOKEN_VARIABLE: TOKEN})

    assert without.status == wrong.status == 1
    assert f"requires a token; set {TOKEN_VARIABLE}" in without.err
    assert "another-token" not in wrong.err
    assert "Running.Top" in right.out
    await Observer.stop(pid, "shutdown")


async def test_refusals_of_the_observer_are_one_line(program: Path, command: Run) -> None:
    pid = await Observer.start(port=0)
    url = await Observer.url(pid) or ""

    unknown = await command("info", program, "nobody")
    trace = await command("trace", url, "counter")

    assert (unknown.status, trace.status) == (1, 1)
    assert unknown.err == "beamish: no live process 'nobody'; it has exited, or never was\n"
    assert "start the observer with allow_actions=True" in trace.err
    assert len(trace.err.splitlines()) == 1
    await Observer.stop(pid, "shutdown")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("/nowhere/o.sock", "no socket at /nowhere/o.sock: No such file or directory; the program"),
        ("./shop.py/x", "no socket at"),
        ("/etc/passwd", "/etc/passwd is a file, not the socket of an observer"),
        ("ftp://127.0.0.1/", "expected a URL such as http://127.0.0.1:4000/; got 'ftp://127"),
        ("http:///", "expected a URL such as"),
        ("127.0.0.1:4000", "got '127.0.0.1:4000', did you mean http://127.0.0.1:4000/?"),
        ("[::1]:4000", "did you mean http://[::1]:4000/?"),
        ("shop.example:80", "did you mean http://shop.example:80/?"),
    ],
)
@pytest.mark.parametrize("name", ["tree", "top"])
def test_wrong_address_is_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    target: str,
    said: str,
    name: str,
) -> None:
    monkeypatch.chdir(folder)

    with pytest.raises(SystemExit) as ended:
        main([name, target])

    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in err
    assert len(err.splitlines()) == 1


async def test_program_that_does_not_run_is_one_line(command: Run, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "dead.sock"))

    ran = await command("tree", tmp_path / "dead.sock")

    assert ran.status == 1
    assert "Connection refused" in ran.err
    assert "is the program running, with an Observer?" in ran.err


async def test_socket_without_its_folder_is_recognised(
    command: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "shop.sock"))
    monkeypatch.chdir(tmp_path)

    assert meant("shop.sock") == "./shop.sock"
    assert meant("./shop.sock") is None
    assert meant("shop:Shop") is None


async def test_wrong_path_of_an_observer_is_explained(program: Path, command: Run) -> None:
    pid = await Observer.start(port=0)

    ran = await command("top", f"{await Observer.url(pid)}observer/")

    assert ran.status == 1
    assert "HTTP 404; is this the URL of an observer?" in ran.err
    await Observer.stop(pid, "shutdown")


async def test_another_http_server_is_recognised(command: Run) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    ran = await command("tree", f"http://127.0.0.1:{port}/")

    assert ran.status == 1
    assert "the response is not JSON; is this the URL of an observer?" in ran.err
    server.close()


async def test_response_without_an_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attach, "_MAX_BODY_BYTES", 1_000_000)

    async def serve(_: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    with pytest.raises(AttachError, match="the response is too long"):
        await Remote(f"http://127.0.0.1:{port}").read("tree")
    server.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a socket away")
def test_socket_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "o.sock"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        os.chown(path, 12_345, -1)
        monkeypatch.setattr(os, "geteuid", lambda: 54_321)

        with pytest.raises(AttachError, match=r"is of another user \(id 12345\)"):
            Remote(str(path))


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("/run/shop.sock", True),
        ("./o.sock", True),
        ("http://127.0.0.1:4000", True),
        ("shop.main:Shop", False),
        ("./shop/main.py:Shop", False),
        ("shop/main.py", False),
        ("shop", False),
    ],
)
def test_address_is_told_from_a_module(target: str, address: bool) -> None:
    assert is_address(target) is address


# -- A copy


async def test_top_and_info_start_a_copy(command: Run) -> None:
    top = await command("top", "shop:Shop", "--search", "Worker")
    info = await command("info", "shop:Shop", "first")
    unknown = await command("info", "shop:Shop", "nobody")

    assert (top.status, info.status, unknown.status) == (0, 0, 1)
    assert "second" in top.out
    assert "stopped" in top.out  # the application stops in order
    assert "names         first" in info.out
    assert "no live process 'nobody'" in unknown.err


def test_wrong_target_of_a_copy_is_explained(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from beamish.__main__ import main

    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        main(["top", "shop.Shop"])

    assert ended.value.code == 2
    assert "did you mean shop:Shop?" in capsys.readouterr().err


def test_top_on_a_terminal_follows_keys_and_restores_the_screen(folder: Path) -> None:
    with typing_into(folder, "top", "shop:Shop", "--every", "1", term="xterm") as terminal:
        terminal.until("Shop.Workers")
        terminal.type(">")
        terminal.until("busy↓")
        terminal.type(">")
        terminal.until("handled↓")
        terminal.type("r")
        terminal.until("handled↑")
        terminal.type("q")
        _, status = terminal.rest()

    assert status == 0
    assert terminal.seen.count("\x1b[?1049h") == terminal.seen.count("\x1b[?1049l") == 1
    assert terminal.seen.index("\x1b[?1049l") > terminal.seen.rindex("handled↑")


# -- Text


def test_text_of_a_program_cannot_control_the_terminal() -> None:
    assert safe("a\x1b[2Jb\u202ec\n") == "a�[2Jb�c�"


def test_lines_fit_the_width_and_escape_names() -> None:
    row = {
        "pid": 104,
        "name": "\x1b[2J",
        "class_name": "C" * 100,
        "status": "waiting",
        "recent": None,
        "handled": 1_234_567,
        "queue": 0,
        "callback": None,
        "busy": 0.5,
    }
    page = {"rows": [row], "total": 2, "matching": 1, "queued": 0}
    overview = {"supervisors": 1, "crashes": 0, "restarts": 0, "sample": None, "rss_bytes": None}

    shown = lines("a\x1bprogram", overview, page, Choice(), 80)

    assert all(len(line) <= 80 for line in shown)
    assert "\x1b" not in "".join(shown)
    assert shown[0] == "a�program, every 2 s"
    assert shown[1].startswith("processes 1 of 2 ")


def test_keys_change_the_order() -> None:
    choice = Choice()

    assert choice.press(">")
    assert choice.sort == "busy"
    assert choice.press("<")
    assert choice.press("<")
    assert choice.sort == "class"
    assert choice.press("r")
    assert choice.parameters(50) == {"sort": "class", "dir": "asc", "limit": "50"}
    assert not choice.press(" ")
    assert choice.paused
    assert not choice.press("x")


async def test_pid_of_another_program_only_has_a_number(program: Path) -> None:
    from beamish.shell.running import _pid

    pid = _pid(104)

    assert repr(pid) == "#PID<0.104.0>"
    assert isinstance(pid, Pid)
    assert not process.is_alive(pid)
