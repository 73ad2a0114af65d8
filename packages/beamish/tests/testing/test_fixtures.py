"""The fixtures of the pytest plugin, under each of the plugins that run async tests."""

import pytest

pytest_plugins = ["pytester"]

HEADER = """
import asyncio
import pytest
from beamish import Down, GenServer, Pid, Supervisor, call, cast, process
from beamish.testing import settle

class Counter(GenServer):
    def __init__(self, start=0):
        self.count = start

    @call
    def increment(self):
        self.count += 1
        return self.count

    @cast
    def crash(self):
        raise RuntimeError("boom")

ended = []

class Tells(Counter):
    def terminate(self, reason):
        ended.append((self.count, reason))
"""
ANYIO = """
pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""
AUTO = ("", ["-o", "asyncio_mode=auto"])
STRICT = ("pytestmark = pytest.mark.asyncio\n", ["-o", "asyncio_mode=strict"])
ALONE = (ANYIO, ["-p", "no:asyncio"])
BESIDE = (ANYIO, ["-o", "asyncio_mode=strict"])


class Suite:
    """Runs a file of tests under one of the plugins."""

    def __init__(self, pytester: pytest.Pytester, header: str, options: list[str]) -> None:
        self.pytester = pytester
        self.header = HEADER + header
        scope = "asyncio_default_fixture_loop_scope=function"
        # Without its pytest plugin, Hypothesis is imported where it is used: most runs are faster.
        # So they are without that of schemathesis, and with tracebacks that need no syntax tree.
        known = [] if "no:asyncio" in options else ["-o", scope]
        self.options = [
            *options,
            *known,
            "-p",
            "no:cacheprovider",
            "-W",
            "error",
            "--tb=native",
            "-p",
            "no:hypothesispytest",
            "-p",
            "no:schemathesis",
        ]

    def run(self, text: str, *options: str) -> pytest.RunResult:
        self.pytester.makepyfile(self.header + text)
        return self.pytester.runpytest_inprocess(*self.options, *options)


@pytest.fixture(params=[AUTO, STRICT, ALONE, BESIDE], ids=["auto", "strict", "anyio", "both"])
def tests(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> Suite:
    return Suite(pytester, *request.param)


def test_an_attached_test_is_a_process(tests: Suite) -> None:
    result = tests.run("""
async def test_pid(attached):
    assert process.current() == attached
    process.send(attached, "hello")
    assert await process.receive(timeout=0) == "hello"

async def test_links(attached):
    await Tells.start_link(7)

async def test_linked_processes_have_ended_with_the_test():
    assert ended == [(7, "shutdown")]
    assert process.processes() == []

@pytest.mark.usefixtures("attached")
async def test_monitors():
    pid = await Counter.start()
    ref = process.monitor(pid)
    process.exit(pid, "kill")
    assert (await process.receive(timeout=50)) == Down(ref, pid, "killed")

class TestInAClass:
    async def test_pid(self, attached):
        assert process.current() == attached

async def test_is_killed_by_a_link(attached):
    with pytest.raises(asyncio.CancelledError) as caught:
        pid = await Counter.start_link()
        Counter.crash(pid)
        await process.receive()
    raise caught.value
""")

    result.assert_outcomes(passed=5, failed=1)
    result.stdout.fnmatch_lines(["*ExitError: *RuntimeError('boom')*"])


def test_start_supervised_lives_as_long_as_the_test(tests: Suite) -> None:
    result = tests.run("""
async def test_children(start_supervised):
    first = await start_supervised(Tells)
    second = await start_supervised(Tells.child_spec(5).replace(id="second"))
    assert await Counter.increment(first) == 1
    assert await Counter.increment(second) == 6

async def test_they_ended_in_reverse_order():
    assert ended == [(6, "shutdown"), (1, "shutdown")]
    assert process.processes() == []

async def test_restarts(start_supervised):
    pid = await start_supervised(Counter.child_spec(name="counter"))
    Counter.crash(pid)
    await settle()
    assert process.whereis("counter") not in (pid, None)

