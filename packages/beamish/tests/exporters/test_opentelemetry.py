"""``beamish.exporters.opentelemetry``: traces that follow calls, casts and messages."""

import asyncio
import doctest
from collections.abc import Iterator

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from beamish import (
    CallTimeoutError,
    ExitError,
    GenServer,
    NoProcessError,
    Task,
    call,
    cast,
    process,
    telemetry,
)
from beamish.exporters import opentelemetry


class C(GenServer):
    @call
    def get(self) -> str:
        return "got"

    @call
    async def get_slowly(self) -> str:
        await asyncio.sleep(0)
        return "got"

    @call
    def crash(self) -> None:
        raise ValueError("crash")

    @call
    async def hang(self) -> None:
        await asyncio.Event().wait()

    @call
    def baggage(self) -> object:
        return baggage.get_baggage("user")


class B(GenServer):
    """Calls C when it is cast to."""

    def __init__(self, c: object) -> None:
        self.c = c
        self.user: object = None

    @cast
    async def poke(self) -> None:
        await C.get(self.c)
        await C.get_slowly(self.c)

    @cast
    def note(self) -> None:
        self.user = baggage.get_baggage("user")

    def handle_info(self, message: object) -> None:
        pass

    @call
    def noted(self) -> object:
        return self.user


class A(GenServer):
    """Casts to B when it is called or cast to."""

    def __init__(self, b: object) -> None:
        self.b = b

    @call
    def ask(self) -> None:
        B.poke(self.b)

    @cast
    def tell(self) -> None:
        B.poke(self.b)


