"""The snapshots: processes, supervisors, trees, registries, details, states."""

import asyncio
import json

import pytest

from beamish import (
    BeamishError,
    CallTimeoutError,
    DynamicSupervisor,
    ExitError,
    GenServer,
    NoProcessError,
    Pid,
    Registry,
    Supervisor,
    call,
    debug,
    process,
    telemetry,
)
from beamish._snapshots import busy, details, matches, processes, slices
from beamish._snapshots.encode import MAX_VALUE_CHARACTERS, encoded, short
from beamish._snapshots.matches import TreeSearch
from beamish._snapshots.processes import ProcessTable
from beamish._snapshots.query import QueryError, UnknownError, parse
from beamish._snapshots.supervisors import MAX_AUTOMATIC_NODES

from .support import REGISTRY, WORKERS, Employer, Worker, read, start_workers, until

# -- Queries


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("sort", "memory", "sort must be one of recent, busy, handled, queue, pid, class"),
        ("dir", "up", "dir must be one of asc, desc"),
        ("limit", "0", "limit must be from 1 to 1,000; got 0"),
        ("limit", "1001", "limit must be from 1 to 1,000"),
        ("limit", "-1", "limit must be a whole number"),
        ("limit", "9" * 5_000, "limit must be a whole number"),
        ("limit", "²", "limit must be a whole number"),
        ("search", "x" * 201, "search can have 200 characters; got 201"),
        ("open", "1,x", "open must be a whole number"),
        ("open", ",".join(["1"] * 201), "open can name 200 supervisors; got 201: close some"),
        ("side", "2", "unknown parameter 'side'; use dir, limit, open, page, pid, search, sort"),
    ],
)
def test_invalid_parameter_is_explained(name: str, value: str, said: str) -> None:
    with pytest.raises(QueryError) as raised:
        parse({name: value})

    assert said in str(raised.value)


async def test_unknown_view_names_the_views() -> None:
    with pytest.raises(UnknownError, match="unknown view 'memory'; use overview, history"):
        await read("memory")


# -- Processes


async def test_processes_are_sorted_by_any_column(program: Pid) -> None:
    pids = await start_workers(5)
    for number, pid in enumerate(pids):
        for _ in range(number):
            await Worker.add(pid, 1)

    found = await read("processes", sort="handled", search="order:", limit="3")
    ascending = await read("processes", sort="pid", dir="asc", search="order:", limit="2")

    assert [row.handled for row in found.rows] == [4, 3, 2]
    assert [row.pid for row in found.rows] == [pids[4], pids[3], pids[2]]
    assert [row.pid for row in ascending.rows] == pids[:2]
    assert (found.matching, found.total) == (5, len(process.processes()))


async def test_queues_are_sorted_and_summed(program: Pid) -> None:
    first = process.whereis("first")
    assert first is not None
    await debug.suspend(first)
    for _ in range(3):
        process.send(first, "a message")

    found = await read("processes", sort="queue", limit="1")

    assert [(row.pid, row.queue, row.status) for row in found.rows] == [(first, 3, "suspended")]
    assert found.queued == 3


async def test_recent_counts_messages_since_the_last_page(program: Pid) -> None:
    table = ProcessTable(parse({"sort": "recent", "limit": "1"}))
    before = await table.read()
    for _ in range(7):
        await Worker.add("second", 1)

    found = await table.read()

    assert before.rows[0].recent is None
    assert [(row.name, row.recent) for row in found.rows] == [("second", 7)]
    assert found.seconds is not None


