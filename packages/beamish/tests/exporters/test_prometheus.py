"""``beamish.exporters.prometheus``: what Prometheus reads when it scrapes."""

import asyncio
import doctest
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.parser import text_string_to_metric_families

from beamish import (
    CallTimeoutError,
    DynamicSupervisor,
    ExitError,
    GenServer,
    NoProcessError,
    Pid,
    Supervisor,
    call,
    cast,
    debug,
    process,
)
from beamish.exporters import prometheus

ROOT = Path(__file__).parents[4]
SERVED = CollectorRegistry()

Scrape = Callable[[], Awaitable["Scraped"]]


class Worker(GenServer, restart="transient"):
    def __init__(self) -> None:
        self.release = asyncio.Event()

    @call
    def work(self) -> str:
        return "done"

    @call
    async def wait(self) -> None:
        await self.release.wait()

    @cast
    async def wait_long(self) -> None:
        await self.release.wait()

    @call(timeout=None)
    def block_until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            time.sleep(0.01)

    @call
    def crash(self) -> None:
        raise ValueError("crash")


class Scraped:
    """What one scrape gave."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        self.text = text
        self.kinds = {family.name: family.type for family in families}
        self.samples = [sample for family in families for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        """Return one sample; 0 when there is none."""
        found = [s.value for s in self.samples if s.name == name and s.labels == labels]
        return found[0] if found else 0.0


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def exporter(registry: CollectorRegistry) -> Iterator[prometheus.Exporter]:
    exporter = prometheus.attach(registry)
    yield exporter
    exporter.detach()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Serve one registry, as programs do, to all tests: a server takes half a second to stop."""
    server, thread = start_http_server(0, addr="127.0.0.1", registry=SERVED)
    yield f"http://127.0.0.1:{server.server_port}/metrics"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def scrape(url: str) -> Iterator[Scrape]:
    exporter = prometheus.attach(SERVED)

    def read() -> Scraped:
        with urllib.request.urlopen(url, timeout=50) as answer:
            assert answer.status == 200
            return Scraped(answer.read().decode())

    async def scrape() -> Scraped:
        return await asyncio.to_thread(read)  # as Prometheus does: while the loop goes on

    yield scrape
    exporter.detach()


@pytest.fixture
async def sup() -> AsyncIterator[Pid]:
    async with process.attach():
        pid = await DynamicSupervisor.start_link(max_restarts=1, intensity="child")
        yield pid
        await Supervisor.stop(pid)


async def test_calls_are_timed_by_class_and_request(scrape) -> None:
    pid = await Worker.start()

    for _ in range(3):
        await Worker.work(pid)

    found = await scrape()
    labels = {"server_class": "Worker", "request": "work"}
    assert found("beamish_call_duration_seconds_count", **labels) == 3
    assert 0 < found("beamish_call_duration_seconds_sum", **labels) < 50
    assert found("beamish_call_duration_seconds_bucket", **labels, le="10.0") == 3
    assert found.kinds["beamish_call_duration_seconds"] == "histogram"


async def test_failed_calls_are_counted_by_error(scrape) -> None:
    pid = await Worker.start(name="worker")

    with pytest.raises(CallTimeoutError):
        await Worker.wait.timeout(0.005)(pid)
    pid._process.server.release.set()
    with pytest.raises(ExitError):
        await Worker.crash(pid)
    with pytest.raises(NoProcessError):
        await Worker.work(pid)

    found, name = await scrape(), "beamish_call_failures_total"
    worker = {"server_class": "Worker"}
    assert found(name, **worker, request="wait", error="CallTimeoutError") == 1
    assert found(name, **worker, request="crash", error="ExitError") == 1
    assert found(name, server_class="unknown", request="work", error="NoProcessError") == 1
    assert found("beamish_call_duration_seconds_count", **worker, request="crash") == 1


async def test_callbacks_are_timed(scrape) -> None:
    pid = await Worker.start()
    waiting = asyncio.create_task(Worker.wait(pid))
    while pid._process is None or pid._process.task is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    pid._process.server.release.set()
    await waiting

    found = await scrape()
    labels = {"server_class": "Worker", "callback": "wait"}
    assert found("beamish_callback_duration_seconds_count", **labels) == 1
    assert 0.005 < found("beamish_callback_duration_seconds_sum", **labels) < 50


async def test_starts_exits_restarts_and_give_ups_are_counted(scrape, sup) -> None:
    await DynamicSupervisor.start_child(sup, Worker.child_spec(name="worker"))

    for _ in range(2):
        with pytest.raises(ExitError):
            await Worker.crash("worker")
        await DynamicSupervisor.count_children(sup)

    found, worker = await scrape(), {"server_class": "Worker"}
    assert found("beamish_process_starts_total", **worker) == 2
    assert found("beamish_process_exits_total", **worker, reason="exception") == 2
    assert found("beamish_restarts_total", **worker) == 1
    assert found("beamish_give_ups_total", **worker) == 1
    assert found.kinds["beamish_restarts"] == "counter"


@pytest.mark.parametrize(
    ("reason", "label"),
    [
        ("normal", "normal"),
        ("shutdown", "shutdown"),
        (("shutdown", "moved"), "shutdown"),
        (ValueError("no"), "exception"),
        ("whatever", "other"),
        (42, "other"),
    ],
)
@pytest.mark.usefixtures("_quiet")
async def test_exits_are_counted_by_kind_of_reason(scrape, reason, label) -> None:
    await GenServer.stop(await Worker.start(), reason)

    found = await scrape()
    assert found("beamish_process_exits_total", server_class="Worker", reason=label) == 1


