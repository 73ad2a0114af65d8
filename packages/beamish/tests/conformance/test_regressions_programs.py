"""Defects that whole programs once had: applications, signals, loops that close."""

import asyncio
import contextlib
import gc
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from beamish import (
    Application,
    ExitError,
    GenServer,
    NoProcessError,
    Supervisor,
    call,
    from_thread,
    process,
    run,
)

Settle = Callable[[], Awaitable[None]]


class Server(GenServer):
    @call
    def ping(self) -> str:
        return "pong"


@contextlib.contextmanager
def program(text: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program that runs beside the test and ends with it."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(text)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            yield running
        finally:
            running.kill()


async def test_tree_stops_when_prep_stop_raises() -> None:
    class Shop(Application):
        def children(self) -> list[object]:
            return [Server.child_spec(name="server")]

        def prep_stop(self) -> None:
            raise RuntimeError("the metrics server is down")

    with pytest.raises(RuntimeError):
        async with Shop():
            assert process.whereis("server")

    assert process.whereis("server") is None


async def test_application_cancelled_while_it_stops_still_stops_in_order(settle: Settle) -> None:
    class Flushing(GenServer):
        async def terminate(self, reason: object) -> None:
            said.append("flushing")
            await flushed.wait()
            said.append("flushed")

    class Shop(Application):
        def children(self) -> list[object]:
            return [Flushing]

        def stop(self) -> None:
            said.append("pool closed")

    async def use() -> None:
        async with Shop():
            pass

    said: list[str] = []
    flushed = asyncio.Event()
    using = asyncio.create_task(use())
    while not said:
        await asyncio.sleep(0)

    using.cancel()
    await settle()
    flushed.set()
    with contextlib.suppress(asyncio.CancelledError):
        await using

    assert said == ["flushing", "flushed", "pool closed"]


def test_exit_of_a_tree_can_be_caught_in_a_program() -> None:
    async def main() -> str:
        try:
            async with Supervisor.running([Server.child_spec(name="server")], max_restarts=0):
                process.exit(process.whereis("server"), "boom")
                await asyncio.Event().wait()
        except ExitError:
            return "fallback"

    assert run(main()) == "fallback"


def test_run_goes_without_signal_handlers_where_the_loop_has_none() -> None:
    class Loop(asyncio.SelectorEventLoop):
        def add_signal_handler(self, *arguments: object) -> None:
            raise NotImplementedError

        def remove_signal_handler(self, *arguments: object) -> None:
            raise NotImplementedError

    async def main() -> int:
        return 42

    assert run(main(), loop_factory=Loop) == 42


def test_call_from_a_thread_ends_when_the_loop_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_thread, "_CHECK_SECONDS", 0.01)
    loop = asyncio.new_event_loop()
    pid = loop.run_until_complete(Server.start())
    outcome: list[object] = []

    def ask() -> None:
        try:
            outcome.append(from_thread.call(pid, Server.ping, timeout=0.05))
        except BaseException as error:  # whatever it is, it must come
            outcome.append(type(error))  # its traceback would keep the coroutine

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(0.01)
    loop.close()
    asking.join(50)
    gc.collect()  # a coroutine that was never awaited is to be this test's failure

    assert not asking.is_alive()
    assert outcome == [NoProcessError]


def test_second_signal_ends_a_program_whose_stop_hangs() -> None:
    with program("""
        import asyncio
        from beamish import Application, run

        class Shop(Application):
            def children(self):
                asyncio.get_running_loop().call_later(0.01, lambda: print("ready", flush=True))
                return []

            async def stop(self):
                print("stop", flush=True)
                await asyncio.sleep(60)

        run(Shop())
        """) as running:
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        assert running.stdout.readline() == "stop\n"

        running.send_signal(signal.SIGTERM)

        running.communicate(timeout=50)
        assert running.returncode is not None


def test_signal_during_the_start_lets_the_children_that_run_stop_in_peace() -> None:
    with program("""
        import asyncio
        from beamish import Application, GenServer, run

        class First(GenServer):
            async def terminate(self, reason):
                print("flushing", flush=True)
                await asyncio.sleep(0.02)
                print("flushed", flush=True)

        class Second(GenServer):
            async def init(self):
                print("starting", flush=True)
                await asyncio.sleep(60)

        class Shop(Application):
            def children(self):
                return [First, Second]

        run(Shop())
        """) as running:
        assert running.stdout.readline() == "starting\n"

        running.send_signal(signal.SIGTERM)

        out, _ = running.communicate(timeout=50)
        assert out == "flushing\nflushed\n"


def test_loop_that_closes_says_nothing_of_the_servers_in_it() -> None:
    with program("""
        import asyncio
        import gc
        from beamish import Continue, GenServer, Supervisor, process

        class Looping(GenServer):
            def init(self):
                return Continue("again")

            async def handle_continue(self, arg):
                await asyncio.Event().wait()

        class Owner(GenServer):
            async def init(self):
                await Supervisor.start_link([Looping])

        async def leave():
            await Owner.start()
            await asyncio.sleep(0.001)

        async def kill():
            process.exit(await Owner.start(), "kill")
            await asyncio.sleep(0.001)

        async def look():
            process.processes()

        for main in (leave, kill, look):
            asyncio.run(main())
            gc.collect()
        """) as running:
        _, err = running.communicate(timeout=50)

        assert err == ""
        assert running.returncode == 0
