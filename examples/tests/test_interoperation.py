"""The examples of beamish beside other parts of Python's world, each run as a program."""

import asyncio
import re
import runpy
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import anyio
import pytest

from beamish import ExitError, Supervisor, process

EXAMPLES = Path(__file__).parent.parent


def start(example: str | Path) -> subprocess.CompletedProcess[str]:
    """Run an example to its end; warnings are errors."""
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / example)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def run(example: str | Path) -> list[str]:
    """Run an example that is to succeed in silence, and return the lines that it prints."""
    ran = start(example)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
    return ran.stdout.splitlines()


@contextmanager
def started(example: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run an example beside the test, and end it with the test."""
    with subprocess.Popen(
        [sys.executable, "-u", "-W", "error", str(EXAMPLES / example), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()


def until(program: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Read what the program prints up to the line with ``pattern``."""
    assert program.stdout is not None
    said = []
    for line in program.stdout:
        said.append(line)
        if found := re.search(pattern, line):
            return found
    pytest.fail(f"ended before {pattern!r}: {''.join(said)}")


@pytest.mark.parametrize("example", ["starlette_app.py", "fastapi_app.py"])
def test_web_app_starts_the_tree_before_requests_and_stops_it_after(example: str) -> None:
    with started(example, "0") as program:
        url = until(program, r"http://[\d.:]+")[0]
        paths = ["home", "home", "about"]
        answers = [
            urllib.request.urlopen(
                urllib.request.Request(f"{url}/hits/{path}", method="POST"), timeout=30
            ).read()
            for path in paths
        ]

        program.send_signal(signal.SIGTERM)
        left, _ = program.communicate(timeout=30)

    assert answers == [b'{"hits":1}', b'{"hits":2}', b'{"hits":1}']
    assert {"home: 2 hits", "about: 1 hits"} <= set(left.splitlines())


def test_pages_have_a_counter_each() -> None:
    said = run("pages.py")

    assert said[:3] == ["home 1", "about 1", "home 2"]
    assert sorted(said[3:]) == ["about: 1 hits", "home: 2 hits"]


def test_with_uvloop_runs_on_uvloop() -> None:
    assert run("with_uvloop.py") == ["counted to 1000 on uvloop.Loop"]


def test_with_anyio_calls_from_task_groups_and_cancel_scopes() -> None:
    ran = start("with_anyio.py")

    assert ran.stdout.splitlines() == [
        "three customers have taken a piece each",
        "lost patience: True",
        "the fourth: sold out",
        "restarted, and full again: 2 left",
    ]
    assert "LookupError: sold out" in ran.stderr  # the crash report
    assert ran.returncode == 0


async def test_death_of_a_tree_ends_an_anyio_task_group_around_and_inside_it() -> None:
    stock = runpy.run_path(str(EXAMPLES / "with_anyio.py"))["Stock"]
    running = Supervisor.running([stock.child_spec(0, name="stock")], max_restarts=0)

    async def buy() -> None:
        async with running, anyio.create_task_group() as inside:
            inside.start_soon(anyio.sleep_forever)
            with suppress(ExitError):
                await stock.take("stock")
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        async with anyio.create_task_group() as around:
            around.start_soon(buy)

    assert isinstance(caught.value.exceptions[0], ExitError)
    assert caught.value.exceptions[0].reason == "shutdown"


def test_from_threads_calls_and_casts_from_threads() -> None:
    assert run("from_threads.py") == [
        "fewest parts left that a thread saw: 0",
        "left at the end: 0",
    ]


def test_callback_library_answers_what_the_callbacks_send() -> None:
    assert run("callback_library.py") == ["HELLO 1", "HELLO AGAIN 2"]


async def test_callback_library_opens_another_socket_after_a_crash() -> None:
    example = runpy.run_path(str(EXAMPLES / "callback_library.py"))
    echo, ask = example["Echo"], example["ask"]
    async with Supervisor.running([echo.child_spec(name="echo")]):
        first = process.whereis("echo")
        assert first is not None
        address = await echo.address("echo")
        process.monitor(first)

        crash = asyncio.create_task(ask(b"crash"))
        await process.receive(timeout=10)
        crash.cancel()

        assert await ask(b"hello") == b"HELLO 1"
        assert await echo.address("echo") != address


def test_call_within_a_timeout_leaves_the_server_unharmed() -> None:
    gave_up, timed_out, answered = run("call_within_a_timeout.py")

    assert gave_up == "gave up: 0.02 seconds are over"
    assert re.match(r"no reply from #PID<[\d.]+> to answer\(.*\) within 0.01 s", timed_out)
    assert answered == "the server lives, and answered 2 questions too late"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_in_a_container_finishes_its_work_when_it_is_told_to_stop(number: signal.Signals) -> None:
    with started("in_a_container.py") as program:
        until(program, "jobs are waiting")

        program.send_signal(number)
        left, _ = program.communicate(timeout=30)

    assert left.splitlines() == [
        "closed for new jobs",
        "finished job 1",
        "finished job 2",
        "finished job 3",
        "stopped in order",
    ]
    assert program.returncode == 0


@pytest.mark.parametrize("example", ["tested_with_pytest_asyncio.py", "tested_with_anyio.py"])
def test_tests_pass_under_the_plugins_as_they_come(example: str, tmp_path: Path) -> None:
    # In a folder of its own, where the configuration of this workspace does not count.
    copied = shutil.copy(EXAMPLES / example, tmp_path)

    assert run(Path(copied))[-1].startswith("2 passed")


def test_every_example_stands_in_the_readme() -> None:
    listed = set(re.findall(r"\]\((\w+\.py)\)", (EXAMPLES / "README.md").read_text()))

    assert {path.name for path in EXAMPLES.glob("*.py")} == listed