@pytest.fixture
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="beamish")


async def test_processes_and_mailboxes_are_counted_when_scraped(scrape) -> None:
    pids = [await Worker.start() for _ in range(3)]
    for _ in range(5):
        Worker.wait_long(pids[0])
    Worker.wait_long(pids[1])
    Worker.wait_long(pids[1])
    while pids[1]._process.task is None:
        await asyncio.sleep(0)

    found, worker = await scrape(), {"server_class": "Worker"}
    assert found("beamish_processes", **worker) == 3
    assert found("beamish_mailbox_length", **worker) == 5  # two are being handled
    assert found("beamish_mailbox_length_max", **worker) == 4
    assert found.kinds["beamish_processes"] == "gauge"

    await GenServer.stop(pids[2])
    assert (await scrape())("beamish_processes", **worker) == 2


async def test_processes_from_before_it_was_attached_are_counted(registry) -> None:
    await Worker.start()

    exporter = prometheus.attach(registry)

    assert registry.get_sample_value("beamish_processes", {"server_class": "Worker"}) == 1
    exporter.detach()


async def test_long_schedules_and_queues_are_counted(scrape, caplog) -> None:
    before = debug.system_monitor(long_schedule=0.02, long_message_queue=3)
    pid = await Worker.start()
    worker = {"server_class": "Worker"}

    await Worker.block_until(pid, lambda: "long schedule" in caplog.text)
    debug.system_monitor(long_schedule=None)
    for _ in range(5):
        Worker.wait_long(pid)
    async with asyncio.timeout(50):
        while not (await scrape())("beamish_long_message_queues_total", **worker):
            await asyncio.sleep(0.001)

    found = await scrape()
    assert found("beamish_long_schedules_total", **worker) == 1
    assert found("beamish_long_message_queues_total", **worker) == 1
    debug.system_monitor(
        long_schedule=before.long_schedule, long_message_queue=before.long_message_queue
    )


async def test_nothing_is_labelled_by_pid(scrape, sup) -> None:
    """However many processes there are, there are as many metrics as before."""
    for number in range(3):
        spec = Worker.child_spec(name=f"worker {number}")
        await Worker.work(await DynamicSupervisor.start_child(sup, spec))

    text = (await scrape()).text
    assert "PID" not in text
    assert "worker 1" not in text


async def test_metrics_have_their_names_and_labels_out_of_the_table(scrape, sup) -> None:
    page = (ROOT / "docs/telemetry.md").read_text()
    rows = re.findall(r"^\| `(beamish_\w+)` \| (\w+) \| ([^|]+) \|", page, re.MULTILINE)
    documented = {name.removesuffix("_total"): (kind, labels(cell)) for name, kind, cell in rows}
    await DynamicSupervisor.start_child(sup, Worker.child_spec(name="worker"))
    for _ in range(2):
        with pytest.raises(ExitError):
            await Worker.crash("worker")
        await DynamicSupervisor.count_children(sup)

    found = await scrape()
    exported = {name: kind for name, kind in found.kinds.items() if not name.endswith("_created")}
    labelled = {
        re.sub(r"_(total|count)$", "", sample.name): set(sample.labels)
        for sample in found.samples
        if not re.search(r"_(bucket|sum|created)$", sample.name)
    }
    assert exported == {name: kind for name, (kind, _) in documented.items()}
    assert labelled == {name: names for name, (_, names) in documented.items() if name in labelled}
    assert len(labelled) >= len(documented) - 2  # nothing was overloaded


def labels(cell: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", cell))


async def test_detached_exporter_no_longer_counts_and_leaves_the_registry(registry) -> None:
    exporter = prometheus.attach(registry)
    exporter.detach()
    exporter.detach()

    await Worker.work(await Worker.start())

    assert list(registry.collect()) == []
    prometheus.attach(registry).detach()


def test_second_exporter_in_one_registry_is_refused(registry, exporter) -> None:
    with pytest.raises(ValueError, match="detach that exporter first"):
        prometheus.attach(registry)

    assert registry.get_sample_value("beamish_processes", {"server_class": "x"}) is None
    names = [family.name for family in registry.collect()]
    assert "beamish_processes" in names


@pytest.mark.parametrize("buckets", [(0,), (-1.0,), ("1",)])
def test_bucket_that_is_none_is_refused(registry, buckets) -> None:
    with pytest.raises(ValueError, match="buckets must be a positive number of seconds"):
        prometheus.attach(registry, buckets=buckets)


def test_registry_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="CollectorRegistry; got 'registry'"):
        prometheus.attach("registry")


def test_examples_of_the_module_run() -> None:
    assert doctest.testmod(prometheus) == doctest.TestResults(failed=0, attempted=3)


@pytest.mark.parametrize("module", ["prometheus", "opentelemetry"])
def test_missing_extra_is_named(module: str) -> None:
    missing = {"prometheus": "prometheus_client", "opentelemetry": "opentelemetry"}[module]
    program = f"import sys; sys.modules[{missing!r}] = None; import beamish.exporters.{module}"

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert f"ImportError: beamish.exporters.{module} needs {missing}" in ran.stderr
    assert f"install beamish[{module}]" in ran.stderr