class Traces:
    """The spans that have ended."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("tests")

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """Return them by name, of which each is used once."""
        spans = self._exporter.get_finished_spans()
        found = {span.name: span for span in spans}
        assert len(found) == len(spans)
        return found

    def ancestors(self, name: str) -> list[str]:
        """Name a span, its parent, and so on."""
        by_id = {span.context.span_id: span for span in self.spans.values()}
        span, names = self.spans[name], [name]
        while span.parent is not None:
            span = by_id[span.parent.span_id]
            names.append(span.name)
        return names


@pytest.fixture
def traces() -> Iterator[Traces]:
    found = Traces()
    exporter = opentelemetry.attach(found.provider)
    yield found
    exporter.detach()
    found.provider.shutdown()


async def stop(*pids: object) -> None:
    """Stop servers one after another: each has handled what the one before has sent."""
    for pid in pids:
        await GenServer.stop(pid)


async def test_callback_is_a_child_of_the_callers_span(traces) -> None:
    pid = await C.start()

    with traces.tracer.start_as_current_span("caller"):
        assert await C.get(pid) == "got"
        assert await C.get_slowly(pid) == "got"

    assert traces.ancestors("C.get") == ["C.get", "caller"]
    assert traces.ancestors("C.get_slowly") == ["C.get_slowly", "caller"]
    assert traces.spans["C.get"].context.trace_id == traces.spans["caller"].context.trace_id


async def test_queued_call_is_a_child_of_the_callers_span(traces, monkeypatch) -> None:
    monkeypatch.setenv("BEAMISH_DIRECT", "0")
    pid = await C.start()

    with traces.tracer.start_as_current_span("caller"):
        await C.get(pid)

    assert traces.ancestors("C.get") == ["C.get", "caller"]


async def test_cast_is_a_child_of_the_senders_span(traces) -> None:
    c = await C.start()
    b = await B.start(c)

    with traces.tracer.start_as_current_span("sender"):
        B.poke(b)
    await stop(b)

    assert traces.ancestors("B.poke") == ["B.poke", "sender"]


async def test_message_is_a_child_of_the_senders_span(traces) -> None:
    b = await B.start(None)

    with traces.tracer.start_as_current_span("sender"):
        process.send(b, "hello")
    await stop(b)

    assert traces.ancestors("B.handle_info") == ["B.handle_info", "sender"]


@pytest.mark.parametrize("begin", ["ask", "tell"])
async def test_trace_runs_through_servers_that_cast_and_call_one_another(traces, begin) -> None:
    """A casts B, which calls C, whether A was called or cast to."""
    c = await C.start()
    b = await B.start(c)
    a = await A.start(b)

    with traces.tracer.start_as_current_span("root"):
        begun = getattr(A, begin)(a)
        if begun is not None:
            await begun
    await stop(a, b)

    path = ["B.poke", f"A.{begin}", "root"]
    assert traces.ancestors("C.get") == ["C.get", *path]
    assert traces.ancestors("C.get_slowly") == ["C.get_slowly", *path]


async def test_task_of_a_process_stays_in_its_trace(traces) -> None:
    c = await C.start()
    async with process.attach():
        with traces.tracer.start_as_current_span("caller"):
            assert await Task.await_(Task.async_(C.get, c)) == "got"

    assert traces.ancestors("C.get") == ["C.get", "caller"]


async def test_span_of_a_callback_does_not_leak_to_its_caller(traces) -> None:
    pid = await C.start()

    with traces.tracer.start_as_current_span("caller") as span:
        await C.get(pid)
        assert trace.get_current_span() is span

    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_interleaved_callers_have_traces_of_their_own(traces) -> None:
    pids = [await C.start() for _ in range(5)]

    async def ask(number: int) -> None:
        with traces.tracer.start_as_current_span(f"caller {number}"):
            await C.get_slowly(pids[number])

    await asyncio.gather(*(ask(number) for number in range(5)))

    spans = traces._exporter.get_finished_spans()
    callers = {s.context.span_id: s.context.trace_id for s in spans if s.name.startswith("caller")}
    served = [s for s in spans if s.name == "C.get_slowly"]
    assert {s.parent.span_id for s in served} == set(callers)
    assert all(callers[s.parent.span_id] == s.context.trace_id for s in served)


async def test_baggage_follows_calls_and_casts(traces) -> None:
    c = await C.start()
    b = await B.start(c)
    token = context.attach(baggage.set_baggage("user", "ann"))

    B.note(b)

    assert await C.baggage(c) == "ann"
    assert await B.noted(b) == "ann"
    context.detach(token)


async def test_span_tells_the_class_callback_and_pid(traces) -> None:
    pid = await C.start()

    await C.get(pid)

    span = traces.spans["C.get"]
    assert span.attributes == {
        "beamish.server.class": "C",
        "beamish.callback": "get",
        "beamish.pid": repr(pid),
    }
    assert span.start_time <= span.end_time
    assert span.status.is_ok or span.status.is_unset


@pytest.mark.usefixtures("_quiet")
async def test_exception_is_recorded_on_both_sides(traces) -> None:
    pid = await C.start()

    with traces.tracer.start_as_current_span("caller"), pytest.raises(ExitError):
        await C.crash(pid)

    span, caller = traces.spans["C.crash"], traces.spans["caller"]
    assert span.status.status_code is trace.StatusCode.ERROR
    assert span.status.description == "ValueError: crash"
    assert [event.attributes["exception.message"] for event in span.events] == ["crash"]
    assert [event.attributes["beamish.request"] for event in caller.events] == ["crash"]


@pytest.fixture
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="beamish")


async def test_time_out_is_recorded_on_the_callers_span(traces) -> None:
    pid = await C.start()

    with traces.tracer.start_as_current_span("caller"):
        with pytest.raises(CallTimeoutError):
            await C.hang.timeout(0.005)(pid)
        with pytest.raises(NoProcessError):
            await C.get("nobody")

    classes = [event.attributes["beamish.server.class"] for event in traces.spans["caller"].events]
    assert classes == ["C", "unknown"]


async def test_killed_callback_ends_its_span_without_an_error(traces) -> None:
    pid = await C.start()
    calling = asyncio.create_task(C.hang(pid))
    while pid._process.task is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0)

    process.exit(pid, "kill")
    await asyncio.wait([calling])
    while "C.hang" not in traces.spans:
        await asyncio.sleep(0)

    span = traces.spans["C.hang"]
    assert span.attributes["beamish.cancelled"] is True
    assert span.status.is_unset
    assert isinstance(calling.exception(), ExitError)


async def test_detached_exporter_no_longer_traces() -> None:
    found = Traces()
    exporter = opentelemetry.attach(found.provider)
    pid = await C.start()
    exporter.detach()
    exporter.detach()

    await C.get(pid)

    assert list(found.spans) == ["C.init"]


async def test_exporter_attached_in_the_middle_of_a_callback_waits_for_the_next() -> None:
    telemetry.attach_many("another", telemetry.EVENTS, lambda *_: None)
    pid = await C.start()
    calling = asyncio.create_task(C.get_slowly(pid))
    while pid._process.task is None:
        await asyncio.sleep(0)

    late = Traces()
    exporter = opentelemetry.attach(late.provider)
    await calling
    await C.get(pid)

    assert list(late.spans) == ["C.get"]
    exporter.detach()
    telemetry.detach("another")


def test_provider_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="TracerProvider; got 'provider'"):
        opentelemetry.attach("provider")


def test_examples_of_the_module_run() -> None:
    assert doctest.testmod(opentelemetry) == doctest.TestResults(failed=0, attempted=3)
