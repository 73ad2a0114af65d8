"""``sys.exit`` and Ctrl-C in callbacks: the program ends in order.

The rule, for sync and async callbacks alike: any exception ends the process that raised it, and
only `SystemExit` and `KeyboardInterrupt` reach the program as well.
"""

import signal
import subprocess
import sys
import textwrap

import pytest

from .program_support import SHOP, STARTED, STOPPED, program, rest, until

EXITS = """
class Exits(GenServer):
    def init(self):
        process.send_after(self.pid, "exit", 0.0)

    {definition} handle_info(self, message):
        say("exits")
        sys.exit(3)

class Exiting(Shop):
    def more(self):
        return [Exits]
"""


@pytest.mark.parametrize("definition", ["def", "async def"])
def test_exit_in_a_callback_stops_the_tree_in_order_with_its_status(definition: str) -> None:
    with program(EXITS.format(definition=definition) + "beamish.run(Exiting())") as running:
        said = rest(running)

        assert said == [*STARTED, "exits", *STOPPED]
        assert running.returncode == 3


@pytest.mark.parametrize("definition", ["def", "async def"])
def test_exit_in_a_callback_stops_the_tree_in_order_under_asyncio_run(definition: str) -> None:
    main = """
async def main():
    async with Exiting():
        await asyncio.Event().wait()

asyncio.run(main())
"""
    with program(EXITS.format(definition=definition) + main) as running:
        said = rest(running)

        assert said == [*STARTED, "exits", *STOPPED]
        assert running.returncode == 3


def test_exit_in_an_async_callback_lets_other_async_callbacks_end_in_order() -> None:
    """The others are stopped by their supervisor, and run their ``terminate``."""
    with program(
        EXITS.format(definition="async def")
        + """
class Waits(Worker):
    async def init(self):
        process.send(self.pid, "wait")

    async def handle_info(self, message):
        await asyncio.Event().wait()

class Waiting(Exiting):
    def more(self):
        return [Waits.child_spec("waits"), Exits]

beamish.run(Waiting())
"""
    ) as running:
        said = rest(running)

        assert said == [*STARTED, "exits", "prep_stop", "waits stops shutdown", *STOPPED[1:]]
        assert running.returncode == 3


@pytest.mark.parametrize("definition", ["def", "async def"])
def test_exit_in_the_init_of_a_child_ends_the_program_with_its_status(definition: str) -> None:
    with program(f"""
        class Exits(GenServer):
            {definition} init(self):
                sys.exit(3)

        class Exiting(Shop):
            def more(self):
                return [Exits]

        beamish.run(Exiting())
        """) as running:
        said = rest(running)

        assert running.returncode == 3
        assert said == [*STARTED[:2], "second stops shutdown", "first stops shutdown"]


def test_exit_in_a_spawned_process_stops_the_tree_in_order() -> None:
    with program("""
        async def exits():
            sys.exit(3)

        class Spawns(GenServer):
            def init(self):
                process.spawn(exits)

        class Exiting(Shop):
            def more(self):
                return [Spawns]

        beamish.run(Exiting())
        """) as running:
        said = rest(running)

        assert said == [*STARTED, *STOPPED]
        assert running.returncode == 3


@pytest.mark.parametrize("definition", ["def", "async def"])
def test_caller_of_a_callback_that_exits_gets_an_exit_error(definition: str) -> None:
    """The caller has done nothing wrong; it is not to raise `SystemExit` itself."""
    with program(f"""
        class Exits(GenServer):
            @beamish.call
            {definition} leave(self):
                sys.exit(3)

        async def caller():
            pid = await Exits.start()
            try:
                await Exits.leave(pid)
            except beamish.ExitError as error:
                say("caller got", repr(error.reason))

        async def main():
            calling = asyncio.create_task(caller())
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.wait([calling])
                say("main ends")

        beamish.run(main())
        """) as running:
        said = rest(running)

        assert said == ["caller got SystemExit(3)", "main ends"]
        assert running.returncode == 3


