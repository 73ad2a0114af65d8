"""``PartitionSupervisor``.

Sources: Elixir ``PartitionSupervisor``, ``start_link/1``, "``:with_arguments``", "Implementation
notes", ``partitions/1``, ``which_children/1``, ``count_children/1``, ``resize!/2`` (1.18).
"""

import asyncio
import os

import pytest

from beamish import (
    IGNORE,
    Agent,
    AlreadyStartedError,
    ChildInfo,
    Counts,
    DynamicSupervisor,
    ExitError,
    GenServer,
    NoProcessError,
    PartitionSupervisor,
    Pid,
    Registry,
    StartError,
    Supervisor,
    Task,
    TaskSupervisor,
    call,
    process,
)

NAME = "partitions"
FAIL: set[int] = set()


class Worker(GenServer):
    """Knows its partition, and does not start if the partition is in `FAIL`."""

    def __init__(self, partition: int = -1, *, tag: str = "") -> None:
        self.partition, self.tag = partition, tag

    def init(self) -> object:
        if self.partition in FAIL:
            raise ValueError(self.partition)
        return IGNORE if self.tag == "ignore" else None

    @call
    def number(self) -> int:
        return self.partition

    @call
    def crash(self) -> None:
        raise ValueError("crash")


@pytest.fixture(autouse=True)
def _nothing_fails() -> None:
    FAIL.clear()


async def start(partitions: int = 4, **options) -> Pid:
    """Start workers that know their partitions."""
    return await PartitionSupervisor.start_link(
        child_spec=options.pop("child_spec", Worker.child_spec()),
        name=options.pop("name", NAME),
        partitions=partitions,
        with_arguments=lambda args, partition: (*args, partition),
        **options,
    )


async def partition(key: object) -> int:
    return await Worker.number(PartitionSupervisor.via(NAME, key))


# -- Routing


async def test_whole_numbers_go_by_their_absolute_value() -> None:
    async with process.attach():
        await start()

        numbers = (0, 1, 3, 4, 5, -1, -6, True, 2.0, 10**30)
        assert [await partition(n) for n in numbers] == [0, 1, 3, 0, 1, 1, 2, 1, 2, 0]


async def test_pid_is_a_key() -> None:
    async with process.attach() as me:
        await start()

        assert await partition(me) == await partition(me)
        assert len({await partition(await Agent.start(dict)) for _ in range(60)}) == 4


async def test_partition_is_found_again_after_a_crash() -> None:
    async with process.attach():
        await start()
        via = PartitionSupervisor.via(NAME, 2)
        before = GenServer.whereis(via)

        with pytest.raises(ExitError):
            await Worker.crash(via)

        assert GenServer.whereis(via) not in (before, None)
        assert await partition(2) == 2


async def test_via_of_an_unknown_supervisor_raises_but_for_a_cast() -> None:
    via = PartitionSupervisor.via("nobody", 1)

    with pytest.raises(NoProcessError):
        await Worker.number(via)
    with pytest.raises(NoProcessError):
        await PartitionSupervisor.partitions("nobody")

    GenServer.cast(via, "dropped")


async def test_via_addresses_and_names_nothing() -> None:
    async with process.attach():
        await start()
        via = PartitionSupervisor.via(NAME, 9)

        with pytest.raises(AlreadyStartedError) as taken:
            await Worker.start(name=via)
        assert taken.value.pid == GenServer.whereis(via)

        await PartitionSupervisor.resize(NAME, 0)
        with pytest.raises(TypeError, match="is only a destination"):
            await Worker.start(name=via)


async def test_other_processes_are_not_partition_supervisors() -> None:
    async with process.attach():
        other = await Supervisor.start_link([])

        for ask in (PartitionSupervisor.partitions, lambda sup: PartitionSupervisor.resize(sup, 1)):
            with pytest.raises(TypeError, match="is not a PartitionSupervisor"):
                await ask(other)
        assert process.is_alive(other)


async def test_supervisors_can_be_partitioned() -> None:
    async with process.attach() as me:
        await PartitionSupervisor.start_link(child_spec=DynamicSupervisor, name=NAME, partitions=2)
        await PartitionSupervisor.start_link(child_spec=TaskSupervisor, name="tasks", partitions=2)

        server = await DynamicSupervisor.start_child(
            PartitionSupervisor.via(NAME, me), Worker.child_spec(7)
        )
        task = TaskSupervisor.async_(PartitionSupervisor.via("tasks", me), lambda: 7)

        assert await Worker.number(server) == await Task.await_(task) == 7


# -- Starting


async def test_each_partition_gets_its_own_arguments() -> None:
    async with process.attach():
        sup = await start(3)

        children = await PartitionSupervisor.which_children(NAME)

        assert [child.id for child in children] == [0, 1, 2]
        assert [await Worker.number(child.pid) for child in children] == [0, 1, 2]
        assert process.info(sup).class_name == "PartitionSupervisor"
        assert children[0] == ChildInfo(0, children[0].pid, "worker", "running")


async def test_arguments_stay_as_they_are_without_with_arguments() -> None:
    async with process.attach():
        spec = Worker.child_spec(5, tag="x")
        await PartitionSupervisor.start_link(child_spec=spec, name=NAME, partitions=2)

        assert [await partition(key) for key in (0, 1)] == [5, 5]


async def test_there_are_as_many_partitions_as_processors() -> None:
    async with process.attach():
        await PartitionSupervisor.start_link(child_spec=Worker, name=NAME)

        count = os.cpu_count() or 1
        assert await PartitionSupervisor.partitions(NAME) == count
        assert await PartitionSupervisor.count_children(NAME) == Counts(count, count, 0, count)


