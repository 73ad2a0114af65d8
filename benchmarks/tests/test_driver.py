import pytest

from benchmarks.driver import steps
from benchmarks.plan import Workload
from benchmarks.runners import Runner

pytestmark = pytest.mark.once

HAND = Runner("asyncio", "asyncio", ())
BEAM = Runner("BEAM +S 1", "BEAM", ())


def order(*workloads: Workload) -> list[tuple[int, str, str]]:
    return [
        (repeat, workload.label, runner.name)
        for repeat, workload, runner in steps(workloads, [HAND, BEAM])
    ]


def test_programs_take_turns_within_a_workload_and_another_is_first_each_time() -> None:
    assert order(Workload("call", 1, repeats=2)) == [
        (0, "call", "asyncio"),
        (0, "call", "BEAM +S 1"),
        (1, "call", "BEAM +S 1"),
        (1, "call", "asyncio"),
    ]


def test_all_workloads_run_once_before_any_runs_again() -> None:
    labels = [label for _, label, _ in order(Workload("a", 1, repeats=2), Workload("b", 1))]

    assert labels[:6] == ["a", "a", "b", "b", "a", "a"]


def test_a_workload_runs_only_for_its_columns_and_as_often_as_it_says() -> None:
    only = Workload("stop", 1, repeats=1, columns=("BEAM",))

    assert order(only) == [(0, "stop", "BEAM +S 1")]


def test_a_workload_may_be_for_one_program_of_a_column() -> None:
    other = Runner("BEAM +S 2", "BEAM", ())
    only = Workload("stop", 1, repeats=1, only="BEAM +S 2")

    assert [runner.name for _, _, runner in steps([only], [BEAM, other])] == ["BEAM +S 2"]