BLOCKS = """
import signal
import time

def tell_of_signals(*numbers):
    for number in numbers:
        def handle(number, frame, handler=signal.getsignal(number)):
            say("signal")
            handler(number, frame)
        signal.signal(number, handle)

class Blocks(GenServer):
    def init(self):
        process.send_after(self.pid, "block", 0.0)

    {definition} handle_info(self, message):
        tell_of_signals(signal.SIGINT, signal.SIGTERM)
        try:
            say("blocks")
            while True:
                time.sleep(60)
        except KeyboardInterrupt:
            say("interrupted")
            raise

class Blocking(Shop):
    def more(self):
        return [Blocks]
"""


# The event loops that the programs of these tests run on.
LOOP, UVLOOP = "None", "__import__('uvloop').new_event_loop"
# Either signal is handled in the same way, so only one of them is sent to each kind of program.
WAYS = [
    pytest.param(LOOP, signal.SIGINT, id="asyncio-SIGINT"),
    pytest.param(UVLOOP, signal.SIGTERM, id="uvloop-SIGTERM"),
    pytest.param(LOOP, signal.SIGTERM, id="asyncio-SIGTERM", marks=pytest.mark.full),
    pytest.param(UVLOOP, signal.SIGINT, id="uvloop-SIGINT", marks=pytest.mark.full),
]


@pytest.mark.parametrize(("loop", "number"), WAYS)
@pytest.mark.parametrize("definition", ["def", "async def"])
def test_second_signal_interrupts_a_callback_that_blocks_the_loop(
    definition: str, number: signal.Signals, loop: str
) -> None:
    if "uvloop" in loop:
        pytest.importorskip("uvloop")
    main = f"beamish.run(Blocking(), loop_factory={loop})"
    with program(BLOCKS.format(definition=definition) + main) as running:
        until(running, "blocks")

        running.send_signal(number)
        until(running, "signal")  # else the system may merge the second with the first
        running.send_signal(number)

        assert until(running, "interrupted")
        running.communicate(timeout=50)
        assert running.returncode == 128 + number


BLOCKED = """
import time
from beamish import _signals

_signals.INTERRUPT_SECONDS = 0.1

def block():
    try:
        say("blocks")
        {blocks}
    except KeyboardInterrupt:
        say("interrupted")
        raise

class Terminates(Ready):
    def terminate(self, reason):
        block()

class Lingers(Ready):
    async def terminate(self, reason):
        await asyncio.sleep(0)
        block()

class Terminating(Shop):
    def more(self):
        return [Terminates]

class Lingering(Shop):
    def more(self):
        return [Lingers]

class Preparing(Shop):
    def prep_stop(self):
        block()

class Stopping(Shop):
    def stop(self):
        block()

async def cleaning():
    try:
        say("ready")
        await asyncio.Event().wait()
    finally:
        block()

beamish.run({main}, loop_factory={loop})
"""
# A signal that arrives right before a sleep begins is seen when it ends: CPython looks at signals
# before and after the system call.
BLOCKERS = {
    "sleep": "while True: time.sleep(10)",
    "loop": "while True: pass",
    "swallows": """while True:
            try:
                time.sleep(10)
            except Exception:
                pass""",
}


@pytest.mark.parametrize(("loop", "number"), WAYS)
@pytest.mark.parametrize(
    "main", ["Terminating()", "Lingering()", "Preparing()", "Stopping()", "cleaning()"]
)
def test_second_signal_interrupts_what_blocks_the_end(
    main: str, number: signal.Signals, loop: str
) -> None:
    """The event loop has handled the first signal, and blocks afterwards."""
    if "uvloop" in loop:
        pytest.importorskip("uvloop")
    blocks = BLOCKERS["sleep"]
    with program(BLOCKED.format(main=main, blocks=blocks, loop=loop)) as running:
        until(running, "ready")
        running.send_signal(number)
        until(running, "blocks")

        running.send_signal(number)

        assert rest(running)[0] == "interrupted"
        assert running.returncode == 128 + number


@pytest.mark.parametrize("blocks", BLOCKERS.values(), ids=BLOCKERS)
def test_second_signal_interrupts_whatever_a_terminate_does(blocks: str) -> None:
    main = "Terminating()"
    with program(BLOCKED.format(main=main, blocks=blocks, loop=None)) as running:
        until(running, "ready")
        running.send_signal(signal.SIGTERM)
        until(running, "blocks")

        running.send_signal(signal.SIGINT)

        assert rest(running)[0] == "interrupted"
        assert running.returncode == 128 + signal.SIGINT