async def test_name_may_be_a_via_name() -> None:
    async with process.attach():
        await Registry.start_link(keys="unique", name="registry")
        name = Registry.via("registry", "parts")

        await start(name=name)

        assert await PartitionSupervisor.partitions(name) == 4
        assert await Worker.number(PartitionSupervisor.via(name, 6)) == 2


async def test_name_that_is_taken_is_refused() -> None:
    async with process.attach():
        sup = await start()

        with pytest.raises(AlreadyStartedError) as taken:
            await start()

        assert taken.value.pid == sup


async def test_partition_that_does_not_start_fails_the_start() -> None:
    async with process.attach() as me:
        FAIL.add(2)

        with pytest.raises(StartError, match="its child 2 failed"):
            await start()

        assert process.processes() == [me]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"partitions": 0}, ValueError),
        ({"partitions": 1.5}, ValueError),
        ({"with_arguments": 3}, TypeError),
        ({"with_arguments": lambda args, partition: "no"}, TypeError),
        ({"strategy": "simple"}, ValueError),
        ({"max_restarts": -1}, ValueError),
        ({"name": ""}, TypeError),
        ({"child_spec": 3}, TypeError),
    ],
)
async def test_bad_option_is_refused(options: dict[str, object], error) -> None:
    given = {"child_spec": Worker, "name": NAME} | options

    with pytest.raises(error):
        PartitionSupervisor.child_spec(**given)
    async with process.attach():
        with pytest.raises(error):
            await PartitionSupervisor.start_link(**given)


async def test_supervisor_runs_in_a_tree() -> None:
    spec = PartitionSupervisor.child_spec(child_spec=Worker, name=NAME, partitions=2)
    assert (spec.id, spec.type, spec.shutdown) == (NAME, "supervisor", None)

    async with Supervisor.running([spec]):
        before = {child.pid for child in await PartitionSupervisor.which_children(NAME)}
        assert len(before) == 2

    assert not any(process.is_alive(pid) for pid in before)


async def test_strategy_is_that_of_a_supervisor() -> None:
    async with process.attach():
        await start(2, strategy="one_for_all")
        before = [GenServer.whereis(PartitionSupervisor.via(NAME, key)) for key in (0, 1)]

        with pytest.raises(ExitError):
            await Worker.crash(before[0])

        await asyncio.sleep(0)
        assert not any(process.is_alive(pid) for pid in before)
        assert [await partition(key) for key in (0, 1)] == [0, 1]


async def test_stopped_supervisor_takes_its_partitions_along() -> None:
    async with process.attach() as me:
        await start()

        await PartitionSupervisor.stop(NAME)

        assert process.processes() == [me]


# -- Resizing


async def test_fewer_partitions_share_the_keys() -> None:
    async with process.attach():
        await start()

        assert await PartitionSupervisor.resize(NAME, 2) == 4

        assert await PartitionSupervisor.partitions(NAME) == 2
        assert [await partition(key) for key in range(4)] == [0, 1, 0, 1]
        assert await PartitionSupervisor.count_children(NAME) == Counts(4, 2, 0, 4)


async def test_partitions_that_were_stopped_start_again() -> None:
    async with process.attach():
        await start()
        kept = GenServer.whereis(PartitionSupervisor.via(NAME, 0))
        await PartitionSupervisor.resize(NAME, 1)

        assert await PartitionSupervisor.resize(NAME, 3) == 1

        assert [await partition(key) for key in range(4)] == [0, 1, 2, 0]
        assert GenServer.whereis(PartitionSupervisor.via(NAME, 0)) == kept


async def test_same_size_changes_nothing() -> None:
    async with process.attach():
        await start()

        assert await PartitionSupervisor.resize(NAME, 4) == 4


async def test_no_partition_at_all_has_no_key() -> None:
    async with process.attach():
        await start()

        assert await PartitionSupervisor.resize(NAME, 0) == 4

        assert GenServer.whereis(PartitionSupervisor.via(NAME, 1)) is None
        with pytest.raises(NoProcessError):
            await partition(1)
        assert await PartitionSupervisor.resize(NAME, 4) == 0
        assert await partition(1) == 1


@pytest.mark.parametrize("size", [5, -1, 1.5])
async def test_size_out_of_range_is_refused(size: float) -> None:
    async with process.attach():
        await start()

        with pytest.raises(ValueError, match="partitions must be"):
            await PartitionSupervisor.resize(NAME, size)  # type: ignore[arg-type]

        assert await PartitionSupervisor.partitions(NAME) == 4


async def test_partition_that_does_not_start_leaves_the_size_as_it_was() -> None:
    async with process.attach():
        await start()
        await PartitionSupervisor.resize(NAME, 1)
        FAIL.add(3)

        with pytest.raises(StartError):
            await PartitionSupervisor.resize(NAME, 4)

        assert await PartitionSupervisor.partitions(NAME) == 1
        assert await PartitionSupervisor.count_children(NAME) == Counts(4, 1, 0, 4)


async def test_temporary_partitions_start_again_when_resized() -> None:
    async with process.attach():
        await start(child_spec=Worker.child_spec().replace(restart="temporary"))

        await PartitionSupervisor.resize(NAME, 1)
        await PartitionSupervisor.resize(NAME, 3)

        assert [await partition(key) for key in range(3)] == [0, 1, 2]


async def test_resizes_happen_one_after_another() -> None:
    async with process.attach():
        await start()

        befores = await asyncio.gather(
            *(PartitionSupervisor.resize(NAME, size) for size in (1, 4, 2, 3))
        )

        assert befores == [4, 1, 4, 2]
        assert await PartitionSupervisor.count_children(NAME) == Counts(4, 3, 0, 4)