async def test_stop(start_supervised):
    pid = await start_supervised(Counter)
    await start_supervised.stop(Counter)
    assert not process.is_alive(pid)
    await start_supervised(Counter)

async def test_with_attached(attached, start_supervised):
    pid = await start_supervised(Counter)
    process.exit(pid, "kill")
    await settle()
    assert process.is_alive(attached)

async def test_an_unused_one_starts_nothing(start_supervised):
    assert process.processes() == []
""")

    result.assert_outcomes(passed=6)


def test_start_supervised_serves_async_fixtures_too(tests: Suite) -> None:
    decorator = "pytest.fixture" if "anyio" in tests.header else "pytest_asyncio.fixture"
    result = tests.run(f"""
import pytest_asyncio

@{decorator}
async def counter(start_supervised):
    return await start_supervised(Counter)

async def test_counter(attached, counter):
    assert await Counter.increment(counter) == 1

async def test_nothing_is_left():
    assert process.processes() == []
""")

    result.assert_outcomes(passed=2)


def test_a_process_that_outlives_its_test_fails_it(tests: Suite) -> None:
    result = tests.run("""
async def test_leaks(leak_check):
    await Counter.start(name="left behind")

async def test_nothing_is_left(leak_check):
    assert process.processes() == []

async def test_spawned(attached):
    async def forever():
        await asyncio.get_running_loop().create_future()
    process.spawn(forever)

async def test_unchecked():
    await Counter.start()
""")

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*processes outlive the test that started them:",
            "*Counter 'left behind' #PID<*>",
            "*forever #PID<*>, started by #PID<*>",
        ]
    )


def test_a_failing_test_fails_for_its_own_reason(tests: Suite) -> None:
    result = tests.run("""
async def test_fails(attached, start_supervised):
    await start_supervised(Counter)
    await Counter.start()
    assert 1 == 2
""")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 1 == 2"])
    result.stdout.no_fnmatch_line("*outlive*")


def test_an_option_checks_every_async_test(tests: Suite) -> None:
    result = tests.run(
        """
async def test_leaks():
    await Counter.start()

async def test_clean():
    await GenServer.stop(await Counter.start())
""",
        "-o",
        "beamish_leak_check=true",
    )

    result.assert_outcomes(passed=1, failed=1)


def test_a_plain_test_cannot_be_a_process(tests: Suite) -> None:
    tests.header = HEADER  # without its mark

    result = tests.run("def test_plain(attached): pass\n")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*attached needs an async test: async def test_plain*"])


def test_each_example_of_hypothesis_is_a_process(tests: Suite) -> None:
    result = tests.run(
        """
from hypothesis import HealthCheck, given, settings, strategies as st

seen = set()

@given(number=st.integers())
@settings(
    max_examples=5,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
async def test_examples(attached, number):
    assert process.current() == attached
    seen.add(attached)

async def test_of_its_own():
    assert len(seen) > 1
"""
    )

    result.assert_outcomes(passed=2)


def test_another_library_than_asyncio_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makeconftest("""
def pytest_pyfunc_call(pyfuncitem):
    pyfuncitem.obj(attached=None).send(None)
""")
    tests = Suite(pytester, "", ["-p", "no:asyncio"])

    result = tests.run("async def test_elsewhere(attached): pass\n")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*beamish needs asyncio*anyio_backend*"])


def test_processes_of_longer_living_fixtures_are_not_leaks(pytester: pytest.Pytester) -> None:
    tests = Suite(pytester, *AUTO)
    result = tests.run("""
import pytest_asyncio
from beamish import DynamicSupervisor

pytestmark = pytest.mark.asyncio(loop_scope="module")

@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def supervisor():
    async with process.attach():
        yield await DynamicSupervisor.start_link(name="children")

async def test_starts_a_child_there(supervisor, leak_check):
    await DynamicSupervisor.start_child(supervisor, Counter.child_spec(name="counter"))

async def test_finds_it(supervisor, leak_check):
    assert process.whereis("counter")
""")

    result.assert_outcomes(passed=2)