def test_second_signal_that_the_loop_handles_interrupts_nothing() -> None:
    with program("""
        from beamish import _signals

        async def receives(signals, count):
            _signals.signal.raise_signal(_signals.signal.SIGINT)
            while len(signals.received) < count:
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:  # each signal cancels the main task
                    pass

        async def main():
            signals = _signals.Signals()
            with signals:
                signals.listen()
                await receives(signals, 1)
                await receives(signals, 2)
                signals._interrupt(_signals.signal.SIGINT)  # as its timer does
                say(len(signals.received), signals.pending)
                timer = signals._timer
            say(timer.finished.is_set())

        asyncio.run(main())
        """) as running:
        assert rest(running) == ["2 False", "True"]
        assert running.returncode == 0


def test_first_signal_while_a_callback_blocks_stops_the_tree_when_it_returns() -> None:
    with program(
        BLOCKS.format(definition="def")
        + """
class Returns(Blocks):
    def handle_info(self, message):
        tell_of_signals(signal.SIGINT)
        say("blocks")
        sys.stdin.readline()
        say("returns")

class Returning(Shop):
    def more(self):
        return [Returns]

beamish.run(Returning())
"""
    ) as running:
        until(running, "blocks")
        running.send_signal(signal.SIGINT)
        until(running, "signal")

        out, _ = running.communicate("go on\n", timeout=50)

        assert out.splitlines() == ["returns", *STOPPED]
        assert running.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_that_was_ignored_at_the_start_stays_ignored(number: signal.Signals) -> None:
    """A shell ignores SIGINT for programs in the background."""
    other = signal.SIGTERM if number == signal.SIGINT else signal.SIGINT
    text = f"""
        import signal
        signal.signal({int(number)}, signal.SIG_IGN)

        class Checks(Shop):
            def more(self):
                say(signal.getsignal({int(number)}) == signal.SIG_IGN)
                return []

        beamish.run(Checks())
        """
    with program(text) as running:
        assert until(running, "ready") == ["True", *STARTED]

        running.send_signal(number)
        running.send_signal(number)
        running.send_signal(other)

        assert rest(running) == STOPPED
        assert running.returncode == 0


def test_interrupted_program_leaves_no_handler_behind() -> None:
    source = SHOP + textwrap.dedent("""
        import signal

        async def main():
            process.spawn(exits)
            await asyncio.Event().wait()

        async def exits():
            sys.exit(3)

        before = signal.getsignal(signal.SIGINT)
        try:
            beamish.run(main())
        except SystemExit as exit:
            say(exit.code, signal.getsignal(signal.SIGINT) is before)
        """)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, timeout=30)

    assert done.stdout.decode().splitlines() == ["3 True"]


def test_second_signal_kills_without_a_log_line_or_a_restart_per_process() -> None:
    """The registry dies before the supervisor of the servers that are registered in it."""
    with program("""
        import logging
        from beamish import DynamicSupervisor, Registry

        class Named(GenServer):
            def __init__(self, key):
                say("named")

        class Lingers(GenServer, trap_exit=True, shutdown=600.0):
            async def terminate(self, _reason):
                say("lingers")
                await asyncio.Event().wait()

        class Full(Shop):
            def more(self):
                return [
                    Registry.child_spec(name="names", keys="unique"),
                    DynamicSupervisor.child_spec(name="servers", max_restarts=100),
                    Lingers,
                ]

        async def main():
            async with Full():
                for key in range(20):
                    spec = Named.child_spec(key, name=Registry.via("names", key))
                    await DynamicSupervisor.start_child("servers", spec)
                say("ready")
                await asyncio.Event().wait()

        class Lines(logging.Handler):
            def emit(self, record):
                say(record.levelname, record.getMessage())

        logging.getLogger("beamish").addHandler(Lines())
        beamish.run(main())
        """) as running:
        until(running, "ready")
        running.send_signal(signal.SIGTERM)
        until(running, "lingers")

        running.send_signal(signal.SIGTERM)

        assert rest(running) == ["WARNING SIGTERM again: killing all processes", "stop"]