class _Clock:
    """In the place of `time`."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    for module in (busy, processes):
        monkeypatch.setattr(module, "time", clock)
    return clock


class Miner(GenServer):
    """A server whose calls take time of the clock."""

    def __init__(self, clock: _Clock) -> None:
        self.clock = clock

    @call
    def work(self, seconds: float, *, fail: bool = False) -> None:
        self.clock.now += seconds
        if fail:
            raise ValueError("no gold")


async def test_busy_is_the_share_of_the_time_in_callbacks(program: Pid, clock: _Clock) -> None:
    busy, failing = await Miner.start(clock), await Miner.start(clock)
    (worker,) = await start_workers(1)
    table = ProcessTable(parse({"sort": "busy", "limit": "3"}))
    first = await table.read()
    clock.now += 4.0
    await Miner.work(busy, 3.0)
    await Miner.work(busy, 2.0)
    with pytest.raises(ExitError):
        await Miner.work(failing, 1.0, fail=True)

    second = await table.read()
    async with asyncio.TaskGroup() as group:
        call = group.create_task(Worker.wait(worker))
        await until(lambda: worker._process.current_callback() == "wait")
        clock.now += 2.0
        third = await table.read()
        clock.now += 1.0
        fourth = await table.read()
        worker._process.server.waits.set()
        await call
    clock.now += 4.0
    fifth = await table.read()
    table.close()

    assert {row.busy for row in first.rows} == {None}
    assert [(row.pid, row.busy) for row in second.rows if row.busy] == [(busy, 0.5)]
    # A callback that waits counts while it waits, and is not counted again when it ends.
    assert (third.rows[0].pid, third.rows[0].busy) == (worker, 1.0)
    assert (fourth.rows[0].pid, fourth.rows[0].busy) == (worker, 1.0)
    assert fifth.rows[0].busy == 0.0
    assert not telemetry.observes


async def test_callback_that_runs_since_before_the_measurement_is_busy(
    program: Pid, clock: _Clock
) -> None:
    (pid,) = await start_workers(1)
    async with asyncio.TaskGroup() as group:
        group.create_task(Worker.wait(pid))
        await until(lambda: pid._process.current_callback() == "wait")
        table = ProcessTable(parse({"sort": "busy"}))
        await table.read()
        clock.now += 4.0
        found = await table.read()
        pid._process.server.waits.set()
    clock.now += 4.0
    after = await table.read()
    table.close()

    assert (found.rows[0].pid, found.rows[0].busy) == (pid, 1.0)
    assert {row.busy for row in after.rows} == {0.0}


async def test_other_orders_measure_no_busy_time(program: Pid) -> None:
    table = ProcessTable(parse({}))
    await table.read()

    assert {row.busy for row in (await table.read()).rows} == {None}
    assert not telemetry.observes


class _Key:
    """A key that counts how often it is written as text."""

    def __init__(self) -> None:
        self.written = 0

    def __repr__(self) -> str:
        self.written += 1
        return "a rare key"


async def test_search_writes_each_name_as_text_once(program: Pid) -> None:
    key = _Key()
    spec = Worker.child_spec(name=Registry.via(REGISTRY, key))
    pid = await DynamicSupervisor.start_child(WORKERS, spec)
    wanted = ProcessTable(parse({"search": "rare", "limit": "1"}))
    await wanted.read()
    other = ProcessTable(parse({"search": "nothing", "limit": "1"}))
    await other.read()
    written = key.written

    assert (await other.read()).matching == 0
    assert key.written == written
    assert [row.pid for row in (await wanted.read()).rows] == [pid]


@pytest.mark.parametrize("search", ["first", "FIRST", "irs"])
async def test_search_finds_names(program: Pid, search: str) -> None:
    found = await read("processes", search=search)

    assert [row.name for row in found.rows] == ["first"]


async def test_search_finds_the_whole_of_a_long_key(program: Pid) -> None:
    key = "0x" + "c0ffee" * 20
    spec = Worker.child_spec(name=Registry.via(REGISTRY, key))
    pid = await DynamicSupervisor.start_child(WORKERS, spec)

    found = await read("processes", search=key[-60:])

    assert [row.pid for row in found.rows] == [pid]
    assert len(found.rows[0].name) < len(key)


async def test_search_finds_pids_and_classes(program: Pid) -> None:
    first = process.whereis("first")
    assert first is not None

    assert [row.pid for row in (await read("processes", search=repr(first))).rows] == [first]
    assert (await read("processes", search="dynamicsup")).matching == 1
    assert (await read("processes", search="no such process")).rows == []


async def test_walk_lets_the_event_loop_run(program: Pid, monkeypatch: pytest.MonkeyPatch) -> None:
    await start_workers(600)
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)  # every batch ends a slice
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await read("processes")
    counting.cancel()

    assert turns >= 600 // 128


async def test_walks_at_the_same_time_share_one_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(slices, "SLICE_SECONDS", 100.0)
    monkeypatch.setattr(slices.time, "perf_counter", lambda: now)
    turns: list[list[int]] = []

    async def walk(number: int) -> None:
        nonlocal now
        async for _ in slices.sliced(range(128 * 40)):
            now += 10.0
            turns[-1].append(number)

    async def turn() -> None:
        while True:
            turns.append([])
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    await asyncio.sleep(0)
    await asyncio.gather(*map(walk, range(4)))
    together = max(map(len, turns[2:]))  # the first walk begins alone
    turns[:] = [[]]
    await walk(0)
    turning.cancel()

    # Each walk ends its part of the slice with the first batch after it.
    assert together <= 4 * (100.0 / 4 / 10.0 + 2) < 4 * 100.0 / 10.0
    assert max(map(len, turns)) >= 100.0 / 10.0


async def test_process_that_exits_during_the_walk_is_left_out(
    program: Pid, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = await start_workers(300)
    monkeypatch.setattr(slices, "SLICE_SECONDS", 0.0)
    reading = asyncio.create_task(read("processes", sort="pid", limit="1000"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await DynamicSupervisor.terminate_child(WORKERS, pids[0])
    await DynamicSupervisor.terminate_child(WORKERS, pids[-1])

    found = await reading

    assert {pids[0], pids[-1]}.isdisjoint(row.pid for row in found.rows)
    assert len(found.rows) >= 298


# -- Supervisors


async def killed(name: str) -> None:
    """Kill a process, and wait until its supervisor has restarted it."""
    before = process.whereis(name)
    assert before is not None
    process.exit(before, "kill")
    await until(lambda: process.whereis(name) not in (None, before))


async def test_supervisors_show_restarts_used_and_allowed(program: Pid) -> None:
    await killed("second")

    found = await read("supervisors")

    assert found.total == 3
    top = found.rows[0]
    assert (top.name, top.strategy, top.children) == ("Test.Pair", "one_for_one", 2)
    assert str(top.restarts) == "1 of 5 in 600 s"
    assert found.rows[1].restarts.used == 0


async def test_supervisor_nearest_to_its_limit_is_first(program: Pid) -> None:
    await killed("first")
    (worker,) = await start_workers(1)
    process.exit(worker, "kill")
    await until(lambda: Registry.whereis(REGISTRY, "order:0") not in (None, worker))

    rows = (await read("supervisors")).rows

    assert [(row.name, str(row.restarts)) for row in rows] == [
        (WORKERS, "1 of 2 in 600 s"),
        ("Test.Pair", "1 of 5 in 600 s"),
        ("Test.Top", "0 of 3 in 5 s"),
    ]


async def test_restarts_of_each_child_show_the_worst(program: Pid) -> None:
    spec = DynamicSupervisor.child_spec(name="Own", intensity="child", max_seconds=600.0)
    await Supervisor.start_child("Test.Top", spec)
    calm = await DynamicSupervisor.start_child("Own", Worker.child_spec(name="calm"))
    await DynamicSupervisor.start_child("Own", Worker.child_spec(name="troubled"))
    for _ in range(2):
        await killed("troubled")

    (row,) = (await read("supervisors", search="own")).rows

    assert row.intensity == "child"
    assert (row.restarts.used, row.restarts.allowed) == (2, 3)
    assert process.is_alive(calm)


async def test_small_tree_is_open(program: Pid) -> None:
    await start_workers(2)

    found = await read("tree")

    (root,) = found.roots
    assert root.id == "Test.Top"
    assert [child.id for child in root.children] == [REGISTRY, WORKERS, "Test.Pair"]
    assert [child.open for child in root.children] == [False, True, True]
    assert [child.id for child in root.children[2].children] == ["first", "second"]
    assert found.nodes == 8


async def test_linked_process_without_a_supervisor_is_below_the_one_that_started_it(
    program: Pid,
) -> None:
    employer = await Supervisor.start_child("Test.Pair", Employer.child_spec(name="employer"))
    helper = await Employer.hire(employer)
    other = await Supervisor.start_child("Test.Pair", Employer.child_spec(name="other"))
    await Employer.meet(other, helper)  # it has not started the helper

    found = await read("tree")
    searched = await read("tree", search="employer")

    pair = found.roots[0].children[2]
    assert [[one.pid for one in node.linked] for node in pair.children] == [[], [], [helper], []]
    assert (pair.children[2].linked[0].status, pair.linked) == ("running", [])
    assert found.nodes == 9
    assert [one.pid for one in searched.roots[0].children[0].children[0].linked] == [helper]


async def test_large_supervisor_lists_some_children_and_counts_the_rest(program: Pid) -> None:
    await start_workers(50)

    (root,) = (await read("tree", limit="30")).roots

    workers = root.children[1]
    assert (len(workers.children), workers.left_out) == (30, 20)


async def test_only_the_named_supervisors_are_open(program: Pid) -> None:
    pair = process.whereis("Test.Pair")
    assert pair is not None

    found = await read("tree", open=f"{program.serial}")
    both = await read("tree", open=f"{program.serial},{pair.serial}")
    none = await read("tree", open="0")

    assert [child.open for child in found.roots[0].children] == [False, False, False]
    assert found.roots[0].children[2].left_out == 2
    assert [child.open for child in both.roots[0].children] == [False, False, True]
    assert (none.nodes, none.roots[0].left_out) == (1, 3)


async def test_tree_of_many_supervisors_is_cut_at_its_deepest_levels(program: Pid) -> None:
    for number in range(30):
        children = [Worker.child_spec(name=f"{number}.{child}") for child in range(20)]
        await Supervisor.start_child("Test.Top", Supervisor.child_spec(children, name=f"s{number}"))

    found = await read("tree", limit="100")

    assert MAX_AUTOMATIC_NODES <= found.nodes < MAX_AUTOMATIC_NODES + 20
    assert len(found.roots[0].children) == 33
    assert [child.open for child in found.roots[0].children].count(False) > 10


async def test_search_of_the_tree_finds_what_is_closed_with_its_ancestors(program: Pid) -> None:
    inner = Supervisor.child_spec([Worker.child_spec(9, name="hidden")], name="inner")
    await Supervisor.start_child("Test.Pair", inner)
    await start_workers(50)

    found = await read("tree", search="HIDDEN", open="0", limit="2")
    by_key = await read("tree", search="order:4", limit="5")
    by_class = await read("tree", search="worker", limit="5")
    nothing = await read("tree", search="absent")

    way = [root := found.roots[0], *root.children, *root.children[0].children]
    way += root.children[0].children[0].children
    assert [node.id for node in way] == ["Test.Top", "Test.Pair", "inner", "hidden"]
    assert [node.matches for node in way] == [False, False, False, True]
    assert (found.nodes, found.matching, root.left_out) == (4, 1, 0)
    (workers,) = by_key.roots[0].children
    assert [node.id.split(" / ")[-1] for node in workers.children] == [
        f"order:{number}" for number in (4, 40, 41, 42, 43)
    ]
    assert (by_key.matching, workers.left_out) == (11, 6)
    assert by_class.matching == 54  # 50 and 3 workers, and the supervisor of that name
    assert (nothing.roots, nothing.nodes, nothing.matching) == ([], 0, 0)


async def test_search_of_the_tree_includes_a_limited_number_of_matches(
    program: Pid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matches, "MAX_MATCHES", 3)
    await start_workers(8)

    found = await read("tree", search="order:", limit="100")

    (workers,) = found.roots[0].children
    assert (len(workers.children), workers.left_out, found.matching) == (3, 5, 8)


async def test_search_of_the_tree_forgets_processes_that_have_exited(program: Pid) -> None:
    reader = TreeSearch(parse({"search": "order:"}))
    pids = await start_workers(60)
    await reader.read()
    for pid in pids:
        await DynamicSupervisor.terminate_child(WORKERS, pid)

    found = await reader.read()

    assert found.matching == 0
    assert not set(pids) & set(reader._known)


async def test_search_of_the_tree_follows_changes(program: Pid) -> None:
    reader = TreeSearch(parse({"search": "order:"}))
    (pid,) = await start_workers(1)
    first = await reader.read()

    await DynamicSupervisor.terminate_child(WORKERS, pid)
    await start_workers(2)
    second = await reader.read()
    reader.close()

    assert (first.matching, second.matching) == (1, 2)


# -- Registries


async def test_registries_show_their_entries(program: Pid) -> None:
    pids = await start_workers(12)

    found = await read("registries", pid=REGISTRY, search="order:1", limit="2")

    assert [(row.name, row.keys, row.entries) for row in found.registries] == [
        (REGISTRY, "unique", 12)
    ]
    assert found.matching == 3
    assert [(row.key, row.pid, row.value) for row in found.entries] == [
        ("order:1", pids[1], "None"),
        ("order:10", pids[10], "None"),
    ]


async def test_registries_without_a_choice_have_no_entries(program: Pid) -> None:
    await start_workers(1)

    found = await read("registries")

    assert (found.chosen, found.entries) == (None, [])


# -- Details


async def test_detail_names_links_and_ancestors(program: Pid) -> None:
    found = await read("process", pid="first")

    assert (found.name, found.class_name, found.names) == ("first", "Worker", ["first"])
    assert found.parent is not None
    assert found.parent.name == "Test.Pair"
    assert [item.name for item in found.links.first] == ["Test.Pair"]
    assert [item.name for item in found.ancestors.first[:2]] == ["Test.Pair", "Test.Top"]


@pytest.mark.parametrize("form", ["{}", "#PID<0.{}.0>"])
async def test_process_is_found_by_its_number(program: Pid, form: str) -> None:
    first = process.whereis("first")
    assert first is not None

    assert (await read("process", pid=form.format(first.serial))).pid is first


@pytest.mark.parametrize("pid", ["", "nobody", "999999999", "9" * 100, "-1"])
async def test_unknown_process_is_explained(program: Pid, pid: str) -> None:
    with pytest.raises(NoProcessError, match="no live process"):
        await read("process", pid=pid)


async def test_detail_says_where_a_callback_waits(program: Pid) -> None:
    waiting = asyncio.create_task(Worker.wait("first"))
    await until(lambda: (process.info("first") or pytest.fail("dead")).current_callback)

    found = await read("process", pid="first")

    assert found.callback == "wait"
    assert any("Worker.wait" in line and "support.py:" in line for line in found.waiting)
    waiting.cancel()


async def test_queued_messages_show_their_kinds_and_no_contents(program: Pid) -> None:
    await debug.suspend("first")
    process.send("first", "a secret")
    Worker.cast("first", "a secret")
    adding = asyncio.create_task(Worker.add("first", 1_234))
    await until(lambda: (process.info("first") or pytest.fail("dead")).message_queue_len == 3)

    found = await read("process", pid="first")

    assert found.messages == ["message str", "cast handle_cast", "call add"]
    assert b"secret" not in encoded(found)
    assert b"1234" not in encoded(found)
    adding.cancel()


async def test_detail_of_a_supervisor_shows_its_children(program: Pid) -> None:
    found = await read("process", pid="Test.Pair")

    assert found.supervisor is not None
    assert found.supervisor.children == 2
    assert [(child.id, child.restart, child.shutdown) for child in found.children] == [
        ("first", "transient", "5.0"),
        ("second", "transient", "5.0"),
    ]


async def test_state_is_that_of_format_status(program: Pid) -> None:
    found = await read("state", pid="first")

    assert found.attributes == [("number", "1"), ("secret", "'<hidden>'")]


async def test_state_of_a_busy_server_says_where_it_waits(
    program: Pid, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(details, "STATE_SECONDS", 0.01)
    waiting = asyncio.create_task(Worker.wait("first"))
    await until(lambda: (process.info("first") or pytest.fail("dead")).current_callback)

    with pytest.raises(CallTimeoutError, match="busy with wait"):
        await read("state", pid="first")
    waiting.cancel()


async def test_process_that_is_not_a_server_has_no_state(program: Pid) -> None:
    pid = process.spawn(asyncio.Event().wait)

    with pytest.raises(BeamishError, match="is not a server: it has no state"):
        await read("state", pid=str(pid.serial))
    process.exit(pid, "kill")


# -- Values


def test_large_value_is_shortened() -> None:
    for value in (list(range(1_000_000)), "x" * 1_000_000):
        assert len(short(value)) == MAX_VALUE_CHARACTERS + len("…")


def test_value_that_cannot_be_shown_is_named() -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    assert short(Hostile()).endswith("Hostile that cannot be shown: RuntimeError>")


async def test_every_view_can_be_encoded(program: Pid) -> None:
    for view in ("overview", "history", "processes", "tree", "supervisors", "registries"):
        assert isinstance(json.loads(encoded(await read(view))), dict)
